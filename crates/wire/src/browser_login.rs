//! Login through a web browser, which is no part of the published schema: the CLI asks the login
//! host for a pair of addresses, opens one in the browser and polls the other.

use serde::{Deserialize, Serialize};

/// Body of `POST /auth`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Begin {
    pub description: String,
}

/// Answer to `POST /auth`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    /// Path on the login host for the browser.
    pub browser_url: String,
    /// Path on the login host for the CLI.
    pub cli_url: String,
    /// Bearer token of the poll.
    pub token: String,
}

/// Answer to the poll.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The token to use from now on.
    AccessToken(String),
    /// Why there is none.
    Error(String),
}
