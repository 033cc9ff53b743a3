//! To a webhook.

use crate::error::chain;
use crate::reach::{Reach, Resolver};
use reqwest::{Client, Url};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

const CONNECT: Duration = Duration::from_secs(5);
const TOTAL: Duration = Duration::from_secs(15);

/// What is posted.
pub(crate) struct Post {
    /// The same in every attempt.
    pub(crate) id: Uuid,
    pub(crate) content_type: &'static str,
    pub(crate) body: String,
}

/// Posts. Whoever answers with 2xx has taken it; redirects are not followed. The reason of a failure does not
/// repeat the address, which may hold a secret.
pub(crate) async fn post(address: &str, post: Post, reach: &Reach) -> Result<(), String> {
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
    let client = client.map_err(|error| chain(&error))?;
    let request = client
        .post(url)
        .header("content-type", post.content_type)
        .header("idempotency-key", post.id.to_string())
        .header("user-agent", concat!("kigo/", env!("CARGO_PKG_VERSION")))
        .body(post.body);
    let answer = request.send().await.map_err(|error| chain(&error.without_url()))?;
    let status = answer.status();
    if status.is_success() { Ok(()) } else { Err(format!("the webhook answered {}", status.as_u16())) }
}
