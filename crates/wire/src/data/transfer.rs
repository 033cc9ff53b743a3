//! Backups, restores and copies: `/client/v11/apps/{app}/transfers`, `/client/v11/databases/{database}/…`.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A transfer. Times are texts like `2016-10-08 00:42:54 +0000`, which the CLI prints as they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    pub uuid: Uuid,
    pub num: u32,
    /// `pg_dump` from a database, `gof3r` from a backup, `htstream` from elsewhere.
    pub from_type: String,
    pub from_name: String,
    pub from_url: Option<String>,
    /// `gof3r` into a backup, `pg_restore` into a database.
    pub to_type: String,
    pub to_name: String,
    /// What a restore names to read this backup.
    pub to_url: Option<String>,
    pub source_bytes: u64,
    pub processed_bytes: u64,
    /// `null` until it has ended.
    pub succeeded: Option<bool>,
    pub warnings: u32,
    pub created_at: String,
    pub started_at: Option<String>,
    pub canceled_at: Option<String>,
    pub updated_at: String,
    /// With what is known of the backup's worth.
    pub finished_at: Option<String>,
    pub options: Options,
    /// Set for a backup that a schedule asked for.
    pub schedule: Option<ScheduleRef>,
    pub proof: Proof,
    /// With `verbose=true` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logs: Option<Vec<Line>>,
}

/// What it was asked for with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    #[serde(default)]
    pub extensions: Vec<String>,
}

/// The schedule of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleRef {
    pub name: String,
}

/// Whether a backup was restored, and what came of it. Not of Heroku's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// `none`, `wanted`, `proven` or `refuted`.
    pub state: String,
    /// What was found, or why it could not be restored.
    pub text: Option<String>,
    pub tried_at: Option<String>,
}

/// A line of what a transfer has told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    pub created_at: String,
    pub message: String,
}

/// Body of `POST …/restores`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restore {
    /// A backup's `to_url`, or where a dump can be downloaded.
    pub backup_url: String,
    #[serde(default)]
    pub extensions: Option<Vec<String>>,
}

/// Body of `POST …/transfers`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copy {
    pub from_url: String,
    pub to_url: String,
}

/// `POST …/actions/public-url`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicUrl {
    pub url: String,
    pub expires_at: String,
}

/// A daily backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    pub uuid: Uuid,
    /// The add-on's id. Not of Heroku's.
    pub addon_id: Uuid,
    pub name: String,
    pub hour: u8,
    pub timezone: String,
    pub created_at: String,
}

/// Body of `POST …/transfer-schedules`. The CLI sends the hour as a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetSchedule {
    pub hour: crate::NumberOrText,
    pub timezone: String,
    pub schedule_name: String,
}
