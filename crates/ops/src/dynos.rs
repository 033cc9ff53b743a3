//! Dynos as users see and steer them. Which dyno runs where is not decided here: a restart is a wish on
//! a row, a one-off is a row that something has to start.

use crate::access::{self, Role};
use crate::formation::no_such_type;
use crate::one_offs::{self, blank_dyno, free_number, is_over};
use crate::{Actor, AppRef, Error, Ops, Permission, Result, random, text};
use domain::{App, Dyno, DynoKind, DynoSize, DynoState, ProcessType};
use std::collections::BTreeMap;
use store::{Tx, Write};

/// A dyno with what the API tells about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DynoInfo {
    pub dyno: Dyno,
    pub app: AppRef,
    pub release_version: u32,
}

/// What is asked of a one-off dyno.
#[derive(Clone, Debug, Default)]
pub struct Create {
    pub command: String,
    /// A client will attach to it; it starts when the client has come.
    pub attach: bool,
    pub env: BTreeMap<String, String>,
    pub force_no_tty: bool,
    /// `None`: the size of the app's web dynos.
    pub size: Option<String>,
    /// What stands before the dot of its name, or a process type whose image it is to run. `None`: `run`.
    pub process_type: Option<String>,
    /// Seconds; `None`: a day.
    pub time_to_live: Option<i64>,
}

