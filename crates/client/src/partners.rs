//! Services that partners run. They are Kigo's own part of the API.

use crate::{Client, ClientError};
use reqwest::Method;
use wire::addon::Delete;
use wire::partner::{Partner, Register};

impl Client {
    /// Those that are registered.
    pub async fn partners(&self) -> Result<Vec<Partner>, ClientError> {
        self.list(&["partners"], None).await
    }

    /// Registers one, or what has changed about it.
    pub async fn partner_register(&self, input: &Register) -> Result<Partner, ClientError> {
        self.send(Method::POST, &["partners"], input).await
    }

    /// Takes one out of the marketplace.
    pub async fn partner_unregister(&self, service: &str, force: bool) -> Result<Partner, ClientError> {
        self.send(Method::DELETE, &["partners", service], &Delete { force }).await
    }
}
