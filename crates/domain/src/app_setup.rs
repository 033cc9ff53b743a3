//! App setups: an app that is made from a source with an `app.json`.

use crate::app_json::{FormationEntry, Script};
use crate::{AccountId, AppId, AppSetupId, BuildId, BuildpackRef, Digest, DynoId, ProcessType};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Where a setup stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SetupStatus {
    Pending,
    Succeeded,
    Failed,
}

impl SetupStatus {
    /// The Platform API's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }

    /// Reads the Platform API's word.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Pending, Self::Succeeded, Self::Failed].into_iter().find(|s| s.as_str() == text)
    }
}

/// One setup. The app is there from the beginning; the rest follows step by step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppSetup {
    pub id: AppSetupId,
    pub app: AppId,
    pub user: AccountId,
    pub status: SetupStatus,
    /// Digest of the source tarball in the blob store. `None` while it is still to be downloaded.
    pub source: Option<Digest>,
    pub source_url: String,
    /// `SHA256:<hex>` as the client announced it; checked after the download.
    pub source_checksum: Option<String>,
    pub source_version: Option<String>,
    pub overrides: SetupOverrides,
    /// What `app.json` wants besides config vars. `None` until it was read.
    pub plan: Option<SetupPlan>,
    /// Made together with the plan, or once its add-ons are there.
    pub build: Option<BuildId>,
    /// The one-off dyno that runs `postdeploy`; there is only ever one.
    pub postdeploy: Option<DynoId>,
    /// How `postdeploy` ended.
    pub exit_code: Option<i32>,
    /// Why the setup failed, in one line.
    pub failure_message: Option<String>,
    /// What is wrong with `app.json`, or missing to it.
    pub manifest_errors: Vec<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// What the client wants otherwise than `app.json`. Values of config vars are secrets: no `Debug`
/// shows them.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SetupOverrides {
    pub env: BTreeMap<String, String>,
    /// Empty: those of `app.json`.
    pub buildpacks: Vec<BuildpackRef>,
    /// The stack was chosen when the app was made.
    pub stack: bool,
}

impl std::fmt::Debug for SetupOverrides {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SetupOverrides")
            .field("env", &self.env.keys())
            .field("buildpacks", &self.buildpacks)
            .field("stack", &self.stack)
            .finish()
    }
}

/// What of an `app.json` is still to be done once its config vars are set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SetupPlan {
    /// Names of the add-ons that are there before the build begins.
    pub addons: Vec<String>,
    pub formation: BTreeMap<ProcessType, FormationEntry>,
    pub postdeploy: Option<Script>,
    /// An address, or a path of the app.
    pub success_url: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DynoSize;

    #[test]
    fn a_plan_is_read_as_it_was_written() {
        let entry = |quantity, size| FormationEntry { quantity, size };
        let plan = SetupPlan {
            addons: vec!["postgresql-curved-12345".into()],
            formation: BTreeMap::from([
                (ProcessType::web(), entry(Some(2), Some(DynoSize::Standard1X))),
                (ProcessType::release(), entry(None, None)),
            ]),
            postdeploy: Some(Script { command: "bin/seed".into(), size: None }),
            success_url: None,
        };
        let text = serde_json::to_string(&plan).unwrap();
        assert_eq!(serde_json::from_str::<SetupPlan>(&text).unwrap(), plan);
    }

    #[test]
    fn secrets_are_not_shown() {
        let env = BTreeMap::from([("TOKEN".to_owned(), "geheim".to_owned())]);
        let shown = format!("{:?}", SetupOverrides { env, ..SetupOverrides::default() });
        assert!(shown.contains("TOKEN") && !shown.contains("geheim"), "{shown}");
    }
}
