//! Rows of one-off dynos, whoever wishes for them.

use crate::{Error, Ops, Result, random};
use domain::{
    App, AppId, Dyno, DynoId, DynoKind, DynoName, DynoSize, DynoState, ProcessType, ReleaseId, Slug,
};
use jiff::Timestamp;
use std::collections::BTreeMap;
use store::{Tx, Write};

/// A one-off's name that no dyno of the app has.
pub(crate) async fn free_number(
    write: &mut Write,
    app: AppId,
    process_type: ProcessType,
) -> Result<DynoName> {
    let taken: Vec<_> = store::dynos::list(write, app).await?.into_iter().map(|dyno| dyno.name).collect();
    loop {
        let name = DynoName::new(process_type.clone(), random::dyno_number());
        if !taken.contains(&name) {
            return Ok(name);
        }
    }
}

/// A one-off that was wished for and of which nothing was seen yet.
pub(crate) fn blank_dyno(app: AppId, release: ReleaseId, command: String, now: Timestamp) -> Dyno {
    Dyno {
        id: DynoId::new(),
        app,
        name: DynoName::new(ProcessType::release(), 0),
        kind: DynoKind::OneOff,
        size: DynoSize::DEFAULT,
        release,
        command,
        state: DynoState::Starting,
        env: BTreeMap::new(),
        image_type: None,
        attach_key: None,
        no_tty: false,
        user: None,
        time_limit: None,
        port: None,
        address: None,
        crashes: 0,
        retry_at: None,
        stop_requested_at: None,
        stopping_since: None,
        exit_status: None,
        started_at: None,
        state_changed_at: now,
        created_at: now,
        updated_at: now,
    }
}

/// The release that one-offs run, and its slug.
pub(crate) async fn runnable(tx: &mut Tx, app: &App) -> Result<(ReleaseId, Slug)> {
    let release = match app.current_release {
        Some(id) => store::releases::by_id(tx, id).await?,
        None => None,
    };
    let slug = match release.as_ref().and_then(|release| release.slug) {
        Some(id) => store::slugs::by_id(tx, id).await?,
        None => None,
    };
    match (release, slug) {
        (Some(release), Some(slug)) if slug.has_image() => Ok((release.id, slug)),
        _ => Err(Error::invalid(format!("The app {} has no code to run. Deploy it first.", app.name))),
    }
}

/// Refuses one more than an app may have at a time.
pub(crate) async fn check_number(ops: &Ops, tx: &mut Tx, app: &App) -> Result<()> {
    let max = ops.settings().max_one_offs;
    let dynos = store::dynos::list(tx, app.id).await?;
    let running = dynos.iter().filter(|dyno| dyno.kind == DynoKind::OneOff && !is_over(dyno)).count();
    if running >= max {
        return Err(Error::invalid(format!("Cannot run more than {max} one-off dynos of an app at a time.")));
    }
    Ok(())
}

/// Replaces a first word that is a process type by its command, and tells which; further words are
/// added to it.
pub(crate) fn substitute(
    command: &str,
    types: &BTreeMap<ProcessType, String>,
) -> (String, Option<ProcessType>) {
    let (first, rest) = command.split_once(char::is_whitespace).unwrap_or((command, ""));
    let named = ProcessType::parse(first).ok().filter(|name| types.contains_key(name));
    let command = match named.as_ref().and_then(|name| types.get(name)) {
        Some(known) if rest.is_empty() => known.clone(),
        Some(known) => format!("{known} {}", rest.trim_start()),
        None => command.to_owned(),
    };
    (command, named)
}

/// A one-off that has ended, or a formation dyno that was told to go and went.
pub(crate) fn is_over(dyno: &Dyno) -> bool {
    match dyno.kind {
        DynoKind::Formation => matches!(dyno.state, DynoState::Down | DynoState::Complete),
        DynoKind::OneOff | DynoKind::Release => {
            dyno.exit_status.is_some()
                || matches!(dyno.state, DynoState::Down | DynoState::Complete | DynoState::Crashed)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_may_be_a_process_type() {
        let types = [(ProcessType::parse("console").unwrap(), "node repl.js".to_owned())].into();
        for (command, expected) in [
            ("console", "node repl.js"),
            ("console --fast  x", "node repl.js --fast  x"),
            ("consoles", "consoles"),
            ("bash -c 'console'", "bash -c 'console'"),
            ("bash", "bash"),
        ] {
            assert_eq!(substitute(command, &types).0, expected);
        }
    }
}
