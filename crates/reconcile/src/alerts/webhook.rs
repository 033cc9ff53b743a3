//! Alerts that are posted.

use super::message::Message;
use super::words;
use crate::reach::{Reach, Resolver};
use reqwest::{Client, Url};
use std::sync::Arc;
use std::time::Duration;

const CONNECT: Duration = Duration::from_secs(5);
const TOTAL: Duration = Duration::from_secs(15);

/// Posts an alert, as a form with the field `payload`. Whoever answers with 2xx has taken it; redirects are not
/// followed. The reason of a failure does not repeat the address, which may hold a secret.
pub(super) async fn post(address: &str, message: &Message<'_>, reach: &Reach) -> Result<(), String> {
    let url: Url = address.parse().map_err(|_| "its address is none".to_owned())?;
    if !reach.admits(&url).await {
        return Err("its address lies in this server's own network".into());
    }
    let client = Client::builder()
        .connect_timeout(CONNECT)
        .timeout(TOTAL)
        .redirect(reqwest::redirect::Policy::none())
        .dns_resolver(Arc::new(Resolver::new(reach.clone())))
        .build();
    let client = client.map_err(|error| words(&error))?;
    let payload = message.payload().to_string();
    // An address only to write the form.
    let form = Url::parse_with_params("form:", [("payload", payload)]).map_err(|error| words(&error))?;
    let request = client
        .post(url)
        .header("content-type", "application/x-www-form-urlencoded")
        .header("idempotency-key", message.batch.id.to_string())
        .header("user-agent", concat!("kigo/", env!("CARGO_PKG_VERSION")))
        .body(form.query().unwrap_or_default().to_owned());
    let answer = request.send().await.map_err(|error| words(&error.without_url()))?;
    let status = answer.status();
    if status.is_success() { Ok(()) } else { Err(format!("the webhook answered {}", status.as_u16())) }
}
