//! Drains that take lines by HTTP: a POST for each batch.

use super::channel::{Failure, Sent};
use super::frame::Batch;
use super::tls::certificate_error;
use crate::error::chain;
use crate::reach::{Reach, Resolver};
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Client, Response, Url};
use std::error::Error;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Heroku's figures.
const CONNECT: Duration = Duration::from_secs(3);
const ANSWER: Duration = Duration::from_secs(5);
const IDLE: Duration = Duration::from_secs(144);
/// Bytes of an answer that are read, so that its connection can be used again.
const ANSWER_BYTES: usize = 64 << 10;

/// What all such drains share; cheap to clone.
#[derive(Clone)]
pub(super) struct Clients {
    reach: Reach,
    verified: Arc<OnceLock<Client>>,
    insecure: Arc<OnceLock<Client>>,
}

impl Clients {
    pub(super) fn new(reach: Reach) -> Self {
        Self { reach, verified: Arc::default(), insecure: Arc::default() }
    }

    fn get(&self, insecure: bool) -> Result<Client, reqwest::Error> {
        let cell = if insecure { &self.insecure } else { &self.verified };
        if let Some(known) = cell.get() {
            return Ok(known.clone());
        }
        let client = Client::builder()
            .connect_timeout(CONNECT)
            .timeout(CONNECT + ANSWER)
            .pool_idle_timeout(IDLE)
            .redirect(reqwest::redirect::Policy::none())
            .tls_danger_accept_invalid_certs(insecure)
            .user_agent(concat!("Logplex/v72 Kigo/", env!("CARGO_PKG_VERSION")))
            .dns_resolver(Arc::new(Resolver::new(self.reach.clone())))
            .build()?;
        Ok(cell.get_or_init(|| client).clone())
    }
}

/// One drain.
pub(super) struct Http {
    clients: Clients,
    url: Url,
    token: HeaderValue,
}

impl Http {
    /// `None` if the token cannot stand in a header.
    pub(super) fn new(clients: Clients, url: Url, token: &str) -> Option<Self> {
        Some(Self { clients, url, token: token.parse().ok()? })
    }

    pub(super) async fn send(&self, batch: &Batch) -> Sent {
        if !self.clients.reach.admits(&self.url).await {
            return Sent::Failed(Failure::own_network());
        }
        let client = match self.clients.get(self.url.fragment() == Some("insecure")) {
            Ok(client) => client,
            Err(error) => return Sent::Failed(Failure::before(chain(&error))),
        };
        // Name and password of the address become the header for Basic authentication.
        let request = client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/logplex-1")
            .header("Logplex-Msg-Count", batch.frames)
            .header("Logplex-Frame-Id", &batch.id)
            .header("Logplex-Drain-Token", &self.token)
            .body(batch.body.clone());
        match request.send().await {
            Ok(answer) => judge(answer).await,
            Err(error) => Sent::Failed(failure(error)),
        }
    }
}

async fn judge(mut answer: Response) -> Sent {
    let status = answer.status();
    let mut read = 0;
    while let Ok(Some(chunk)) = answer.chunk().await {
        read += chunk.len();
        if read > ANSWER_BYTES {
            break;
        }
    }
    match status.as_u16() {
        200..=299 => Sent::Taken,
        429 | 500..=599 => Sent::Failed(Failure::under_way(format!("it answered {}", status.as_u16()))),
        code => Sent::Refused(format!("it answered {code}")),
    }
}

fn failure(error: reqwest::Error) -> Failure {
    let is_connect = error.is_connect();
    let is_timeout = error.is_timeout();
    let error = error.without_url();
    if let Some(why) = certificate_error(&error) {
        return Failure::certificate(why);
    }
    match (is_connect, is_timeout) {
        (true, true) => Failure::before("it could not be connected to in time".into()),
        (true, false) => Failure::before(format!("it could not be connected to ({})", cause(&error))),
        (false, true) => Failure::under_way("it did not answer in time".into()),
        (false, false) => Failure::under_way("the connection ended without an answer".into()),
    }
}

/// The words of what an error comes from.
fn cause(error: &(dyn Error + 'static)) -> String {
    error.source().map_or_else(|| error.to_string(), cause)
}
