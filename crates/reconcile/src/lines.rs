//! What the platform says in an app's log about its dynos: Heroku's words (Dev Center: dynos and the
//! dyno manager, error codes), and what a change does to a dyno's row.

use domain::{Dyno, DynoKind, DynoState};
use engine::Usage;
use jiff::Timestamp;
use planner::dynos::{Change, Exit, LaunchReason, Settings, StopReason};

/// Before a new dyno is started in a place whose last dyno was in state `before`.
pub(crate) fn launching(why: LaunchReason, before: Option<DynoState>) -> Vec<String> {
    let from = before.map_or("down", DynoState::as_str);
    let changed = format!("State changed from {from} to starting");
    match why {
        LaunchReason::Missing => Vec::new(),
        LaunchReason::Release | LaunchReason::Resize | LaunchReason::Restart => {
            vec!["Restarting".into(), changed]
        }
        LaunchReason::Cycling => vec!["Cycling".into(), changed],
        LaunchReason::Crash => vec!["State changed from crashed to starting".into()],
    }
}

/// When a dyno's process is launched. `$PORT` is shown as its value, as on Heroku; other variables
/// are left alone, for they may be secret.
pub(crate) fn starting(dyno: &Dyno) -> String {
    let command = match dyno.port {
        Some(port) => dyno.command.replace("${PORT}", &port.to_string()).replace("$PORT", &port.to_string()),
        None => dyno.command.clone(),
    };
    format!("Starting process with command `{command}`")
}

/// When a dyno is told to stop.
pub(crate) fn stopping(dyno: &Dyno, why: StopReason, settings: &Settings) -> Vec<String> {
    let term = || "Stopping all processes with SIGTERM".to_owned();
    let kill = || "Stopping process with SIGKILL".to_owned();
    match why {
        StopReason::Replaced | StopReason::Requested => vec![term()],
        StopReason::ScaledDown => vec![format!("State changed from {} to down", dyno.state.as_str()), term()],
        StopReason::BootTimeout => vec![
            format!(
                "Error R10 (Boot timeout) -> Web process failed to bind to $PORT within {} seconds of launch",
                settings.boot_timeout.as_secs()
            ),
            kill(),
        ],
        StopReason::AttachTimeout => {
            vec!["Error R13 (Attach error) -> Failed to attach to process".into(), kill()]
        }
    }
}

/// What a dyno uses of its memory quota.
pub(crate) fn memory(used: u64, quota: u64) -> String {
    let percent = used as f64 * 100.0 / quota.max(1) as f64;
    format!("Process running mem={}M({percent:.1}%)", used >> 20)
}

/// The lines of one look at a dyno's memory, if it is above its quota. The page cache does not
/// count: the kernel takes it back before anybody suffers.
pub(crate) fn memory_warning(usage: &Usage, quota: u64) -> Option<[String; 2]> {
    let used = usage.memory_rss + usage.memory_swap;
    (used > quota).then(|| [memory(used, quota), "Error R14 (Memory quota exceeded)".into()])
}

/// Applies a change to a row and says what is to be logged about it.
pub(crate) fn record(dyno: &mut Dyno, change: &Change, now: Timestamp, settings: &Settings) -> Vec<String> {
    let before = dyno.state;
    let mut lines = Vec::new();
    let late_start = |since: Option<Timestamp>, lines: &mut Vec<String>| {
        // It came and went between two looks.
        if since.is_some() && before == DynoState::Starting && dyno.kind != DynoKind::Formation {
            if dyno.attach_key.is_some() {
                lines.push(starting(dyno));
            }
            lines.push("State changed from starting to up".into());
            return DynoState::Up;
        }
        before
    };
    match change {
        Change::Up { since } => {
            if dyno.attach_key.is_some() {
                lines.push(starting(dyno));
            }
            lines.push(format!("State changed from {} to up", before.as_str()));
            dyno.started_at = Some(*since);
            dyno.state = DynoState::Up;
        }
        Change::Crashed { since, exit, crashes, retry_at, .. } => {
            lines.extend(ended(dyno, exit, settings));
            lines.push(format!("State changed from {} to crashed", before.as_str()));
            dyno.started_at = *since;
            dyno.state = DynoState::Crashed;
            dyno.exit_status = Some(exit.code);
            dyno.crashes = *crashes;
            dyno.retry_at = Some(*retry_at);
        }
        Change::Ended { since, exit, state, .. } => {
            let before = late_start(*since, &mut lines);
            lines.extend(ended(dyno, exit, settings));
            if before != *state {
                lines.push(format!("State changed from {} to {}", before.as_str(), state.as_str()));
            }
            dyno.started_at = *since;
            dyno.state = *state;
            dyno.exit_status = Some(exit.code);
        }
        Change::Lost { state, retry_at } => {
            if before != DynoState::Starting || dyno.stopping_since.is_some() {
                lines.push("Error R99 (Platform error) -> The dyno was lost".into());
            }
            lines.push(format!("State changed from {} to {}", before.as_str(), state.as_str()));
            dyno.state = *state;
            dyno.retry_at = *retry_at;
        }
    }
    dyno.state_changed_at = now;
    dyno.updated_at = now;
    lines
}

/// How a process ended.
fn ended(dyno: &Dyno, exit: &Exit, settings: &Settings) -> Vec<String> {
    if let Some(why) = &exit.failure {
        return vec![format!("Error R99 (Platform error) -> Failed to launch the dyno: {why}")];
    }
    let mut lines = Vec::new();
    if exit.out_of_memory {
        let quota = dyno.size.spec().memory;
        lines.push(memory(2 * quota, quota));
        lines.push("Error R15 (Memory quota vastly exceeded)".into());
        lines.push("Stopping process with SIGKILL".into());
    } else if exit.timed_out {
        lines.push("Process has reached the limit of its lifetime".into());
        lines.push("Stopping process with SIGKILL".into());
    } else if exit.killed && dyno.stopping_since.is_some() && dyno.state != DynoState::Starting {
        lines.push(format!(
            "Error R12 (Exit timeout) -> At least one process failed to exit within {} seconds of SIGTERM",
            settings.grace.as_secs()
        ));
        lines.push("Stopping remaining processes with SIGKILL".into());
    }
    lines.push(format!("Process exited with status {}", exit.code));
    lines
}
