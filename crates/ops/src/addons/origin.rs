//! From which other add-on a new one has its data: a fork of it as it is or was, or a follower.

use super::create::plan_of;
use super::{Create, errands, find, missing, resolve};
use crate::transfers::by_url;
use crate::{Actor, Error, Ops, Permission, Result};
use ::addons::{Definition, Plan};
use domain::{
    Addon, AddonId, AddonState, Credential, CredentialId, ErrandKind, Instance, Origin, OriginKind,
};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, civil};
use std::collections::BTreeMap;
use store::{Tx, Write};

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wish {
    kind: OriginKind,
    source: AddonId,
    to: Option<Timestamp>,
}

/// What a new add-on takes over from another one.
pub(super) struct Seed {
    wish: Wish,
    instance: Instance,
    credentials: Vec<Credential>,
}

/// Reads the options of an order. `None` for an add-on that begins empty.
pub(super) async fn wish(ops: &Ops, actor: &Actor, app: &str, input: &Create) -> Result<Option<Wish>> {
    let catalog = ops.catalog();
    let (service, plan) = plan_of(&catalog, &input.plan)?;
    if service.contract.is_some() {
        // Its options are for whoever runs it.
        return Ok(None);
    }
    let Some(Asked { kind, source, to }) = read(service, &input.options, ops.now())? else { return Ok(None) };
    if plan.shared {
        return Err(Error::invalid(format!(
            "{} databases cannot be forked, followed or rolled back: they share a server. Use a Standard-tier or higher plan.",
            plan.title
        )));
    }
    let source = if source.contains("://") {
        let found = by_url(ops, &mut ops.store().read().await?, source).await?;
        found.ok_or_else(|| Error::invalid("This address leads to no add-on of this installation."))?
    } else {
        let found = resolve(ops, actor, source, Some(app), Some(&service.name)).await?;
        let [one] = &found[..] else {
            let names: Vec<_> = found.iter().map(|one| one.addon.name.as_str()).collect();
            let names = names.join(", ");
            return Err(Error::invalid(format!("{source} may be any of these: {names}. Name one of them.")));
        };
        one.addon.id
    };
    // Whoever gets a copy might as well read the original.
    find(&mut ops.store().read().await?, actor, &source.to_string(), Permission::ReadProtected).await?;
    Ok(Some(Wish { kind, source, to }))
}

/// Options as they were given.
#[derive(Debug, PartialEq, Eq)]
struct Asked<'a> {
    kind: OriginKind,
    source: &'a str,
    to: Option<Timestamp>,
}

fn read<'a>(
    service: &Definition,
    options: &'a BTreeMap<String, String>,
    now: Timestamp,
) -> Result<Option<Asked<'a>>> {
    let known = service.options();
    if let Some(option) = options.keys().find(|option| !known.contains(&option.as_str())) {
        let known = if known.is_empty() { "none".to_owned() } else { format!("--{}", known.join(", --")) };
        return Err(Error::invalid(format!(
            "{} does not know the option --{option}. Its options are: {known}.",
            service.title
        )));
    }
    let get = |name: &str| options.get(name).map(String::as_str);
    // `--rollback DATABASE` is short for `--fork DATABASE --rollback`.
    let rollback = get("rollback").filter(|value| *value != "false");
    let fork = get("fork").or_else(|| rollback.filter(|value| *value != "true"));
    let (kind, source) = match (fork, get("follow")) {
        (Some(_), Some(_)) => {
            return Err(Error::invalid("An add-on can be a fork or a follower, not both."));
        }
        (Some(source), None) => (OriginKind::Fork, source),
        (None, Some(source)) => (OriginKind::Follow, source),
        (None, None) if options.is_empty() => return Ok(None),
        (None, None) => return Err(Error::invalid("Say of what with --fork, as in `--fork DATABASE`.")),
    };
    if source == "true" {
        return Err(Error::invalid(format!("Say which add-on to {}: `--{0} DATABASE`.", kind.as_str())));
    }
    let to = match (rollback, get("to"), get("by")) {
        (None, None, None) => None,
        (Some(_), to, by) if kind == OriginKind::Fork => Some(moment(to, by, now)?),
        (Some(_), ..) => return Err(Error::invalid("A follower cannot be rolled back: use --fork.")),
        (None, ..) => return Err(Error::invalid("--to and --by belong to --rollback.")),
    };
    Ok(Some(Asked { kind, source, to }))
}

