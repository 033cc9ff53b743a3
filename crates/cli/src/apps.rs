//! Which app a command is about.

use crate::context::Context;
use crate::git::{self, Remote};
use anyhow::{Result, bail};
use std::collections::BTreeSet;

/// The two ways of naming an app on the command line.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct AppArgs {
    /// The app's name
    #[arg(short, long, value_name = "APP")]
    pub(crate) app: Option<String>,
    /// The git remote of the app
    #[arg(short, long, value_name = "REMOTE", conflicts_with = "app")]
    pub(crate) remote: Option<String>,
}

impl AppArgs {
    /// The app: from `--app`, from `--remote`, from `KIGO_APP`, or the only one among the git
    /// remotes of the current folder.
    pub(crate) fn resolve(&self, context: &Context<'_>) -> Result<String> {
        if let Some(app) = &self.app {
            return Ok(app.clone());
        }
        let settings = &context.settings;
        let directory = settings.directory.as_deref();
        if self.remote.is_none()
            && let Some(app) = &settings.app
        {
            return Ok(app.clone());
        }
        let remotes = git::remotes(directory, &settings.git_host);
        let named = self.remote.clone().or_else(|| git::chosen_remote(directory));
        choose(&remotes, named.as_deref())
    }
}

fn choose(remotes: &[Remote], named: Option<&str>) -> Result<String> {
    if let Some(name) = named {
        return match remotes.iter().find(|remote| remote.name == name) {
            Some(remote) => Ok(remote.app.clone()),
            None => bail!("No git remote {name} leads to an app on this server."),
        };
    }
    let apps: BTreeSet<&str> = remotes.iter().map(|remote| remote.app.as_str()).collect();
    match apps.len() {
        0 => bail!("No app specified. Run this command from an app folder, or name it with --app."),
        1 => Ok(remotes[0].app.clone()),
        _ => {
            let list: Vec<String> =
                remotes.iter().map(|remote| format!("  {} ({})", remote.app, remote.name)).collect();
            bail!("Several apps in the git remotes. Choose one with --app or --remote:\n{}", list.join("\n"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_is_inferred_only_when_there_is_no_doubt() {
        let remote = |name: &str, app: &str| Remote { name: name.into(), app: app.into() };
        let (staging, live) = (remote("staging", "app-staging"), remote("live", "app-live"));
        let same = remote("origin", "app-live");
        assert_eq!(choose(std::slice::from_ref(&live), None).unwrap(), "app-live");
        assert_eq!(choose(&[live.clone(), same], None).unwrap(), "app-live");
        let both = [staging, live];
        assert!(choose(&both, None).unwrap_err().to_string().contains("app-live (live)"));
        assert_eq!(choose(&both, Some("staging")).unwrap(), "app-staging");
        assert!(choose(&both, Some("other")).is_err());
        assert!(choose(&[], None).unwrap_err().to_string().contains("--app"));
    }
}
