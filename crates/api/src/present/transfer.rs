//! Backups, restores, copies and their schedules.

use domain::{Proof, Schedule, Transfer, TransferKind, TransferLine, TransferState};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use wire::data::transfer as shape;

/// What a restore says to name a backup of this installation.
pub(crate) const BACKUP_SCHEME: &str = "kigo-backup:";

/// `2016-10-08 00:42:54 +0000`
pub(crate) fn moment(time: Timestamp) -> String {
    time.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S +0000").to_string()
}

/// With what it has told, if that was asked for.
pub(crate) fn transfer(one: &Transfer, lines: Option<&[TransferLine]>) -> shape::Transfer {
    let (from_type, to_type) = match one.kind {
        TransferKind::Backup => ("pg_dump", "gof3r"),
        TransferKind::Restore if one.backup.is_some() => ("gof3r", "pg_restore"),
        TransferKind::Restore => ("htstream", "pg_restore"),
        TransferKind::Copy => ("pg_dump", "pg_restore"),
    };
    let to_name = if one.kind == TransferKind::Backup { "BACKUP" } else { &one.to_name };
    let ended = one.finished_at.map(moment);
    shape::Transfer {
        uuid: one.id.0,
        num: one.number,
        from_type: from_type.into(),
        from_name: one.from_name.clone(),
        from_url: one.backup.map(|id| format!("{BACKUP_SCHEME}{id}")),
        to_type: to_type.into(),
        to_name: to_name.into(),
        to_url: one.is_backup().then(|| format!("{BACKUP_SCHEME}{}", one.id)),
        source_bytes: one.source_bytes,
        processed_bytes: one.processed_bytes,
        succeeded: one.state.is_over().then_some(one.state == TransferState::Succeeded),
        warnings: one.warnings,
        created_at: moment(one.created_at),
        started_at: one.started_at.map(moment),
        canceled_at: ended.clone().filter(|_| one.state == TransferState::Cancelled),
        updated_at: moment(one.finished_at.or(one.started_at).unwrap_or(one.created_at)),
        finished_at: ended.map(|at| format!("{at}{}", worth(one))),
        options: shape::Options { extensions: one.extensions.clone() },
        schedule: one.schedule.clone().map(|name| shape::ScheduleRef { name }),
        proof: shape::Proof {
            state: one.proof.as_str().into(),
            text: one.proof_text.clone(),
            tried_at: one.proven_at.map(moment),
        },
        logs: lines.map(|lines| {
            let line = |line: &TransferLine| shape::Line {
                created_at: moment(line.time),
                message: line.text.clone(),
            };
            lines.iter().map(line).collect()
        }),
    }
}

/// What the CLI prints behind the time at which a backup was completed.
fn worth(one: &Transfer) -> String {
    match (one.is_backup(), one.proof) {
        (true, Proof::Proven) => format!(", proven {}", one.proven_at.map(moment).unwrap_or_default()),
        (true, Proof::Refuted) => ", CANNOT BE RESTORED".into(),
        (true, Proof::None | Proof::Wanted) => ", not proven yet".into(),
        (false, _) => String::new(),
    }
}

/// A daily backup.
pub(crate) fn schedule(one: &Schedule) -> shape::Schedule {
    shape::Schedule {
        uuid: one.id.0,
        addon_id: one.addon.0,
        name: one.name.clone(),
        hour: one.hour,
        timezone: one.timezone.clone(),
        created_at: moment(one.created_at),
    }
}
