//! The scheduler: `/apps/{app}/scheduler/jobs`, `/apps/{app}/scheduler/runs`. Kigo's own; Heroku's has no API.

use crate::Time;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A command that runs at set times.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    pub id: Uuid,
    pub command: String,
    /// `null`: the size of the app's web dynos.
    pub size: Option<String>,
    /// `every 10 minutes`, `hourly at :20`, `daily at 05:30`, or a cron expression.
    pub frequency: String,
    pub timezone: String,
    /// Whether a run may begin while the one before it still goes.
    pub overlap: bool,
    /// `null` if there is none that can be told.
    pub next_run: Option<Time>,
    pub last_run: Option<Run>,
    pub created_at: Time,
    pub updated_at: Time,
}

/// One time that a job ran, or was due and did not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    pub id: Uuid,
    pub job: JobRef,
    /// `null` for one that somebody asked for.
    pub due_at: Option<Time>,
    /// `running`, `succeeded`, `failed` or `skipped`.
    pub status: String,
    /// Its dyno's name, `scheduler.1234`.
    pub dyno: Option<String>,
    pub exit_code: Option<i32>,
    /// Why it did not run, or did not end well.
    pub failure: Option<String>,
    pub created_at: Time,
    pub started_at: Option<Time>,
    pub finished_at: Option<Time>,
}

/// A job as its runs mention it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobRef {
    pub id: Uuid,
    pub command: String,
}

/// Body of `POST /apps/{app}/scheduler/jobs` and, for what is to change, of `PATCH …/jobs/{job}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Set {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// Empty for the size of the app's web dynos.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frequency: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlap: Option<bool>,
}
