//! Dynos that run once: `heroku run`, release commands and scripts of setups. Their lifetime is limited by the engine,
//! which does so even while no server runs.

use super::rules::{later, passed};
use super::{Action, Change, Container, Planner, Reason, StopReason};
use domain::{Dyno, DynoState};
use std::time::Duration;

impl Planner<'_> {
    pub(super) fn one_off(&mut self, dyno: &Dyno, container: Option<&Container>) {
        if matches!(dyno.state, DynoState::Complete | DynoState::Crashed | DynoState::Down) {
            let of_release = self.desired.pending_releases.contains(&dyno.release)
                && dyno.kind == domain::DynoKind::Release;
            let needed = if of_release {
                Some(Reason::ReleasePending)
            } else {
                self.desired.awaited.contains(&dyno.id).then_some(Reason::Awaited)
            };
            return self.clear_away(dyno, container, needed);
        }
        let stop = dyno.stop_requested_at.is_some() && dyno.stopping_since.is_none();
        let requested =
            Action::Stop { dyno: dyno.id, grace: self.settings.grace, why: StopReason::Requested };
        match container {
            None if dyno.state != DynoState::Starting || dyno.stopping_since.is_some() => {
                let change = Change::Lost { state: DynoState::Crashed, retry_at: None };
                self.act(Action::Record(dyno.id, change));
            }
            None if dyno.stop_requested_at.is_some() => {
                // Stopped before it was started.
                let change = Change::Lost { state: DynoState::Down, retry_at: None };
                self.act(Action::Record(dyno.id, change));
            }
            None => self.act(Action::Start(dyno.id)),
            Some(Container::Exited { since, at, exit }) => {
                let done = exit.code == 0 || dyno.stop_requested_at.is_some();
                let state = if done { DynoState::Complete } else { DynoState::Crashed };
                let change = Change::Ended { since: *since, at: *at, exit: exit.clone(), state };
                self.act(Action::Record(dyno.id, change));
            }
            Some(_) if stop => self.act(requested),
            Some(_) if dyno.stopping_since.is_some() => self.wait(dyno, Reason::Stopping),
            Some(Container::Creating) => self.wait(dyno, Reason::Booting),
            Some(Container::Awaiting { since }) => self.awaiting(dyno, *since),
            Some(Container::Running { since, .. }) => {
                if dyno.state == DynoState::Starting {
                    self.act(Action::Record(dyno.id, Change::Up { since: *since }));
                }
            }
        }
    }

    fn awaiting(&mut self, dyno: &Dyno, since: jiff::Timestamp) {
        if passed(since, self.now) >= self.settings.attach_timeout {
            let why = StopReason::AttachTimeout;
            self.act(Action::Stop { dyno: dyno.id, grace: Duration::ZERO, why });
        } else {
            self.wake(later(since, self.settings.attach_timeout));
            self.wait(dyno, Reason::AwaitingClient);
        }
    }
}
