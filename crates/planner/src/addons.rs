//! Which containers of services are to run, and what is to be done for each add-on.
//!
//! An instance is started when it is wanted and not there, and again, after a rest, when it has ended.
//! An add-on is provisioned once its instance is ready. What is given up is taken away: in a shared
//! instance by a script of the service, else with the instance itself.

use domain::{Addon, AddonId, AddonState, Credential, CredentialId, Errand, ErrandId, Instance, InstanceId};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What is seen of an instance's container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// On its way.
    Starting,
    /// It listens.
    Ready,
    /// It has ended.
    Ended,
}

/// All that is looked at.
#[derive(Clone, Debug, Default)]
pub struct World {
    pub instances: Vec<Instance>,
    pub addons: Vec<Addon>,
    /// Oldest first.
    pub errands: Vec<Errand>,
    /// Those of which their services are to be told.
    pub credentials: Vec<Credential>,
    pub seen: BTreeMap<InstanceId, Seen>,
    /// Those whose containers are of another size than their plan says.
    pub outgrown: BTreeSet<InstanceId>,
    /// Add-ons for which something is being done, and instances that are being started.
    pub busy: BTreeSet<AddonId>,
    pub starting: BTreeSet<InstanceId>,
}

/// How patient the platform is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Failed attempts after which an add-on is not provisioned any more.
    pub attempts: u32,
    /// How long who waits can learn that an add-on could not be made.
    pub keep_failed: Duration,
    /// Rest after a failure; twice as long after each further one, up to `longest_rest`.
    pub rest: Duration,
    pub longest_rest: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            attempts: 6,
            keep_failed: Duration::from_hours(1),
            rest: Duration::from_millis(500),
            longest_rest: Duration::from_mins(1),
        }
    }
}

/// One thing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start an instance's container.
    Start(InstanceId),
    /// An instance's container has ended: take it away and start it again later.
    Bury(InstanceId),
    /// An instance's container is to be started anew, of another size.
    Restart(InstanceId),
    /// Take an instance away with all it holds.
    Remove(InstanceId),
    /// Make what an add-on needs.
    Provision(AddonId),
    /// Do what is asked of an add-on.
    Errand(AddonId, ErrandId),
    /// Tell an add-on's service of a credential.
    Credential(AddonId, CredentialId),
    /// It cannot be had.
    Fail(AddonId),
    /// Take what it has from a shared instance.
    Deprovision(AddonId),
    /// Nothing of it is left outside of its instance; `true` if its row stays.
    Gone(AddonId, bool),
}

/// What to do now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    pub actions: Vec<Action>,
    /// Look again then.
    pub next: Option<Timestamp>,
}

impl Plan {
    fn wait(&mut self, until: Timestamp) {
        self.next = Some(self.next.map_or(until, |next| next.min(until)));
    }
}

/// When something that has failed `failures` times is tried again.
pub fn retry_at(settings: &Settings, failures: u32, now: Timestamp) -> Timestamp {
    let doubled = settings.rest.saturating_mul(1 << failures.min(16));
    let rest = SignedDuration::try_from(doubled.min(settings.longest_rest)).unwrap_or(SignedDuration::ZERO);
    now.saturating_add(rest).unwrap_or(now)
}

/// Looks at everything.
pub fn plan(settings: &Settings, world: &World, now: Timestamp) -> Plan {
    let mut plan = Plan::default();
    for instance in &world.instances {
        plan_instance(world, instance, now, &mut plan);
    }
    for addon in world.addons.iter().filter(|addon| !world.busy.contains(&addon.id)) {
        plan_addon(settings, world, addon, now, &mut plan);
    }
    plan
}

fn plan_instance(world: &World, instance: &Instance, now: Timestamp, plan: &mut Plan) {
    if world.starting.contains(&instance.id) {
        return;
    }
    if instance.removed {
        // Its add-ons' rows go first.
        if world.addons.iter().all(|addon| addon.instance != Some(instance.id)) {
            plan.actions.push(Action::Remove(instance.id));
        }
        return;
    }
    match world.seen.get(&instance.id) {
        Some(Seen::Ready) if world.outgrown.contains(&instance.id) => {
            plan.actions.push(Action::Restart(instance.id));
        }
        Some(Seen::Starting | Seen::Ready) => {}
        Some(Seen::Ended) => plan.actions.push(Action::Bury(instance.id)),
        None => match instance.retry_at.filter(|at| *at > now) {
            Some(at) => plan.wait(at),
            None => plan.actions.push(Action::Start(instance.id)),
        },
    }
}

