//! Rows of one-off dynos, whoever wishes for them.

use crate::{Result, random};
use domain::{AppId, Dyno, DynoId, DynoKind, DynoName, DynoSize, DynoState, ProcessType, ReleaseId};
use jiff::Timestamp;
use std::collections::BTreeMap;
use store::Write;

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