/// The second that `--to` or `--by` means.
fn moment(to: Option<&str>, by: Option<&str>, now: Timestamp) -> Result<Timestamp> {
    let found = match (to, by) {
        (Some(to), None) => time(to).ok_or_else(|| {
            Error::invalid(format!("{to:?} is no time. Write it as in --to '2026-01-31 15:52:00+00'."))
        })?,
        (None, Some(by)) => before(now, by).ok_or_else(|| {
            Error::invalid(format!(
                "{by:?} is no span of time. Write it as in --by '3 days 7 hours 22 minutes'."
            ))
        })?,
        _ => {
            return Err(Error::invalid(
                "Say to when with --rollback: --to '2026-01-31 15:52:00+00' or --by '3 hours 22 minutes'.",
            ));
        }
    };
    Ok(Timestamp::from_second(found.as_second()).unwrap_or(found))
}

/// With an offset or without, which means UTC.
fn time(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    let text = text.strip_suffix("UTC").unwrap_or(text).trim_end();
    // PostgreSQL writes a space before an offset, too.
    let joined = text.replace(" +", "+").replace(" -", "-");
    if let Ok(time) = joined.parse() {
        return Some(time);
    }
    let civil: civil::DateTime = text.parse().ok()?;
    Some(civil.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

fn before(now: Timestamp, text: &str) -> Option<Timestamp> {
    let span: Span = text.trim().parse().ok()?;
    let then = now.to_zoned(TimeZone::UTC).checked_sub(span.abs()).ok()?;
    Some(then.timestamp())
}

/// What a wish comes to with the rows as they are, or why it cannot be had.
pub(super) async fn seed(
    ops: &Ops,
    tx: &mut Tx,
    wish: Wish,
    service: &Definition,
    plan: &Plan,
) -> Result<Seed> {
    let source = store::addons::by_id(tx, wish.source).await?.ok_or_else(missing)?;
    let name = &source.name;
    if source.state != AddonState::Provisioned {
        return Err(Error::Conflict(format!(
            "{name} is not there yet. Wait for it with `heroku addons:wait`."
        )));
    }
    let offer = service.plan(&source.plan).filter(|_| source.service == service.name).ok_or_else(missing)?;
    if offer.shared {
        return Err(Error::invalid(format!(
            "{name} is on {}, whose databases share a server: it cannot be forked, followed or rolled back. Upgrade to a Standard-tier or higher plan.",
            offer.title
        )));
    }
    if plan.disk < offer.disk {
        return Err(Error::invalid(format!(
            "{} has less disk than {}, the plan of {name}. Choose the same plan or a larger one.",
            plan.title, offer.title
        )));
    }
    if let Some(leader) = leader(tx, source.id).await? {
        return Err(Error::invalid(format!(
            "{name} is itself a follower of {leader}. Use {leader} instead, or unfollow it first."
        )));
    }
    if let Some(to) = wish.to {
        check_window(ops, tx, &source, offer, to).await?;
    }
    let instance = match source.instance {
        Some(id) => store::instances::by_id(tx, id).await?,
        None => None,
    };
    let mut credentials = store::credentials::of_addon(tx, source.id).await?;
    credentials.retain(|one| one.active && !one.removed);
    Ok(Seed { wish, instance: instance.ok_or_else(missing)?, credentials })
}

/// A time is to lie in the part of the past that is kept.
async fn check_window(ops: &Ops, tx: &mut Tx, source: &Addon, offer: &Plan, to: Timestamp) -> Result<()> {
    let (name, now) = (&source.name, ops.now());
    if !offer.archives() {
        return Err(Error::invalid(format!("{name} is on {}, which has no rollback.", offer.title)));
    }
    let archive = store::archives::of_addon(tx, source.id).await?;
    let Some(earliest) = archive.and_then(|archive| archive.promised(offer.rollback, now)) else {
        return Err(Error::Conflict(format!(
            "{name} has no rollback yet: its first base backup is being made. See `heroku pg:info`."
        )));
    };
    if (earliest..=now).contains(&to) {
        return Ok(());
    }
    let show = |time: Timestamp| time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
    Err(Error::invalid(format!(
        "{name} can be rolled back to a time from {} to {}, and {} is not among them.",
        show(earliest),
        show(now),
        show(to)
    )))
}

impl Seed {
    /// Values of the new add-on's container. Who follows has the leader's administrator.
    pub(super) fn instance_values(&self) -> Option<BTreeMap<String, String>> {
        (self.wish.kind == OriginKind::Follow).then(|| self.instance.values.clone())
    }

    /// The new add-on's credentials: all of the leader's as they are, or the own one of what is forked, with
    /// another password.
    pub(super) fn credentials(
        &self,
        service: &Definition,
        addon: AddonId,
        now: Timestamp,
    ) -> Vec<Credential> {
        let follows = self.wish.kind == OriginKind::Follow;
        let taken = self.credentials.iter().filter(|one| follows || one.name == Credential::DEFAULT);
        let new = |one: &Credential| Credential {
            id: CredentialId::new(),
            addon,
            values: if follows { one.values.clone() } else { service.make_rotated_values(&one.values) },
            active: false,
            next: None,
            attempts: 0,
            retry_at: None,
            created_at: now,
            ..one.clone()
        };
        taken.map(new).collect()
    }

    /// Remembers where the new add-on's data is from.
    pub(super) async fn insert(&self, write: &mut Write, addon: AddonId) -> Result<()> {
        let Wish { kind, source, to } = self.wish;
        Ok(store::origins::insert(write, &Origin { addon, kind, source, to }).await?)
    }
}

/// The name of the add-on that one follows; `None` for one that stands alone.
pub(crate) async fn leader(tx: &mut Tx, addon: AddonId) -> Result<Option<String>> {
    let origin = store::origins::of_addon(tx, addon).await?;
    let Some(origin) = origin.filter(|origin| origin.kind == OriginKind::Follow) else { return Ok(None) };
    let leader = store::addons::by_id(tx, origin.source).await?;
    Ok(Some(leader.map_or_else(|| "an add-on that is gone".to_owned(), |leader| leader.name)))
}

/// Refuses what would change the data of one that follows another.
pub(crate) async fn writable(tx: &mut Tx, addon: &Addon) -> Result<()> {
    match leader(tx, addon.id).await? {
        None => Ok(()),
        Some(leader) => Err(Error::invalid(format!(
            "{} is a follower and read-only: do this at {leader}, or make it writable with `heroku pg:unfollow`.",
            addon.name
        ))),
    }
}

/// Those that follow an add-on.
pub(crate) async fn followers(tx: &mut Tx, leader: AddonId) -> Result<Vec<Addon>> {
    heirs(tx, leader, |kind, _| kind == OriginKind::Follow).await
}

/// Those that follow an add-on, and forks of it that are not there yet.
pub(super) async fn dependants(tx: &mut Tx, source: AddonId) -> Result<Vec<Addon>> {
    let depends = |kind, state| kind == OriginKind::Follow || state == AddonState::Provisioning;
    heirs(tx, source, depends).await
}

async fn heirs(
    tx: &mut Tx,
    source: AddonId,
    is_meant: impl Fn(OriginKind, AddonState) -> bool,
) -> Result<Vec<Addon>> {
    let mut found = Vec::new();
    for origin in store::origins::of_source(tx, source).await? {
        let addon = store::addons::by_id(tx, origin.addon).await?;
        found.extend(addon.filter(|addon| addon.state.is_there() && is_meant(origin.kind, addon.state)));
    }
    Ok(found)
}

/// Followers of what is given up go their own way.
pub(super) async fn abandon(ops: &Ops, write: &mut Write, leader: AddonId) -> Result<()> {
    for follower in followers(write, leader).await? {
        if follower.state == AddonState::Provisioned {
            let errand = errands::new(ops, follower.id, ErrandKind::Unfollow);
            store::errands::replace(write, &errand).await?;
        }
    }
    Ok(())
}

/// A follower has become an add-on like others: it is to have passwords of its own.
pub(super) async fn released(ops: &Ops, write: &mut Write, addon: &Addon) -> Result<()> {
    store::origins::delete(write, addon.id).await?;
    let service = ops.settings().catalog.service(&addon.service).ok_or_else(missing)?;
    for mut credential in store::credentials::of_addon(write, addon.id).await? {
        credential.next = Some(service.make_rotated_values(&credential.values));
        (credential.attempts, credential.retry_at) = (0, None);
        store::credentials::update(write, &credential).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn times_are_read_as_people_write_them() {
        for text in [
            "2026-01-31 15:52+00",
            "2026-01-31 15:52 +00:00",
            "2026-01-31 15:52 UTC",
            "2026-01-31 15:52",
            "2026-01-31T15:52:00Z",
            "2026-01-31 17:52:00.9+02",
        ] {
            let found = moment(Some(text), None, at("2026-02-01T00:00:00Z")).expect(text);
            assert_eq!(found, at("2026-01-31T15:52:00Z"), "{text}");
        }
        for text in ["yesterday", "", "15:52", "true"] {
            assert!(moment(Some(text), None, at("2026-02-01T00:00:00Z")).is_err(), "{text}");
        }
    }

    #[test]
    fn spans_are_read_as_people_write_them() {
        let now = at("2026-02-01T00:00:00Z");
        for (text, then) in [
            ("3 days 7 hours 22 minutes", "2026-01-28T16:38:00Z"),
            ("1 hour", "2026-01-31T23:00:00Z"),
            ("90 seconds", "2026-01-31T23:58:30Z"),
        ] {
            assert_eq!(moment(None, Some(text), now).expect(text), at(then), "{text}");
        }
        for text in ["3", "a while", "true"] {
            assert!(moment(None, Some(text), now).is_err(), "{text}");
        }
        assert!(moment(None, None, now).is_err() && moment(Some("2026-01-31"), Some("1 hour"), now).is_err());
    }
}
