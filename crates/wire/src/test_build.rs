//! Builds for tests: `/apps/{app}/test-builds`. Kigo's own; Heroku runs tests for pipelines alone.

use crate::build::SourceBlob;
use crate::{IdRef, Time, UserRef};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use uuid::Uuid;

/// A build whose app is tested.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TestBuild {
    pub id: Uuid,
    pub app: IdRef,
    pub branch: Option<String>,
    /// What the tests ended with, once they have; `null` for good if they did not run.
    pub exit_code: Option<i32>,
    /// Address of the output, which follows a running build.
    pub output_stream_url: String,
    pub source_blob: SourceBlob,
    pub stack: String,
    /// `pending`, `succeeded`, `failed`, `errored` (the tests did not run) or `cancelled`.
    pub status: String,
    pub user: UserRef,
    pub created_at: Time,
    pub updated_at: Time,
}

/// Body of `POST /apps/{app}/test-builds`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Create {
    pub source_blob: SourceBlob,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// The environment of the tests, where it is to be another than `app.json` says.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
}
