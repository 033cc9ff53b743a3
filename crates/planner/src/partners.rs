//! What partners are to be asked for, add-on by add-on.
//!
//! An order is repeated until it is answered, but not for ever; one that the partner has accepted waits
//! until the partner says that it is done. What is given up is taken back from the partner for as long
//! as it takes: nothing that somebody pays for may be left there.

use domain::{Addon, AddonId, AddonState, Resource};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;
use std::time::Duration;

/// How patient the platform is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Failed attempts after which nothing is ordered, or changed, any more.
    pub attempts: u32,
    /// How long who waits can learn that an add-on could not be had.
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
            rest: Duration::from_secs(1),
            longest_rest: Duration::from_mins(30),
        }
    }
}

/// One thing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Ask the partner for it.
    Order(AddonId),
    /// It cannot be had: the partner does not answer.
    Fail(AddonId),
    /// It was accepted and never came.
    Late(AddonId),
    /// Ask the partner for another plan.
    Change(AddonId),
    /// The plan stays: the partner does not answer.
    Stay(AddonId),
    /// Give it back.
    GiveBack(AddonId),
    /// Nothing of it is left; its row goes.
    Gone(AddonId),
}

/// What to do now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    pub actions: Vec<Action>,
    /// Look again then.
    pub next: Option<Timestamp>,
}

/// When something that has failed `failures` times is tried again. `jitter`, from 0 to 1, keeps those
/// that failed together from coming back together.
pub fn retry_at(settings: &Settings, failures: u32, jitter: f64, now: Timestamp) -> Timestamp {
    let doubled = settings.rest.saturating_mul(1 << failures.min(16)).min(settings.longest_rest);
    let rest = doubled.mul_f64(0.75 + jitter.clamp(0.0, 1.0) / 2.0);
    now.saturating_add(SignedDuration::try_from(rest).unwrap_or(SignedDuration::ZERO)).unwrap_or(now)
}

/// Looks at all add-ons of partners. Those that are `busy` are left alone.
pub fn plan(
    settings: &Settings,
    addons: &[(Addon, Resource)],
    busy: &BTreeSet<AddonId>,
    now: Timestamp,
) -> Plan {
    let mut plan = Plan::default();
    for (addon, resource) in addons.iter().filter(|(addon, _)| !busy.contains(&addon.id)) {
        match next(settings, addon, resource, now) {
            Ok(action) => plan.actions.extend(action),
            Err(until) => plan.next = Some(plan.next.map_or(until, |next| next.min(until))),
        }
    }
    plan
}

