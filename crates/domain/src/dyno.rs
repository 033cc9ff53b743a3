//! Dynos: one row for each container that runs, ran last, or is wished for as a one-off.

use crate::{AccountId, AppId, DynoId, DynoName, DynoSize, ProcessType, ReleaseId};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// Why a dyno exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DynoKind {
    /// Kept by the formation: started again whenever it ends.
    Formation,
    /// `heroku run`, attached or detached: runs once.
    OneOff,
    /// The release command: runs once, before its release becomes current.
    Release,
}

impl DynoKind {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Formation => "formation",
            Self::OneOff => "one-off",
            Self::Release => "release",
        }
    }

    /// Reads that word.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Formation, Self::OneOff, Self::Release].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// Where a dyno stands. The first five are the Platform API's words; `Complete` ends a one-off and
/// is seen in the log only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DynoState {
    Starting,
    Up,
    Idle,
    /// Ended without being told to; a formation dyno waits here for its next start.
    Crashed,
    /// Told to stop, or stopped.
    Down,
    /// A one-off that ended with status 0.
    Complete,
}

impl DynoState {
    /// The word that the API and the log lines use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Up => "up",
            Self::Idle => "idle",
            Self::Crashed => "crashed",
            Self::Down => "down",
            Self::Complete => "complete",
        }
    }

    /// Reads that word.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Starting, Self::Up, Self::Idle, Self::Crashed, Self::Down, Self::Complete]
            .into_iter()
            .find(|s| s.as_str() == text)
    }
}

/// One dyno.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dyno {
    pub id: DynoId,
    pub app: AppId,
    pub name: DynoName,
    pub kind: DynoKind,
    pub size: DynoSize,
    /// The release it runs.
    pub release: ReleaseId,
    /// The shell command as the user wrote it.
    pub command: String,
    /// One-offs of a container app only: they run the image of this process type.
    pub image_type: Option<ProcessType>,
    pub state: DynoState,
    /// One-offs only: extra environment from the client (`TERM`, `COLUMNS`, `LINES`, `--env`).
    pub env: BTreeMap<String, String>,
    /// One-offs only: a client will attach over rendezvous with this secret.
    pub attach_key: Option<String>,
    /// One-offs only: no pseudo-terminal although attached.
    pub no_tty: bool,
    /// One-offs only: who asked.
    pub user: Option<AccountId>,
    /// One-offs only: seconds it may live.
    pub time_limit: Option<u32>,
    /// `$PORT` of a web dyno.
    pub port: Option<u16>,
    /// Address of the container, while there is one.
    pub address: Option<std::net::IpAddr>,
    /// How many times in a row this place in the formation has crashed soon after its start.
    pub crashes: u32,
    /// Not to be started again before this.
    pub retry_at: Option<Timestamp>,
    /// When somebody asked for this dyno to be stopped or replaced.
    pub stop_requested_at: Option<Timestamp>,
    /// When SIGTERM went out.
    pub stopping_since: Option<Timestamp>,
    pub exit_status: Option<i32>,
    /// When its process was launched.
    pub started_at: Option<Timestamp>,
    /// When it last changed state, which `heroku ps` shows.
    pub state_changed_at: Timestamp,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}
