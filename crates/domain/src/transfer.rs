//! Transfers of an add-on's data: backups, restores, copies; and what a backup is worth, which is known
//! only once it has been restored.

use crate::{AddonId, AppId, Digest, InstanceId, ScheduleId, TransferId};
use jiff::Timestamp;
use serde::Deserialize;
use std::fmt;

/// What goes where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TransferKind {
    /// From an add-on into a file.
    Backup,
    /// From a file into an add-on.
    Restore,
    /// From an add-on into another.
    Copy,
}

impl TransferKind {
    const ALL: [Self; 3] = [Self::Backup, Self::Restore, Self::Copy];

    /// As it is stored, and as users read it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Backup => "backup",
            Self::Restore => "restore",
            Self::Copy => "copy",
        }
    }

    /// Reads what was stored.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// Where a transfer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TransferState {
    Pending,
    Running,
    Succeeded,
    Failed,
    Cancelled,
}

impl TransferState {
    const ALL: [Self; 5] = [Self::Pending, Self::Running, Self::Succeeded, Self::Failed, Self::Cancelled];

    /// As it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Reads what was stored.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Whether it has ended, one way or another.
    pub fn is_over(self) -> bool {
        !matches!(self, Self::Pending | Self::Running)
    }
}

/// Whether a backup can be restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Proof {
    /// Nobody has asked.
    None,
    /// It is to be tried.
    Wanted,
    /// It was restored, and held what it was to hold.
    Proven,
    /// It could not be restored, or held something else.
    Refuted,
}

impl Proof {
    const ALL: [Self; 4] = [Self::None, Self::Wanted, Self::Proven, Self::Refuted];

    /// As it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Wanted => "wanted",
            Self::Proven => "proven",
            Self::Refuted => "refuted",
        }
    }

    /// Reads what was stored.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|proof| proof.as_str() == text)
    }
}

/// One transfer. Its address is a secret: no `Debug` shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Transfer {
    pub id: TransferId,
    /// The app whose list it stands in: the one that pays for the add-on.
    pub app: AppId,
    /// Counts within the app.
    pub number: u32,
    pub kind: TransferKind,
    pub state: TransferState,
    /// The add-on that data comes from, which may be gone by now.
    pub from: Option<AddonId>,
    /// What users know it by.
    pub from_name: String,
    /// The add-on that data goes to.
    pub to: Option<AddonId>,
    pub to_name: String,
    /// Service and plan of the add-on that it was asked for, which say how it is done and kept.
    pub service: String,
    pub plan: String,
    /// What a restore reads: a backup…
    pub backup: Option<TransferId>,
    /// …or an address; empty if there is none.
    pub url: String,
    /// Extensions that are to be there before a restore begins.
    pub extensions: Vec<String>,
    /// The schedule's name, for a backup that one asked for.
    pub schedule: Option<String>,
    /// Somebody does not want it any more.
    pub cancelled: bool,
    /// How often it was begun.
    pub attempts: u32,
    /// Bytes in the service.
    pub source_bytes: u64,
    /// Bytes of the dump so far.
    pub processed_bytes: u64,
    pub warnings: u32,
    /// Of the dump.
    pub digest: Option<Digest>,
    /// What the service said of the data as it was dumped, for comparison with what is restored.
    pub figures: Option<String>,
    pub proof: Proof,
    /// What the restored data was, or why it could not be had.
    pub proof_text: Option<String>,
    /// When the proof was tried last.
    pub proven_at: Option<Timestamp>,
    pub proof_attempts: u32,
    /// Where it is being tried.
    pub proof_instance: Option<InstanceId>,
    pub created_at: Timestamp,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
}

impl Transfer {
    /// `b001`, as the official CLI calls it.
    pub fn name(&self) -> String {
        let letter = match (self.kind, &self.schedule) {
            (TransferKind::Backup, Some(_)) => 'a',
            (TransferKind::Backup, None) => 'b',
            (TransferKind::Restore, _) => 'r',
            (TransferKind::Copy, _) => 'c',
        };
        format!("{letter}{:03}", self.number)
    }

    /// Whether it is a backup that can be restored as far as is known.
    pub fn is_backup(&self) -> bool {
        self.kind == TransferKind::Backup && self.state == TransferState::Succeeded
    }

    /// The add-ons that it works on.
    pub fn addons(&self) -> impl Iterator<Item = AddonId> {
        self.from.into_iter().chain(self.to)
    }
}

impl fmt::Debug for Transfer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transfer")
            .field("id", &self.id)
            .field("app", &self.app)
            .field("name", &self.name())
            .field("state", &self.state)
            .field("proof", &self.proof)
            .finish_non_exhaustive()
    }
}

/// A line of what a transfer has to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferLine {
    pub time: Timestamp,
    pub text: String,
}

/// A daily backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    pub id: ScheduleId,
    pub addon: AddonId,
    /// `DATABASE_URL`, as the official CLI names it.
    pub name: String,
    /// 0 to 23, by the clock of `timezone`.
    pub hour: u8,
    /// `Europe/Berlin`
    pub timezone: String,
    /// The last hour that it was done for.
    pub done: Option<Timestamp>,
    /// It was told that no backup is proven since then.
    pub overdue: Option<Timestamp>,
    pub created_at: Timestamp,
}

/// How many backups are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// Days of which a scheduled backup is kept.
    pub daily: u32,
    /// Weeks of which one is kept.
    pub weekly: u32,
    /// Months of which one is kept.
    pub monthly: u32,
    /// Backups that were asked for by hand.
    pub manual: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Self { daily: 7, weekly: 1, monthly: 0, manual: 5 }
    }
}
