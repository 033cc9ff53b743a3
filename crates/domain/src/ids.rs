//! Typed ids. Heroku's resources are named by UUID version 4 (RFC 9562); a typed id cannot be
//! passed where another resource's id is meant.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A fresh random id.
            #[expect(clippy::new_without_default, reason = "an id is never a default")]
            pub fn new() -> Self {
                Self(Uuid::new_v4())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    )+};
}

ids! {
    /// An account: a person who can log in.
    AccountId
    /// An add-on.
    AddonId
    /// An app.
    AppId
    /// A setup of an app from an `app.json`.
    AppSetupId
    /// An app's attachment to an add-on.
    AttachmentId
    /// An OAuth authorization, of which the token is the usable part.
    AuthorizationId
    /// What one alert is about.
    BatchId
    /// A build.
    BuildId
    /// A collaborator's place on an app.
    CollaboratorId
    /// A way to log in at an add-on.
    CredentialId
    /// A custom or default domain of an app.
    DomainId
    /// A log drain.
    DrainId
    /// One run of one dyno. `web.1` is a name that is reused; this is not.
    DynoId
    /// Something that is to be done at an add-on.
    ErrandId
    /// A row of an app's formation.
    FormationId
    /// A running service that add-ons live in.
    InstanceId
    /// A job of the scheduler.
    JobId
    /// An SSH public key of an account.
    KeyId
    /// A session for reading logs.
    LogSessionId
    /// Bad news for one reader.
    NoticeId
    /// A service that a partner runs.
    PartnerId
    /// A token of a partner's.
    PartnerTokenId
    /// A release.
    ReleaseId
    /// What was found out about a database.
    ReportId
    /// A repository of the registry.
    RepositoryId
    /// A run of a job of the scheduler.
    RunId
    /// A schedule of backups.
    ScheduleId
    /// A search of a log that is kept.
    SearchId
    /// A slug: what a build made.
    SlugId
    /// An uploaded source tarball.
    SourceId
    /// A transfer of an add-on's data.
    TransferId
    /// A blob on its way into a repository.
    UploadId
    /// An attempt to deliver an event.
    WebhookAttemptId
    /// An event on its way to a webhook.
    WebhookDeliveryId
    /// Something that happened to an app.
    WebhookEventId
    /// A webhook.
    WebhookId
}
