//! What the environment says about the server and the token. Read once, at the start.

use crate::netrc::Netrc;
use std::path::PathBuf;

/// The server of this machine.
const DEFAULT_API_URL: &str = "http://localhost:5000";

/// Everything that does not come from the command line.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) api_url: String,
    /// Host and port of the server, as git remotes and netrc name it.
    pub(crate) git_host: String,
    /// A certificate authority to trust besides the system's.
    pub(crate) authority: Option<PathBuf>,
    /// A token from the environment, which outranks a stored one.
    pub(crate) token: Option<String>,
    pub(crate) netrc: Option<PathBuf>,
    /// The app to act on when neither the command line nor git names one.
    pub(crate) app: Option<String>,
    /// Where programs are looked for.
    pub(crate) programs: Option<String>,
    /// Where git is asked for remotes.
    pub(crate) directory: Option<PathBuf>,
}

impl Settings {
    /// Reads the process's environment.
    pub(crate) fn from_environment() -> Self {
        Self::from_variables(|name| std::env::var(name).ok())
    }

    /// Reads variables from anywhere; an empty one counts as missing.
    pub(crate) fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Self {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        let heroku_host = variable("HEROKU_HOST").filter(|host| host.starts_with("http"));
        let api_url = variable("KIGO_API_URL").or(heroku_host.clone());
        let api_url = api_url.unwrap_or_else(|| DEFAULT_API_URL.into()).trim_end_matches('/').to_owned();
        // A token in HEROKU_API_KEY is Heroku's own unless HEROKU_HOST names this server.
        let same = heroku_host.is_some_and(|host| host.trim_end_matches('/') == api_url);
        let heroku_token = variable("HEROKU_API_KEY").filter(|_| same);
        let host = api_url.split_once("://").map_or(api_url.as_str(), |(_, rest)| rest);
        let git_host = variable("HEROKU_GIT_HOST").filter(|_| same).unwrap_or_else(|| host.to_owned());
        let netrc = variable("NETRC").map(PathBuf::from);
        Self {
            git_host,
            authority: variable("KIGO_CA_CERT").or(variable("NODE_EXTRA_CA_CERTS")).map(PathBuf::from),
            token: variable("KIGO_API_KEY").or(heroku_token),
            netrc: netrc.or_else(|| variable("HOME").map(|home| PathBuf::from(home).join(".netrc"))),
            app: variable("KIGO_APP").or(variable("HEROKU_APP")),
            programs: variable("PATH"),
            directory: None,
            api_url,
        }
    }

    /// The name under which the server's token is stored.
    pub(crate) fn machine(&self) -> &str {
        self.api_url.split_once("://").map_or(self.api_url.as_str(), |(_, rest)| rest)
    }

    /// The token to use: the environment's, else the stored one.
    pub(crate) fn token(&self) -> anyhow::Result<Option<String>> {
        if self.token.is_some() {
            return Ok(self.token.clone());
        }
        let Some(path) = &self.netrc else { return Ok(None) };
        let netrc = Netrc::read(path)?;
        Ok(netrc.find(self.machine()).map(|login| login.password))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(variables: &[(&str, &str)]) -> Settings {
        let variables: std::collections::HashMap<_, _> = variables.iter().copied().collect();
        Settings::from_variables(|name| variables.get(name).map(|value| (*value).to_owned()))
    }

    #[test]
    fn a_token_of_heroku_stays_with_heroku() {
        assert_eq!(settings(&[("HEROKU_API_KEY", "real")]).token, None);
        let elsewhere = [("HEROKU_API_KEY", "real"), ("KIGO_API_URL", "https://kigo.example")];
        assert_eq!(settings(&elsewhere).token, None);
        let named = [("HEROKU_API_KEY", "own"), ("HEROKU_HOST", "http://localhost:7000/")];
        let named = settings(&named);
        assert_eq!((named.token.as_deref(), named.api_url.as_str()), (Some("own"), "http://localhost:7000"));
        let both = [("HEROKU_API_KEY", "a"), ("KIGO_API_KEY", "b"), ("HEROKU_HOST", "http://localhost:5000")];
        assert_eq!(settings(&both).token.as_deref(), Some("b"));
    }

    #[test]
    fn a_host_without_scheme_is_herokus_own_form() {
        let bare = settings(&[("HEROKU_HOST", "heroku.com"), ("HEROKU_API_KEY", "real")]);
        assert_eq!((bare.api_url.as_str(), bare.token), ("http://localhost:5000", None));
        assert_eq!(bare.git_host, "localhost:5000");
    }
}
