//! `kigo env`: the shell lines that point the official CLI, git and curl at this server.
//!
//! Every variable here is one the official CLI reads. Those that look superfluous keep the token
//! from being sent to hosts of Heroku's: with `HEROKU_HOST` alone the CLI still reports to
//! telemetry and asks a delinquency service, both with the bearer token.

use std::fmt::Write;
use std::path::Path;

/// Where the server is, as its clients see it.
pub struct Endpoints<'a> {
    /// Origin of the API, e.g. `http://localhost:5000`.
    pub api_url: &'a str,
    /// The local certificate authority's certificate.
    pub ca: &'a Path,
}

/// The `export` lines. `netrc` is left alone; credentials come from `heroku login -i` or
/// `HEROKU_API_KEY`.
pub fn lines(endpoints: &Endpoints<'_>) -> String {
    let api = endpoints.api_url;
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
    for name in
        ["HEROKU_PARTICLEBOARD_URL", "HEROKU_LOGIN_HOST", "HEROKU_STATUS_HOST", "HEROKU_BUILDPACK_REGISTRY_URL"]
    {
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
        let text = lines(&Endpoints { api_url: "http://localhost:5000", ca: Path::new("/var/lib/my kigo/ca.pem") });
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
