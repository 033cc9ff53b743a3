//! Bad news that people are told by mail or by a webhook, until it was taken.

use crate::{AccountId, AppId, NoticeId, TransferId};
use jiff::Timestamp;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NoticeKind {
    /// A scheduled backup was not made.
    BackupFailed,
    /// A backup that was tried cannot be restored.
    BackupRefuted,
    /// For long, no backup of a schedule was proven.
    BackupOverdue,
}

impl NoticeKind {
    const ALL: [Self; 3] = [Self::BackupFailed, Self::BackupRefuted, Self::BackupOverdue];

    /// As it is stored, and as webhooks are told.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BackupFailed => "backup.failed",
            Self::BackupRefuted => "backup.refuted",
            Self::BackupOverdue => "backup.overdue",
        }
    }

    /// Reads what was stored.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// Who is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reader {
    /// One who may see the app, by mail.
    Account(AccountId),
    /// Who runs this installation, as its settings say.
    Operator,
}

/// One piece of news for one reader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The same in every attempt to tell it.
    pub id: NoticeId,
    pub kind: NoticeKind,
    pub to: Reader,
    /// The app that it is about, which may be gone by now.
    pub app: AppId,
    /// The backup that it is about, if it is about one.
    pub transfer: Option<TransferId>,
    /// The name of the add-on that it is about.
    pub addon: String,
    /// One line.
    pub subject: String,
    pub text: String,
    pub attempts: u32,
    /// Not before then is it tried again.
    pub retry_at: Option<Timestamp>,
    pub created_at: Timestamp,
}
