//! Acts once on a request that comes twice.
//!
//! The official CLI sends a request again when the connection breaks, whatever its method, and up
//! to five times; the repetition has the same `Request-Id`. It gets the first one's answer, so that
//! no build, dyno or release is made twice. A request that began is also carried to its end when
//! its client is gone: otherwise the repetition could meet it half done.
//!
//! What was refused did not act, so only successes are kept; and they are kept in memory only: a
//! server that is killed between acting and answering does not know the repetition.

use super::{panics, request_id};
use crate::extract::{Login, body};
use crate::{Api, ApiError};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tracing::Instrument;

/// Longer than all repetitions of the official CLI take together.
const KEPT: Duration = Duration::from_mins(2);
/// Answers kept at most; above it the oldest go.
const LIMIT: usize = 256;
/// A longer answer is not kept.
const SIZE_LIMIT: usize = 64 * 1024;

/// A hash of who asked for what, under which id.
type Key = [u8; 32];
/// An answer that is there or on its way.
type Pending = Shared<BoxFuture<'static, Answer>>;

/// What requests that may come again were answered.
#[derive(Default)]
pub(crate) struct Answers(Mutex<HashMap<Key, (Instant, Pending)>>);

/// One answer, whole in memory.
#[derive(Clone)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

/// Lets the first of several equal requests through and gives its answer to all of them. Needs to
/// know who asks, so it comes behind the authentication.
pub(crate) async fn act(State(api): State<Api>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let Some(mut key) = key(&parts) else {
        return next.run(Request::from_parts(parts, body)).await;
    };
    let bytes = match body::read(body).await {
        Ok(bytes) => bytes,
        Err(error) => return error.into_response(),
    };
    key.update(&bytes);
    let key = key.finalize().into();
    let request = Request::from_parts(parts, Body::from(bytes));
    let answer = api.answers().get_or(key, || begin(api.clone(), key, request, next));
    answer.await.into_response()
}

/// Who asks for what under which id; the body is still to be added. `None` if the request can be
/// repeated without harm, or has no id, or comes from nobody.
fn key(parts: &Parts) -> Option<Sha256> {
    if parts.method.is_safe() {
        return None;
    }
    let Login(actor) = parts.extensions.get::<Login>()?;
    // Not the account: another token of the same person may be allowed less.
    let who = actor.authorization.as_ref().map(|authorization| authorization.id)?;
    let ids: Vec<_> = request_id::sent(&parts.headers).collect();
    let what = parts.uri.path_and_query()?;
    if ids.is_empty() {
        return None;
    }
    let text = format!("{who}\n{}\n{what}\n{}\n", parts.method, ids.join(","));
    Some(Sha256::new_with_prefix(text))
}

/// Carries a request out in a task of its own.
fn begin(api: Api, key: Key, request: Request, next: Next) -> Pending {
    let work = async move {
        let answer = Answer::of(panics::catch(request, next).await).await;
        if !answer.status.is_success() || answer.body.len() > SIZE_LIMIT {
            api.answers().lock().remove(&key);
        }
        answer
    };
    let task = tokio::spawn(work.in_current_span());
    // The task catches panics itself; it is only cut off by the end of the server.
    async move { task.await.unwrap_or_else(|_| Answer::cut_off()) }.boxed().shared()
}

impl Answers {
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, (Instant, Pending)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get_or(&self, key: Key, begin: impl FnOnce() -> Pending) -> Pending {
        let mut answers = self.lock();
        answers.retain(|_, (at, _)| at.elapsed() < KEPT);
        if let Some((_, known)) = answers.get(&key) {
            tracing::info!("answered as before: the request came again");
            return known.clone();
        }
        if answers.len() >= LIMIT {
            let oldest = answers.iter().min_by_key(|(_, (at, _))| *at).map(|(key, _)| *key);
            oldest.and_then(|key| answers.remove(&key));
        }
        let pending = begin();
        answers.insert(key, (Instant::now(), pending.clone()));
        pending
    }
}

impl Answer {
    async fn of(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        match body.collect().await {
            Ok(body) => Self { status: parts.status, headers: parts.headers, body: body.to_bytes() },
            Err(_) => Self::cut_off(),
        }
    }

    fn cut_off() -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
        let error = ApiError::internal_without_cause();
        let body = serde_json::to_vec(&error.body).unwrap_or_default().into();
        Self { status: error.status, headers, body }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        (self.status, self.headers, self.body).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready(body: &'static str) -> Pending {
        let answer = Answer { status: StatusCode::CREATED, headers: HeaderMap::new(), body: body.into() };
        async move { answer }.boxed().shared()
    }

    #[tokio::test]
    async fn answers_are_given_again_and_only_so_many_are_kept() {
        let answers = Answers::default();
        assert_eq!(answers.get_or([0; 32], || ready("first")).await.body, "first");
        assert_eq!(answers.get_or([0; 32], || ready("second")).await.body, "first");
        for number in 1..=LIMIT {
            let mut key = [1; 32];
            key[..8].copy_from_slice(&number.to_le_bytes());
            drop(answers.get_or(key, || ready("other")));
        }
        assert_eq!(answers.lock().len(), LIMIT);
        assert_eq!(answers.get_or([0; 32], || ready("third")).await.body, "third", "the oldest went");
    }
}