fn plan_addon(settings: &Settings, world: &World, addon: &Addon, now: Timestamp, plan: &mut Plan) {
    let instance = addon.instance.and_then(|id| world.instances.iter().find(|one| one.id == id));
    let ready = instance.is_none_or(|one| world.seen.get(&one.id) == Some(&Seen::Ready));
    let rests = addon.retry_at.filter(|at| *at > now);
    match addon.state {
        AddonState::Provisioned if ready => {
            if !plan_credentials(world, addon, now, plan) {
                plan_errands(world, addon, now, plan);
            }
        }
        AddonState::Provisioned => {}
        AddonState::Provisioning => {
            let hopeless = instance.is_some_and(|one| !ready && one.failures >= settings.attempts);
            if hopeless || addon.attempts >= settings.attempts {
                plan.actions.push(Action::Fail(addon.id));
            } else if let Some(at) = rests {
                plan.wait(at);
            } else if ready {
                plan.actions.push(Action::Provision(addon.id));
            }
        }
        AddonState::Deprovisioning | AddonState::Failed => {
            let failed = addon.state == AddonState::Failed;
            let kept_until = SignedDuration::try_from(settings.keep_failed)
                .ok()
                .and_then(|keep| addon.updated_at.checked_add(keep).ok())
                .filter(|until| failed && *until > now);
            match instance {
                Some(one) if one.plan.is_none() => match rests {
                    Some(at) => plan.wait(at),
                    None if ready => plan.actions.push(Action::Deprovision(addon.id)),
                    None => {}
                },
                Some(_) => plan.actions.push(Action::Gone(addon.id, failed)),
                None => match kept_until {
                    Some(at) => plan.wait(at),
                    None => plan.actions.push(Action::Gone(addon.id, false)),
                },
            }
        }
    }
}

/// One at a time, oldest first; one that rests after a failure does not hold up the others. Whether there
/// is one to tell of now.
fn plan_credentials(world: &World, addon: &Addon, now: Timestamp, plan: &mut Plan) -> bool {
    for credential in world.credentials.iter().filter(|one| one.addon == addon.id) {
        if let Some(at) = credential.retry_at.filter(|at| *at > now) {
            plan.wait(at);
        } else {
            plan.actions.push(Action::Credential(addon.id, credential.id));
            return true;
        }
    }
    false
}

