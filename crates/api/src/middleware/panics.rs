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
    AssertUnwindSafe(next.run(request)).catch_unwind().await.unwrap_or_else(|panic| {
        // Which request it was says the span.
        tracing::error!(panic = words(panic.as_ref()), "a handler panicked");
        ApiError::internal_without_cause().into_response()
    })
}

fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no words")
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::body::Body;
    use axum::middleware::from_fn;
    use axum::routing::get;
    use tower::ServiceExt;

    #[tokio::test]
    async fn a_panic_is_an_internal_error_and_its_words_stay_inside() {
        async fn broken() -> &'static str {
            panic!("secret words")
        }
        let router = Router::new().route("/", get(broken)).layer(from_fn(catch));
        let request = http::Request::get("/").body(Body::empty()).unwrap();
        let response = router.oneshot(request).await.unwrap();
        assert_eq!(response.status(), 500);
        let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
        let body = String::from_utf8_lossy(&body);
        assert!(body.contains("internal_server_error") && !body.contains("secret words"), "{body}");
    }
}
