//! What the platform says in an app's log about its dynos: Heroku's words (Dev Center: dynos and the
//! dyno manager, error codes), and what a change does to a dyno's row.

use domain::{Dyno, DynoKind, DynoState};
use engine::Usage;
use jiff::Timestamp;
use planner::dynos::{Change, Exit, LaunchReason, Settings, StopReason};
use std::iter;

/// Before a new dyno is started in a place whose last dyno was in state `before`.
pub(crate) fn launching(why: LaunchReason, before: Option<DynoState>) -> Vec<String> {
    let from = before.unwrap_or(DynoState::Down);
    let changed = format!("State changed from {} to starting", from.as_str());
    let word = match why {
        LaunchReason::Missing => return Vec::new(),
        LaunchReason::Crash => return vec!["State changed from crashed to starting".into()],
        LaunchReason::Release | LaunchReason::Resize | LaunchReason::Restart => "Restarting",
        LaunchReason::Cycling => "Cycling",
    };
    // One that had not come up yet is in the same state again.
    let changed = (from != DynoState::Starting).then_some(changed);
    iter::once(word.to_owned()).chain(changed).collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn dyno(name: &str, state: DynoState) -> Dyno {
        let now = Timestamp::UNIX_EPOCH;
        Dyno {
            id: domain::DynoId::new(),
            app: domain::AppId::new(),
            name: name.parse().unwrap(),
            kind: if name.starts_with("web") { DynoKind::Formation } else { DynoKind::OneOff },
            size: domain::DynoSize::Basic,
            release: domain::ReleaseId::new(),
            command: "npm start -p ${PORT} $PORT $SECRET".into(),
            state,
            env: std::collections::BTreeMap::new(),
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

    /// What is logged when a dyno in `state` ends in this way.
    fn crash(state: DynoState, stopping: bool, exit: Exit) -> Vec<String> {
        let now = Timestamp::UNIX_EPOCH;
        let mut dyno = Dyno { stopping_since: stopping.then_some(now), ..dyno("web.1", state) };
        let change = if state == DynoState::Down {
            Change::Ended { since: Some(now), at: now, exit, state }
        } else {
            Change::Crashed { since: Some(now), at: now, exit, crashes: 1, retry_at: now }
        };
        record(&mut dyno, &change, now, &Settings::default())
    }

    #[test]
    fn starts_in_herokus_words() {
        use LaunchReason::{Crash, Cycling, Missing, Release};
        for (why, before, expected) in [
            (Missing, None, &[][..]),
            (Release, Some(DynoState::Up), &["Restarting", "State changed from up to starting"]),
            (Release, Some(DynoState::Starting), &["Restarting"]),
            (Cycling, Some(DynoState::Up), &["Cycling", "State changed from up to starting"]),
            (Crash, Some(DynoState::Crashed), &["State changed from crashed to starting"]),
        ] {
            assert_eq!(launching(why, before), expected, "{why:?} {before:?}");
        }
    }

    #[test]
    fn ends_in_herokus_words() {
        let exit = |code| Exit { code, ..Exit::default() };
        let killed = Exit { killed: true, ..exit(137) };
        let memory = Exit { out_of_memory: true, ..exit(137) };
        let failure = Exit { failure: Some("no bash".into()), ..exit(127) };
        for (state, stopping, exit, expected) in [
            (
                DynoState::Up,
                false,
                exit(1),
                &["Process exited with status 1", "State changed from up to crashed"][..],
            ),
            (
                DynoState::Starting,
                true,
                killed.clone(),
                &["Process exited with status 137", "State changed from starting to crashed"],
            ),
            (DynoState::Down, true, exit(143), &["Process exited with status 143"]),
            (
                DynoState::Down,
                true,
                killed,
                &[
                    "Error R12 (Exit timeout) -> At least one process failed to exit within 30 seconds of SIGTERM",
                    "Stopping remaining processes with SIGKILL",
                    "Process exited with status 137",
                ],
            ),
            (
                DynoState::Up,
                false,
                memory,
                &[
                    "Process running mem=1024M(200.0%)",
                    "Error R15 (Memory quota vastly exceeded)",
                    "Stopping process with SIGKILL",
                    "Process exited with status 137",
                    "State changed from up to crashed",
                ],
            ),
            (
                DynoState::Starting,
                false,
                failure,
                &[
                    "Error R99 (Platform error) -> Failed to launch the dyno: no bash",
                    "State changed from starting to crashed",
                ],
            ),
        ] {
            assert_eq!(crash(state, stopping, exit), expected);
        }
    }

    #[test]
    fn a_one_off_that_was_quick_is_told_whole() {
        let now = Timestamp::UNIX_EPOCH;
        let mut run = Dyno { attach_key: Some("key".into()), ..dyno("run.1", DynoState::Starting) };
        let exit = Exit::default();
        let change = Change::Ended { since: Some(now), at: now, exit, state: DynoState::Complete };
        let lines = record(&mut run, &change, now, &Settings::default());
        assert_eq!(
            lines,
            [
                "Starting process with command `npm start -p ${PORT} $PORT $SECRET`",
                "State changed from starting to up",
                "Process exited with status 0",
                "State changed from up to complete"
            ]
        );
        assert_eq!((run.state, run.exit_status), (DynoState::Complete, Some(0)));
    }

    #[test]
    fn the_port_is_shown_and_nothing_else() {
        let web = Dyno { port: Some(4321), ..dyno("web.1", DynoState::Starting) };
        assert_eq!(starting(&web), "Starting process with command `npm start -p 4321 4321 $SECRET`");
    }

    #[test]
    fn why_a_dyno_is_stopped() {
        let settings = Settings { boot_timeout: Duration::from_mins(1), ..Settings::default() };
        let web = dyno("web.1", DynoState::Up);
        let first = |why| stopping(&web, why, &settings)[0].clone();
        assert_eq!(first(StopReason::ScaledDown), "State changed from up to down");
        assert_eq!(first(StopReason::Replaced), "Stopping all processes with SIGTERM");
        assert_eq!(
            first(StopReason::BootTimeout),
            "Error R10 (Boot timeout) -> Web process failed to bind to $PORT within 60 seconds of launch"
        );
        assert_eq!(
            first(StopReason::AttachTimeout),
            "Error R13 (Attach error) -> Failed to attach to process"
        );
    }

    #[test]
    fn memory_is_compared_without_the_page_cache() {
        let usage = |rss: u64, cache: u64| Usage {
            memory_rss: rss << 20,
            memory_cache: cache << 20,
            ..Usage::default()
        };
        assert_eq!(memory_warning(&usage(512, 900), 512 << 20), None);
        assert_eq!(
            memory_warning(&usage(1038, 0), 512 << 20).unwrap()[0],
            "Process running mem=1038M(202.7%)"
        );
    }
}