/// One at a time, oldest first, likewise.
fn plan_errands(world: &World, addon: &Addon, now: Timestamp, plan: &mut Plan) {
    for errand in world.errands.iter().filter(|one| one.addon == addon.id && !one.given_up) {
        if let Some(at) = errand.retry_at.filter(|at| *at > now) {
            plan.wait(at);
        } else {
            plan.actions.push(Action::Errand(addon.id, errand.id));
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{AccountId, AppId, ErrandKind};
    use std::net::Ipv4Addr;

    fn instance(plan: Option<&str>) -> Instance {
        Instance {
            id: InstanceId::new(),
            service: "db".into(),
            plan: plan.map(str::to_owned),
            address: Ipv4Addr::new(10, 0, 0, 1),
            values: BTreeMap::new(),
            removed: false,
            failures: 0,
            retry_at: None,
            created_at: now(),
        }
    }

    fn addon(state: AddonState, instance: Option<InstanceId>) -> Addon {
        Addon {
            id: AddonId::new(),
            app: AppId::new(),
            user: AccountId::new(),
            service: "db".into(),
            plan: "one".into(),
            name: "db-clear-1".into(),
            state,
            instance,
            attempts: 0,
            retry_at: None,
            failure: None,
            over_limit: false,
            created_at: now(),
            updated_at: now(),
        }
    }

    fn now() -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap()
    }

    fn later(seconds: i64) -> Timestamp {
        now() + SignedDuration::from_secs(seconds)
    }

    fn actions(world: &World) -> Vec<Action> {
        plan(&Settings::default(), world, now()).actions
    }

    #[test]
    fn an_instance_is_started_buried_and_started_again() {
        let mut one = instance(None);
        let id = one.id;
        let world = |one: &Instance, seen: Option<Seen>| World {
            instances: vec![one.clone()],
            seen: seen.map(|seen| (id, seen)).into_iter().collect(),
            ..World::default()
        };
        assert_eq!(actions(&world(&one, None)), [Action::Start(id)]);
        assert_eq!(actions(&world(&one, Some(Seen::Starting))), []);
        assert_eq!(actions(&world(&one, Some(Seen::Ended))), [Action::Bury(id)]);
        let mut grown = world(&one, Some(Seen::Ready));
        assert_eq!(actions(&grown), []);
        grown.outgrown.insert(id);
        assert_eq!(actions(&grown), [Action::Restart(id)]);
        one.retry_at = Some(later(5));
        let found = plan(&Settings::default(), &world(&one, None), now());
        assert_eq!(found, Plan { actions: vec![], next: Some(later(5)) });
        one.removed = true;
        assert_eq!(actions(&world(&one, Some(Seen::Ready))), [Action::Remove(id)]);
    }

    #[test]
    fn an_add_on_waits_for_its_instance_and_not_for_ever() {
        let mut one = instance(Some("large"));
        let asked = addon(AddonState::Provisioning, Some(one.id));
        let mut world = World {
            instances: vec![one.clone()],
            addons: vec![asked.clone()],
            seen: [(one.id, Seen::Starting)].into(),
            ..World::default()
        };
        assert_eq!(actions(&world), []);
        world.seen.insert(one.id, Seen::Ready);
        assert_eq!(actions(&world), [Action::Provision(asked.id)]);
        world.busy.insert(asked.id);
        assert_eq!(actions(&world), []);
        world.busy.clear();
        world.addons[0].attempts = 6;
        assert_eq!(actions(&world), [Action::Fail(asked.id)]);
        world.addons[0].attempts = 0;
        one.failures = 6;
        one.retry_at = Some(later(60));
        world.instances = vec![one];
        world.seen.clear();
        assert_eq!(actions(&world), [Action::Fail(asked.id)]);
    }

    #[test]
    fn credentials_wait_for_the_instance_and_for_nobody_who_rests() {
        let one = instance(None);
        let of = addon(AddonState::Provisioned, Some(one.id));
        let credential = |retry_at| Credential {
            id: CredentialId::new(),
            addon: of.id,
            name: "reports".into(),
            values: BTreeMap::new(),
            active: false,
            next: None,
            removed: false,
            attempts: 0,
            retry_at,
            created_at: now(),
        };
        let (resting, ready) = (credential(Some(later(5))), credential(None));
        let mut world = World {
            instances: vec![one.clone()],
            addons: vec![of.clone()],
            credentials: vec![resting, ready.clone()],
            seen: [(one.id, Seen::Starting)].into(),
            ..World::default()
        };
        assert_eq!(actions(&world), []);
        world.seen.insert(one.id, Seen::Ready);
        assert_eq!(actions(&world), [Action::Credential(of.id, ready.id)]);
        world.credentials.pop();
        let found = plan(&Settings::default(), &world, now());
        assert_eq!(found, Plan { actions: vec![], next: Some(later(5)) });
    }

    #[test]
    fn what_is_given_up_goes_with_its_own_instance_or_out_of_a_shared_one() {
        let (shared, mut own) = (instance(None), instance(Some("large")));
        let mut world = World {
            instances: vec![shared.clone()],
            addons: vec![addon(AddonState::Deprovisioning, Some(shared.id))],
            seen: [(shared.id, Seen::Ready)].into(),
            ..World::default()
        };
        assert_eq!(actions(&world), [Action::Deprovision(world.addons[0].id)]);
        world = World {
            instances: vec![own.clone()],
            addons: vec![addon(AddonState::Deprovisioning, Some(own.id))],
            seen: [(own.id, Seen::Ready)].into(),
            ..World::default()
        };
        assert_eq!(actions(&world), [Action::Gone(world.addons[0].id, false)]);
        own.removed = true;
        world.instances = vec![own.clone()];
        assert_eq!(actions(&world), [Action::Gone(world.addons[0].id, false)], "rows of add-ons go first");
        world.addons = vec![addon(AddonState::Failed, None)];
        let found = plan(&Settings::default(), &world, now());
        assert_eq!(found, Plan { actions: vec![Action::Remove(own.id)], next: Some(later(3600)) });
        world.addons[0].updated_at = later(-3601);
        assert!(actions(&world).contains(&Action::Gone(world.addons[0].id, false)));
    }

    #[test]
    fn errands_wait_for_their_service_and_for_each_other() {
        let one = instance(None);
        let addon = addon(AddonState::Provisioned, Some(one.id));
        let errand = |kind| Errand {
            id: ErrandId::new(),
            addon: addon.id,
            kind,
            attempts: 0,
            retry_at: None,
            failure: None,
            given_up: false,
            created_at: now(),
        };
        let (first, second) = (errand(ErrandKind::Settings), errand(ErrandKind::ResetStats));
        let mut world = World {
            instances: vec![one.clone()],
            addons: vec![addon.clone()],
            errands: vec![first.clone(), second.clone()],
            seen: [(one.id, Seen::Starting)].into(),
            ..World::default()
        };
        assert_eq!(actions(&world), []);
        world.seen.insert(one.id, Seen::Ready);
        assert_eq!(actions(&world), [Action::Errand(addon.id, first.id)]);
        world.errands[0].retry_at = Some(later(3));
        let found = plan(&Settings::default(), &world, now());
        assert_eq!(found, Plan { actions: vec![Action::Errand(addon.id, second.id)], next: Some(later(3)) });
        world.errands[0].given_up = true;
        assert_eq!(actions(&world), [Action::Errand(addon.id, second.id)]);
        world.busy.insert(addon.id);
        assert_eq!(actions(&world), []);
    }

    #[test]
    fn rests_grow_to_a_bound() {
        let rests: Vec<_> =
            [0, 1, 7, 40].map(|failures| retry_at(&Settings::default(), failures, now()) - now()).into();
        let seconds: Vec<_> = rests.iter().map(|rest| rest.total(jiff::Unit::Second).unwrap()).collect();
        assert_eq!(seconds, [0.5, 1.0, 60.0, 60.0]);
    }
}
