//! Ways to add-ons.

use crate::{Client, ClientError};
use reqwest::Method;
use reqwest::header::{CONNECTION, HeaderValue, UPGRADE};
use tokio::io::{AsyncRead, AsyncWrite};
use wire::addon::{Addon, Resolve};

/// Bytes to and from a service.
pub trait Tunnel: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Tunnel for T {}

impl Client {
    /// The add-ons that `identity` may mean in an app.
    pub async fn addons_resolve(&self, app: &str, identity: &str) -> Result<Vec<Addon>, ClientError> {
        let input = Resolve { addon: identity.into(), app: Some(app.into()), addon_service: None };
        self.send(Method::POST, &["actions", "addons", "resolve"], &input).await
    }

    /// A connection to an add-on, by name or id, through the API.
    pub async fn addon_tunnel(&self, addon: &str) -> Result<Box<dyn Tunnel>, ClientError> {
        let path = ["addons", addon, "tunnel"];
        let headers = [(CONNECTION, "Upgrade"), (UPGRADE, "tcp")];
        let headers = headers.map(|(name, value)| (name, HeaderValue::from_static(value)));
        let response = self.open(&path, headers.into_iter().collect()).await?;
        let upgraded = response.upgrade().await;
        let url = self.api_url().to_string();
        Ok(Box::new(upgraded.map_err(|source| ClientError::Transport { url, source })?))
    }
}
