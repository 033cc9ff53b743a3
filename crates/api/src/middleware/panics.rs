//! A handler that panics answers 500 as any other fault does, and the server goes on.

use crate::ApiError;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use std::any::Any;
use std::panic::AssertUnwindSafe;

/// Catches what the handler throws. The state it leaves is the store's transaction, which is
/// rolled back, and values of the request, which are gone; so going on is safe.
pub(crate) async fn catch(request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    AssertUnwindSafe(next.run(request)).catch_unwind().await.unwrap_or_else(|panic| {
        tracing::error!(%method, path, panic = words(panic.as_ref()), "a handler panicked");
        ApiError::internal_without_cause().into_response()
    })
}

fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no words")
}
