//! Git remotes: which app a folder belongs to.

use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::{Command, Stdio};

/// A remote that leads to this server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Remote {
    pub(crate) name: String,
    pub(crate) app: String,
}

/// Runs git in `directory`; fails with what git says.
pub(crate) fn git(directory: Option<&Path>, words: &[&str]) -> Result<String> {
    Ok(String::from_utf8_lossy(&bytes(directory, words)?).into_owned())
}

/// The same, for what is no text.
pub(crate) fn bytes(directory: Option<&Path>, words: &[&str]) -> Result<Vec<u8>> {
    let mut command = Command::new("git");
    if let Some(directory) = directory {
        command.current_dir(directory);
    }
    let output = command.args(words).stdin(Stdio::null()).output().context("cannot run git")?;
    if !output.status.success() {
        bail!("git {}: {}", words.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(output.stdout)
}

/// Whether there is a repository.
pub(crate) fn is_repository(directory: Option<&Path>) -> bool {
    git(directory, &["rev-parse", "--git-dir"]).is_ok()
}

/// The remotes that lead to apps on `host`; none outside of a repository.
pub(crate) fn remotes(directory: Option<&Path>, host: &str) -> Vec<Remote> {
    let listing = git(directory, &["remote", "-v"]).unwrap_or_default();
    let mut remotes: Vec<Remote> = Vec::new();
    for line in listing.lines() {
        let mut words = line.split_whitespace();
        let (Some(name), Some(url)) = (words.next(), words.next()) else { continue };
        if let Some(app) = app_of(url, host) {
            let remote = Remote { name: name.into(), app: app.into() };
            if !remotes.contains(&remote) {
                remotes.push(remote);
            }
        }
    }
    remotes
}

/// The remote that the user chose with `git config heroku.remote NAME`.
pub(crate) fn chosen_remote(directory: Option<&Path>) -> Option<String> {
    let configured = |key| git(directory, &["config", "--get", key]).ok();
    let name = configured("kigo.remote").or_else(|| configured("heroku.remote"))?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}

/// The app in `https://[user@]host/app.git`.
fn app_of<'a>(url: &'a str, host: &str) -> Option<&'a str> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    let (authority, path) = rest.split_once('/')?;
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let app = path.strip_suffix(".git").unwrap_or(path);
    (authority.eq_ignore_ascii_case(host) && !app.is_empty() && !app.contains('/')).then_some(app)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_servers_remotes_name_apps() {
        for (url, app) in [
            ("https://localhost:5000/my-app.git", Some("my-app")),
            ("https://LOCALHOST:5000/my-app", Some("my-app")),
            ("https://heroku:token@localhost:5000/my-app.git", Some("my-app")),
            ("http://localhost:5000/my-app.git", Some("my-app")),
            ("https://localhost/my-app.git", None),
            ("https://git.heroku.com/my-app.git", None),
            ("https://localhost:5000.evil.example/my-app.git", None),
            ("https://localhost:5000/group/my-app.git", None),
            ("git@localhost:5000/my-app.git", None),
        ] {
            assert_eq!(app_of(url, "localhost:5000"), app, "{url}");
        }
    }
}
