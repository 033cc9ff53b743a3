//! The words of Kigo: names, ids and the things they name.
//!
//! Every other crate may use this one; this one uses none of them. It refuses to do input or
//! output, to be async, to read the clock and to know about HTTP, SQL or containers. A value that
//! can be built here is valid: names are parsed once, at the edge, and carried as types.

pub mod addon;
pub mod app;
pub mod app_json;
pub mod app_setup;
pub mod build;
pub mod continuity;
pub mod database;
pub mod diagnosis;
pub mod digest;
pub mod dyno;
pub mod formation;
pub mod ids;
pub mod log_line;
pub mod log_query;
pub mod names;
pub mod notice;
pub mod papertrail;
pub mod partner;
pub mod procfile;
pub mod registry;
pub mod release;
pub mod route;
pub mod scheduler;
pub mod size;
pub mod transfer;
pub mod user;
pub mod webhook;

pub use addon::{Addon, AddonState, Attachment, Credential, Errand, ErrandKind, Instance};
pub use app::{App, BuildpackRef, Chore, ChoreKind, Collaborator, Domain, Drain};
pub use app_json::AppJson;
pub use app_setup::{AppSetup, SetupOverrides, SetupPlan, SetupStatus};
pub use build::{Build, BuildStatus, Source, TestBuild};
pub use continuity::{Archive, Origin, OriginKind};
pub use database::{DatabaseAccess, DatabaseFigures};
pub use diagnosis::{Check, Finding, Light, Report};
pub use digest::Digest;
pub use dyno::{Dyno, DynoKind, DynoState};
pub use formation::Formation;
pub use ids::*;
pub use log_line::{LogLine, LogSource};
pub use log_query::LogQuery;
pub use names::{AppName, ConfigKey, DynoName, NameError, ProcessType};
pub use notice::{Notice, NoticeKind, Reader};
pub use partner::{Partner, PartnerToken, PartnerTokenKind, Resource};
pub use procfile::Procfile;
pub use registry::{Manifest, Reference, Repository, RepositoryBlob, RepositoryName, Tag, Upload};
pub use release::{ConfigVars, Release, ReleaseStatus, Slug, TypeImage};
pub use scheduler::{Frequency, Job, Run, RunState};
pub use size::DynoSize;
pub use transfer::{Proof, Retention, Schedule, Transfer, TransferKind, TransferLine, TransferState};
pub use user::{Account, Authorization, AuthorizationKind, SshKey};
