//! One question to a partner over HTTP. It goes where the administrator said and nowhere else: redirects
//! are not followed, and an answer that is long or late is not waited for.

use crate::error::chain;
use addons::partner::{ANSWER_LIMIT, Answer, MEDIA_TYPE, Trouble};
use futures_util::StreamExt;
use ops::partners::Task;
use reqwest::header::ACCEPT;
use reqwest::{Client, Method, RequestBuilder, Response, Url};
use serde::Serialize;
use std::time::Duration;

/// Asks partners; cheap to clone.
#[derive(Clone)]
pub(crate) struct Caller {
    /// `None` where the system's certificates could not be read; then nobody is asked.
    client: Option<Client>,
    patience: Duration,
}

impl Caller {
    /// Waits for an answer for so long.
    pub(crate) fn new(patience: Duration) -> Self {
        let client = Client::builder()
            .connect_timeout(Duration::from_secs(10).min(patience))
            .timeout(patience)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent("Kigo")
            .build();
        let client = client.inspect_err(|error| tracing::error!(error = chain(error), "no HTTP client"));
        Self { client: client.ok(), patience }
    }

    pub(crate) async fn post(
        &self,
        task: &Task,
        url: &Url,
        body: &impl Serialize,
    ) -> Result<Answer, Trouble> {
        self.send(Method::POST, task, url, |request| request.json(body)).await
    }

    pub(crate) async fn put(&self, task: &Task, url: &Url, body: &impl Serialize) -> Result<Answer, Trouble> {
        self.send(Method::PUT, task, url, |request| request.json(body)).await
    }

    pub(crate) async fn delete(&self, task: &Task, url: &Url) -> Result<Answer, Trouble> {
        self.send(Method::DELETE, task, url, |request| request).await
    }

    async fn send(
        &self,
        method: Method,
        task: &Task,
        url: &Url,
        with_body: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> Result<Answer, Trouble> {
        let client = self.client.as_ref().ok_or_else(|| Trouble::Later("there is no HTTP client".into()))?;
        let request = with_body(client.request(method, url.clone()))
            .basic_auth(&task.partner.name, Some(&task.partner.password))
            .header(ACCEPT, MEDIA_TYPE);
        let response = request.send().await.map_err(|error| self.failed(error))?;
        let status = response.status().as_u16();
        Ok(Answer { status, body: self.body(response).await? })
    }

    async fn body(&self, response: Response) -> Result<Vec<u8>, Trouble> {
        let long = || Trouble::Broken(format!("its answer has more than {ANSWER_LIMIT} bytes"));
        let mut body = Vec::new();
        let mut pieces = response.bytes_stream();
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(|error| self.failed(error))?;
            if body.len() + piece.len() > ANSWER_LIMIT {
                return Err(long());
            }
            body.extend_from_slice(&piece);
        }
        Ok(body)
    }

    fn failed(&self, error: reqwest::Error) -> Trouble {
        if error.is_timeout() {
            return Trouble::Later(format!("it did not answer within {} seconds", self.patience.as_secs()));
        }
        Trouble::Later(chain(&error.without_url()))
    }
}
