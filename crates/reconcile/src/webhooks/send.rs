//! One attempt to tell. It goes where a user said, so addresses are judged as those of sources are, and
//! redirects are not followed.

use crate::error::chain;
use crate::reach::{Reach, Resolver};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use domain::webhook::WebhookAttempt;
use ipnet::IpNet;
use jiff::Timestamp;
use ops::webhooks::Parcel;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Client, Url};
use std::sync::Arc;
use std::time::Duration;

/// The other side has so long to take it.
const PATIENCE: Duration = Duration::from_secs(20);
const SIGNATURE: &str = "Heroku-Webhook-Hmac-SHA256";

/// Sends; cheap to clone.
#[derive(Clone)]
pub(crate) struct Sender {
    /// `None` where the system's certificates could not be read; then nobody is told.
    client: Option<Client>,
    reach: Reach,
}

impl Sender {
    /// Of the server's own network only what is `allowed` is reached.
    pub(crate) fn new(allowed: &[IpNet]) -> Self {
        let reach = Reach::new(allowed);
        let client = Client::builder()
            .connect_timeout(Duration::from_secs(10))
            .timeout(PATIENCE)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent("Kigo")
            .dns_resolver(Arc::new(Resolver::new(reach.clone())))
            .build();
        let client = client.inspect_err(|error| tracing::error!(error = chain(error), "no HTTP client"));
        Self { client: client.ok(), reach }
    }

    /// Tells, and says how that went.
    pub(crate) async fn send(&self, parcel: &Parcel, at: Timestamp) -> WebhookAttempt {
        let (code, error) = match self.post(parcel).await {
            Ok(code) => (Some(code), None),
            Err(why) => (None, Some(why.to_owned())),
        };
        WebhookAttempt { id: parcel.attempt, code, error, at }
    }

    async fn post(&self, parcel: &Parcel) -> Result<u16, &'static str> {
        let client = self.client.as_ref().ok_or("NoClient")?;
        let url: Url = parcel.webhook.url.parse().map_err(|_| "InvalidAddress")?;
        if !self.reach.admits(&url).await {
            return Err("OwnNetwork");
        }
        let mut request = client
            .post(url)
            .header(CONTENT_TYPE, "application/json")
            .header(SIGNATURE, signature(&parcel.webhook.secret, &parcel.body));
        if let Some(authorization) = &parcel.webhook.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let response = request.body(parcel.body.clone()).send().await.map_err(|error| {
            let class = if error.is_timeout() { "Timeout" } else { "ConnectionFailed" };
            let why = chain(&error.without_url());
            tracing::debug!(webhook = %parcel.webhook.id, why, "a webhook was not reached");
            class
        })?;
        Ok(response.status().as_u16())
    }
}

/// By which the other side knows who tells it.
fn signature(secret: &str, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    BASE64_STANDARD.encode(hmac::sign(&key, body.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_signed() {
        // As `printf '{}' | openssl dgst -sha256 -hmac geheim -binary | base64` says.
        assert_eq!(signature("geheim", "{}"), "HYhYXK4+RJoIx4Lup3ie/xW503dqp/AlMYHfHv6LGR0=");
    }
}