/// Which dynos a restart or stop is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// All of the formation; one-offs are left alone.
    All,
    /// All of one process type, also of one-offs (`run`).
    ProcessType(&'a str),
    /// One, by name or id.
    One(&'a str),
}

/// The longest life of a one-off, in seconds (Heroku's figure).
const MAX_TIME_TO_LIVE: i64 = 86_400;

/// An app's dynos by name, older ones first. Not those that are over, nor those that ended and have a
/// successor; one that serves until its successor is up is there beside it.
pub async fn list(ops: &Ops, actor: &Actor, app: &str) -> Result<Vec<DynoInfo>> {
    let mut tx = ops.store().read().await?;
    let app = access::read(&mut tx, actor, app).await?;
    let dynos = visible(store::dynos::list(&mut tx, app.id).await?);
    let mut list = Vec::with_capacity(dynos.len());
    for dyno in dynos {
        list.push(describe(&mut tx, &app, dyno).await?);
    }
    Ok(list)
}

/// One dyno by name or id; the newest of that name.
pub async fn info(ops: &Ops, actor: &Actor, app: &str, identity: &str) -> Result<DynoInfo> {
    let mut tx = ops.store().read().await?;
    let app = access::read(&mut tx, actor, app).await?;
    let dynos = visible(store::dynos::list(&mut tx, app.id).await?);
    let dyno = dynos.into_iter().rfind(|dyno| is(dyno, identity)).ok_or_else(|| Error::not_found("dyno"))?;
    describe(&mut tx, &app, dyno).await
}

/// Asks for a one-off dyno of the current release. A first word that is a process type stands for that
/// type's command.
pub async fn create(ops: &Ops, actor: &Actor, app: &str, input: Create) -> Result<DynoInfo> {
    let mut write = ops.store().write().await?;
    // Who runs a command sees the config vars.
    let app = access::app(&mut write, actor, app, Permission::WriteProtected, Role::Collaborator).await?;
    text::check("Command", input.command.trim(), 32 * 1024, &['\n', '\t', '\r'])?;
    check_env(&input.env)?;
    let size = input.size.as_deref().map(str::parse::<DynoSize>).transpose()?;
    let mut process_type = ProcessType::parse(input.process_type.as_deref().unwrap_or("run"))?;
    let time_limit = time_limit(input.time_to_live)?;
    let (release, slug) = one_offs::runnable(&mut write, &app).await?;
    one_offs::check_number(ops, &mut write, &app).await?;
    let (command, named) = one_offs::substitute(input.command.trim(), &slug.process_types);
    let mut image_type = named.filter(|named| slug.own_image(named).is_some());
    if slug.own_image(&process_type).is_some() {
        image_type = Some(std::mem::replace(&mut process_type, ProcessType::parse("run")?));
    }
    let formation = store::formation::list(&mut write, app.id).await?;
    if formation.iter().any(|row| row.process_type == process_type) {
        return Err(Error::invalid(format!(
            "A one-off dyno can't be named {process_type}: that is a process type of the formation. Use run."
        )));
    }
    let usual = formation.iter().find(|row| row.process_type.is_web()).map(|row| row.size);
    let dyno = Dyno {
        name: free_number(&mut write, app.id, process_type).await?,
        size: size.or(usual).unwrap_or(DynoSize::DEFAULT),
        env: input.env,
        image_type,
        attach_key: input.attach.then(random::key),
        no_tty: input.force_no_tty,
        user: Some(actor.account.id),
        time_limit: Some(time_limit),
        ..blank_dyno(app.id, release, command, ops.now())
    };
    store::dynos::insert(&mut write, &dyno).await?;
    let info = describe(&mut write, &app, dyno).await?;
    let line = text::by(&actor.account, format!("Starting process with command `{}`", info.dyno.command));
    ops.commit(write, app.id, vec![line]).await?;
    Ok(info)
}

/// Asks for dynos to be replaced by fresh ones; a one-off is stopped. Also ends a crashed dyno's wait
/// for its next start.
pub async fn restart(ops: &Ops, actor: &Actor, app: &str, target: Target<'_>) -> Result<()> {
    let mut write = ops.store().write().await?;
    let app = access::write(&mut write, actor, app).await?;
    let dynos = select(&mut write, &app, target).await?;
    wish_stopped(ops, &mut write, &dynos).await?;
    write.commit().await?;
    Ok(())
}

/// Asks for dynos to be stopped. The formation's are replaced at once, as on Heroku: scale them down
/// to be rid of them.
pub async fn stop(ops: &Ops, actor: &Actor, app: &str, target: Target<'_>) -> Result<()> {
    let mut write = ops.store().write().await?;
    let app = access::write(&mut write, actor, app).await?;
    let dynos = select(&mut write, &app, target).await?;
    wish_stopped(ops, &mut write, &dynos).await?;
    let mut names: Vec<_> = dynos.iter().map(|dyno| &dyno.name).collect();
    names.dedup();
    let lines = names.iter().map(|name| text::by(&actor.account, format!("Stopping process {name}")));
    ops.commit(write, app.id, lines.collect()).await
}

/// The one-off that a client who knows this secret may attach to, while it still waits or runs. The
/// secret is the client's only credential.
pub async fn by_attach_key(ops: &Ops, key: &str) -> Result<Dyno> {
    let dyno = store::dynos::by_attach_key(&mut ops.store().read().await?, key).await?;
    dyno.filter(|dyno| !is_over(dyno)).ok_or_else(|| Error::not_found("dyno"))
}

async fn wish_stopped(ops: &Ops, write: &mut Write, dynos: &[Dyno]) -> Result<()> {
    for dyno in dynos {
        store::dynos::request_stop(write, dyno.id, ops.now()).await?;
    }
    Ok(())
}

async fn select(write: &mut Write, app: &App, target: Target<'_>) -> Result<Vec<Dyno>> {
    let mut dynos = visible(store::dynos::list(write, app.id).await?);
    match target {
        Target::All => dynos.retain(|dyno| dyno.kind == DynoKind::Formation),
        Target::One(identity) => {
            dynos.retain(|dyno| is(dyno, identity));
            if dynos.is_empty() {
                return Err(Error::not_found("dyno"));
            }
        }
        Target::ProcessType(name) => {
            dynos.retain(|dyno| dyno.name.process_type.as_str() == name);
            let formation = store::formation::list(write, app.id).await?;
            if dynos.is_empty() && !formation.iter().any(|row| row.process_type.as_str() == name) {
                return Err(no_such_type(name));
            }
        }
    }
    Ok(dynos)
}

fn time_limit(seconds: Option<i64>) -> Result<u32> {
    let seconds = seconds.unwrap_or(MAX_TIME_TO_LIVE);
    u32::try_from(seconds)
        .ok()
        .filter(|seconds| (1..=MAX_TIME_TO_LIVE).contains(&i64::from(*seconds)))
        .ok_or_else(|| {
            Error::invalid(format!("time_to_live must be a number of seconds from 1 to {MAX_TIME_TO_LIVE}."))
        })
}

fn check_env(env: &BTreeMap<String, String>) -> Result<()> {
    let is_name = |name: &str| {
        name.bytes().next().is_some_and(|b| !b.is_ascii_digit())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    for (name, value) in env {
        if !is_name(name) || value.contains('\0') {
            return Err(Error::invalid(format!("Environment variable {name:?} is not valid.")));
        }
    }
    let size: usize = env.iter().map(|(name, value)| name.len() + value.len()).sum();
    if size > 64 * 1024 {
        return Err(Error::invalid("The environment of a one-off dyno is limited to 64 KB."));
    }
    Ok(())
}

fn is(dyno: &Dyno, identity: &str) -> bool {
    dyno.id.to_string() == identity || dyno.name.to_string() == identity
}

/// What users see: no dyno that is over; of several with one name the newest, and with it those that
/// still serve. A release whose web dynos do not come up is thus seen beside what answers meanwhile.
fn visible(dynos: Vec<Dyno>) -> Vec<Dyno> {
    let mut list: Vec<Dyno> = Vec::with_capacity(dynos.len());
    // The rows come by name, older ones first.
    for dyno in dynos.into_iter().filter(|dyno| !is_over(dyno)) {
        list.pop_if(|before| before.name == dyno.name && before.state != DynoState::Up);
        list.push(dyno);
    }
    list
}

async fn describe(tx: &mut Tx, app: &App, dyno: Dyno) -> Result<DynoInfo> {
    let release = store::releases::by_id(tx, dyno.release).await?;
    Ok(DynoInfo { app: app.into(), release_version: release.map_or(0, |release| release.version), dyno })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_to_live() {
        for (given, expected) in [(None, Some(86_400)), (Some(1), Some(1)), (Some(86_400), Some(86_400))] {
            assert_eq!(time_limit(given).ok(), expected);
        }
        for bad in [0, -1, 86_401, i64::MAX] {
            assert!(time_limit(Some(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn environments() {
        for (name, value, good) in [
            ("TERM", "xterm", true),
            ("HEROKU_X", "", true),
            ("1A", "", false),
            ("A B", "", false),
            ("A", "\0", false),
        ] {
            assert_eq!(check_env(&[(name.to_owned(), value.to_owned())].into()).is_ok(), good, "{name}");
        }
    }
}
