//! What users read about static sites that cannot be built.

use crate::errors::{Explain, Words};
use crate::languages::words::copying;

/// Why a static site cannot be built.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SiteError {
    #[error("static.json cannot be read: {0}")]
    Unreadable(String),
    #[error("static.json is not valid: {0}")]
    NotJson(String),
    #[error("{place} in static.json is not valid: {why}")]
    Setting { place: String, why: String },
    #[error("there is no directory {0}")]
    NoRoot(String),
    #[error("there is no nginx on the stack {0}")]
    NoNginx(String),
    #[error("copying failed with status {0}")]
    Copy(i32),
}

impl Explain for SiteError {
    fn words(&self) -> Words {
        match self {
            Self::Unreadable(why) => Words::new(
                "The static.json of this app could not be read.",
                why,
                "Make it a regular file of text.",
            ),
            Self::NotJson(why) => Words::new(
                "The static.json of this app is not valid.",
                format!("{why}."),
                "Correct it and push again. An empty one is {}.",
            ),
            Self::Setting { place, why } => Words::new(
                "The static.json of this app says something that cannot be done.",
                format!("{place}: {why}."),
                "Correct it and push again.",
            ),
            Self::NoRoot(root) => Words::new(
                format!("The directory {root} of this app, which is to be served, is not there."),
                "It is what \"root\" in static.json names; without that, public_html.",
                "Name the directory that has index.html. If a build makes it, put that buildpack before this one:\n`heroku buildpacks:add --index 1 heroku/nodejs`.",
            ),
            Self::NoNginx(stack) => Words::new(
                "Static sites cannot be served on this stack.",
                format!("The stack {stack} has no nginx."),
                "Choose another stack with `heroku stack:set`.",
            ),
            Self::Copy(status) => copying(*status),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::errors::tests::told;
    use crate::languages::site::failed;

    #[tokio::test]
    async fn every_failure_tells_what_to_do() {
        let errors = [
            SiteError::Unreadable("it is not a regular file".into()),
            SiteError::NotJson("expected `:` at line 2 column 8".into()),
            SiteError::Setting { place: "logging.error".into(), why: "this has to be one of a, b".into() },
            SiteError::NoRoot("dist".into()),
            SiteError::NoNginx("kigo-13".into()),
            SiteError::Copy(1),
        ];
        insta::assert_snapshot!(told(errors.into_iter().map(failed)).await);
    }
}
