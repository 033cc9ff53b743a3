//! `kigo env`: the shell lines that point the official CLI, git and curl at this server.
//!
//! Every variable here is one the official CLI reads. Those that look superfluous keep the token
//! from being sent to hosts of Heroku's: with `HEROKU_HOST` alone the CLI still reports to
//! telemetry and asks a delinquency service, both with the bearer token.

use crate::config::Config;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
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

/// Where the system keeps the authorities it trusts.
const SYSTEM_BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";

/// The local authority together with those the system trusts, beside the local one's own file. For
/// clients that take one file in place of all others.
fn bundle_path(ca: &Path) -> PathBuf {
    ca.with_file_name("bundle.pem")
}

/// Writes the bundle, at each start of the server.
pub(crate) fn write_bundle(ca: &Path) -> Result<()> {
    let named = std::env::var_os("SSL_CERT_FILE").map_or_else(|| SYSTEM_BUNDLE.into(), PathBuf::from);
    // A machine without any is no error: then the local one is all there is.
    let mut text = std::fs::read(named).unwrap_or_default();
    text.extend(std::fs::read(ca).with_context(|| format!("cannot read {}", ca.display()))?);
    write(&bundle_path(ca), &text)
}

/// Writes a file, all or nothing. One that is so already is left alone, so that a server which has
/// nothing new to write starts on a full disk, too.
fn write(path: &Path, text: &[u8]) -> Result<()> {
    if std::fs::read(path).is_ok_and(|known| known == text) {
        return Ok(());
    }
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(".new");
    std::fs::write(&fresh, text)
        .and_then(|()| std::fs::rename(&fresh, path))
        .with_context(|| format!("cannot write {}", path.display()))
}

impl Endpoints {
    fn path(data_dir: &Path) -> PathBuf {
        data_dir.join("endpoints.json")
    }

    /// Writes the file.
    pub(crate) fn write(&self, data_dir: &Path) -> Result<()> {
        write(&Self::path(data_dir), serde_json::to_string_pretty(self)?.as_bytes())
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
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    print!("{}", lines(&Endpoints::read(&config.data_dir)?, is_set));
    Ok(())
}

/// The `export` lines. `netrc` is left alone; credentials come from `heroku login -i` or
/// `HEROKU_API_KEY`. `is_set` says which variables the shell has already: where one names further
/// authorities, the bundle takes its place, so that they stay trusted.
fn lines(endpoints: &Endpoints, is_set: impl Fn(&str) -> bool) -> String {
    let api = endpoints.api_url.as_str();
    let authority = api.split_once("://").map_or(api, |(_, rest)| rest);
    let host = host_of(authority);
    let socket = if api.starts_with("https") { "wss" } else { "ws" };
    let ca = endpoints.ca.display().to_string();
    let bundle = bundle_path(&endpoints.ca).display().to_string();
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
    export("NODE_EXTRA_CA_CERTS", if is_set("NODE_EXTRA_CA_CERTS") { &bundle } else { &ca });
    export("KIGO_CA_CERT", &ca);
    export("KIGO_API_URL", api);
    // git takes the authority for this one origin only; other remotes keep their own.
    export("GIT_CONFIG_COUNT", "1");
    export("GIT_CONFIG_KEY_0", &format!("http.https://{authority}/.sslCAInfo"));
    export("GIT_CONFIG_VALUE_0", &ca);
    // This variable wins over git's configuration.
    if is_set("GIT_SSL_CAINFO") {
        export("GIT_SSL_CAINFO", &bundle);
    }
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
        let endpoints = Endpoints {
            api_url: "http://localhost:5000".into(),
            app_url: "http://{app}.localhost:8080".into(),
            ca: "/var/lib/my kigo/ca.pem".into(),
        };
        let text = lines(&endpoints, |_| false);
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
        assert!(!text.contains("bundle.pem"), "{text}");
        let text = lines(&endpoints, |name| name == "GIT_SSL_CAINFO");
        assert!(text.contains("export GIT_SSL_CAINFO='/var/lib/my kigo/bundle.pem'"), "{text}");
    }

    #[test]
    fn quotes_what_a_shell_would_split() {
        assert_eq!(quote("a b"), "'a b'");
        assert_eq!(quote("it's"), r"'it'\''s'");
        assert_eq!(quote(""), "''");
    }
}
