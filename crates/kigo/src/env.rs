//! `kigo env`: the shell lines that point the official CLI, git and curl at this server.
//!
//! Every variable here is one the official CLI reads. Those that look superfluous keep the token
//! from being sent to hosts of Heroku's: with `HEROKU_HOST` alone the CLI still reports to
//! telemetry and asks a delinquency service, both with the bearer token.

use crate::config::Config;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Where a server can be reached, as its clients see it. The server writes it down at each start,
/// because ports may be chosen by the system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Endpoints {
    /// Origin of the API, e.g. `http://localhost:5000`.
    pub(crate) api_url: String,
    /// Pattern of apps' addresses, with `{app}` in it.
    pub(crate) app_url: String,
    /// The local certificate authority's certificate.
    pub(crate) ca: PathBuf,
}

impl Endpoints {
    fn path(data_dir: &Path) -> PathBuf {
        data_dir.join("endpoints.json")
    }

    /// Writes the file, all or nothing.
    pub(crate) fn write(&self, data_dir: &Path) -> Result<()> {
        let path = Self::path(data_dir);
        let fresh = path.with_extension("new");
        let text = serde_json::to_string_pretty(self)?;
        std::fs::write(&fresh, text).with_context(|| format!("cannot write {}", fresh.display()))?;
        std::fs::rename(&fresh, &path).with_context(|| format!("cannot write {}", path.display()))
    }

    fn read(data_dir: &Path) -> Result<Self> {
        let path = Self::path(data_dir);
        let text = std::fs::read_to_string(&path).with_context(|| {
            format!(
                "cannot read {}; has `kigo server` been started with this data directory?",
                path.display()
            )
        })?;
        serde_json::from_str(&text).with_context(|| format!("{} is damaged", path.display()))
    }
}

/// Prints the lines for the server of this data directory.
#[expect(clippy::print_stdout, reason = "this is what the command is for")]
pub(crate) fn print(config: &Config) -> Result<()> {
    print!("{}", lines(&Endpoints::read(&config.data_dir)?));
    Ok(())
}

/// The `export` lines. `netrc` is left alone; credentials come from `heroku login -i` or
/// `HEROKU_API_KEY`.
fn lines(endpoints: &Endpoints) -> String {
    let api = endpoints.api_url.as_str();
    let authority = api.split_once("://").map_or(api, |(_, rest)| rest);
    let host = host_of(authority);
    let socket = if api.starts_with("https") { "wss" } else { "ws" };
    let ca = endpoints.ca.display();
    let mut text = String::new();
    let mut export = |name: &str, value: &str| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "export {name}={}", quote(value));
    };
    export("HEROKU_HOST", api);
    export("HEROKU_GIT_HOST", authority);
    export("HEROKU_DATA_HOST", host);
    export("PGDIAGNOSE_URL", host);
    for name in [
        "HEROKU_PARTICLEBOARD_URL",
        "HEROKU_LOGIN_HOST",
        "HEROKU_STATUS_HOST",
        "HEROKU_BUILDPACK_REGISTRY_URL",
    ] {
        export(name, api);
    }
    export("HEROKU_CI_WEBSOCKET_URL", &format!("{socket}://{authority}/socket"));
    export("HEROKU_EXEC_URL", &format!("https://{authority}"));
    export("HEROKU_ANALYTICS_URL", &format!("{api}/analytics"));
    export("DISABLE_TELEMETRY", "true");
    export("HEROKU_NETRC_WRITE", "true");
    export("NODE_EXTRA_CA_CERTS", &ca.to_string());
    export("KIGO_CA_CERT", &ca.to_string());
    export("KIGO_API_URL", api);
    // git takes the authority for this one origin only; other remotes keep their own.
    export("GIT_CONFIG_COUNT", "1");
    export("GIT_CONFIG_KEY_0", &format!("http.https://{authority}/.sslCAInfo"));
    export("GIT_CONFIG_VALUE_0", &ca.to_string());
    text
}

fn host_of(authority: &str) -> &str {
    match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((v6, _)) => v6,
        None => authority.split_once(':').map_or(authority, |(host, _)| host),
    }
}

/// Quotes for a POSIX shell where that is needed.
fn quote(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    if !value.is_empty() && value.chars().all(plain) {
        return value.to_owned();
    }
    format!("'{}'", value.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_everything_at_the_server() {
        let text = lines(&Endpoints {
            api_url: "http://localhost:5000".into(),
            app_url: "http://{app}.localhost:8080".into(),
            ca: "/var/lib/my kigo/ca.pem".into(),
        });
        for line in [
            "export HEROKU_HOST=http://localhost:5000",
            "export HEROKU_GIT_HOST=localhost:5000",
            "export HEROKU_DATA_HOST=localhost",
            "export HEROKU_CI_WEBSOCKET_URL=ws://localhost:5000/socket",
            "export DISABLE_TELEMETRY=true",
            "export NODE_EXTRA_CA_CERTS='/var/lib/my kigo/ca.pem'",
            "export GIT_CONFIG_KEY_0=http.https://localhost:5000/.sslCAInfo",
        ] {
            assert!(text.lines().any(|l| l == line), "{line}\n{text}");
        }
        assert!(!text.contains("heroku.com"), "{text}");
    }

    #[test]
    fn quotes_what_a_shell_would_split() {
        assert_eq!(quote("a b"), "'a b'");
        assert_eq!(quote("it's"), r"'it'\''s'");
        assert_eq!(quote(""), "''");
    }
}