/// What is to be done about one; an error says when to look again.
fn next(
    settings: &Settings,
    addon: &Addon,
    resource: &Resource,
    now: Timestamp,
) -> Result<Option<Action>, Timestamp> {
    let id = addon.id;
    let rested = addon.retry_at.filter(|at| *at > now).map_or(Ok(()), Err);
    let tired = addon.attempts >= settings.attempts;
    match addon.state {
        AddonState::Provisioning if resource.deadline <= now => Ok(Some(Action::Late(id))),
        AddonState::Provisioning if resource.accepted => Err(resource.deadline),
        AddonState::Provisioning if tired => Ok(Some(Action::Fail(id))),
        AddonState::Provisioning => rested.map(|()| Some(Action::Order(id))),
        AddonState::Provisioned if resource.wanted_plan.is_none() => Ok(None),
        AddonState::Provisioned if tired => Ok(Some(Action::Stay(id))),
        AddonState::Provisioned => rested.map(|()| Some(Action::Change(id))),
        AddonState::Deprovisioning | AddonState::Failed if !resource.gone => {
            rested.map(|()| Some(Action::GiveBack(id)))
        }
        AddonState::Deprovisioning => Ok(Some(Action::Gone(id))),
        AddonState::Failed => {
            let keep = SignedDuration::try_from(settings.keep_failed).unwrap_or(SignedDuration::ZERO);
            let until = addon.updated_at.saturating_add(keep).unwrap_or(now);
            if until > now { Err(until) } else { Ok(Some(Action::Gone(id))) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{AccountId, AppId};
    use std::collections::BTreeMap;

    fn now() -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap()
    }

    fn later(seconds: i64) -> Timestamp {
        now() + SignedDuration::from_secs(seconds)
    }

    fn one(state: AddonState) -> (Addon, Resource) {
        let addon = Addon {
            id: AddonId::new(),
            app: AppId::new(),
            user: AccountId::new(),
            service: "memo".into(),
            plan: "small".into(),
            name: "memo-clear-1".into(),
            state,
            instance: None,
            attempts: 0,
            retry_at: None,
            failure: None,
            over_limit: false,
            created_at: now(),
            updated_at: now(),
        };
        let resource = Resource {
            addon: addon.id,
            provider_id: None,
            options: BTreeMap::new(),
            accepted: false,
            gone: false,
            deadline: later(43_200),
            wanted_plan: None,
            plan_refused: None,
            message: None,
            drain: None,
            drain_token: "d.1".into(),
        };
        (addon, resource)
    }

    /// What is due for one add-on: an action, or seconds to wait.
    fn check(change: impl FnOnce(&mut Addon, &mut Resource), state: AddonState, expected: Result<&str, i64>) {
        let (mut addon, mut resource) = one(state);
        change(&mut addon, &mut resource);
        let found = next(&Settings::default(), &addon, &resource, now());
        let shown = found.map(|action| match action {
            None => "nothing",
            Some(Action::Order(_)) => "order",
            Some(Action::Fail(_)) => "fail",
            Some(Action::Late(_)) => "late",
            Some(Action::Change(_)) => "change",
            Some(Action::Stay(_)) => "stay",
            Some(Action::GiveBack(_)) => "give back",
            Some(Action::Gone(_)) => "gone",
        });
        assert_eq!(shown, expected.map_err(later));
    }

    #[test]
    fn orders_are_repeated_and_given_up() {
        use AddonState::Provisioning;
        check(|_, _| (), Provisioning, Ok("order"));
        check(|addon, _| addon.retry_at = Some(later(5)), Provisioning, Err(5));
        check(|addon, _| addon.retry_at = Some(later(-5)), Provisioning, Ok("order"));
        check(|addon, _| addon.attempts = 6, Provisioning, Ok("fail"));
        check(|_, resource| resource.accepted = true, Provisioning, Err(43_200));
        check(|_, resource| resource.deadline = now(), Provisioning, Ok("late"));
        let accepted_and_late = |_: &mut Addon, resource: &mut Resource| {
            (resource.accepted, resource.deadline) = (true, later(-1));
        };
        check(accepted_and_late, Provisioning, Ok("late"));
    }

    #[test]
    fn plans_change_while_an_add_on_is_there() {
        use AddonState::Provisioned;
        check(|_, _| (), Provisioned, Ok("nothing"));
        check(|_, resource| resource.wanted_plan = Some("large".into()), Provisioned, Ok("change"));
        let tired = |addon: &mut Addon, resource: &mut Resource| {
            (addon.attempts, resource.wanted_plan) = (6, Some("large".into()));
        };
        check(tired, Provisioned, Ok("stay"));
    }

    #[test]
    fn what_is_given_up_is_given_back_for_as_long_as_it_takes() {
        use AddonState::{Deprovisioning, Failed};
        check(|addon, _| addon.attempts = 1000, Deprovisioning, Ok("give back"));
        check(|addon, _| addon.retry_at = Some(later(60)), Failed, Err(60));
        check(|_, resource| resource.gone = true, Deprovisioning, Ok("gone"));
        check(|_, resource| resource.gone = true, Failed, Err(3600));
        let old = |addon: &mut Addon, resource: &mut Resource| {
            (addon.updated_at, resource.gone) = (later(-3600), true);
        };
        check(old, Failed, Ok("gone"));
    }

    #[test]
    fn busy_ones_are_left_alone_and_rests_grow() {
        let (addon, resource) = one(AddonState::Provisioning);
        let busy = [addon.id].into();
        assert_eq!(plan(&Settings::default(), &[(addon, resource)], &busy, now()), Plan::default());
        let settings = Settings::default();
        let rest = |failures, jitter| retry_at(&settings, failures, jitter, now()).duration_since(now());
        assert_eq!(rest(0, 0.5).as_millis(), 1000);
        assert_eq!(rest(3, 0.0).as_millis(), 6000);
        assert_eq!(rest(3, 1.0).as_millis(), 10_000);
        assert_eq!(rest(40, 0.5).as_secs(), 1800);
    }
}
