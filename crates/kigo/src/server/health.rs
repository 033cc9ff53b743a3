//! `/healthz`, `/readyz` and `/metrics` for whoever watches the server, and `/` for whoever comes
//! with a browser.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, PoisonError};

/// There is no dashboard, so the origin of the API says what it is.
const WELCOME: &str = concat!(
    "Kigo ",
    env!("CARGO_PKG_VERSION"),
    ", a Heroku that you run yourself.\n\n",
    "This is the API, for the command lines `heroku` and `kigo`, and for git. There is no dashboard yet.\n",
    "On the server's machine, this points a shell at it:  eval \"$(kigo env)\"\n\n",
    "/healthz   the server answers\n",
    "/readyz    it can build and run apps; what each of its loops did last\n",
    "/metrics   for Prometheus\n",
);

/// What the pages are made of.
#[derive(Clone)]
pub(crate) struct Health {
    registry: Arc<Registry>,
    ready: Arc<Mutex<Readiness>>,
    status: Arc<dyn Fn() -> Value + Send + Sync>,
}

/// Whether the platform can do its work yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Readiness {
    /// Not yet, and what it is doing.
    Preparing(String),
    Ready,
    Stopping,
}

impl Health {
    /// `status` tells what each loop did last; it is shown by `/readyz`.
    pub(crate) fn new(registry: Registry, status: impl Fn() -> Value + Send + Sync + 'static) -> Self {
        let ready = Readiness::Preparing("starting".into());
        Self { registry: Arc::new(registry), ready: Arc::new(Mutex::new(ready)), status: Arc::new(status) }
    }

    /// Changes what `/readyz` answers.
    pub(crate) fn set(&self, readiness: Readiness) {
        *self.ready.lock().unwrap_or_else(PoisonError::into_inner) = readiness;
    }

    /// The pages. None of them needs a token, none tells a secret.
    pub(crate) fn router(self) -> Router {
        Router::new()
            .route("/", get(async || WELCOME))
            .route("/healthz", get(async || "ok\n"))
            .route("/readyz", get(ready))
            .route("/metrics", get(metrics))
            .with_state(self)
    }
}

async fn ready(State(health): State<Health>) -> impl IntoResponse {
    let readiness = health.ready.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let (code, word, doing) = match readiness {
        Readiness::Ready => (StatusCode::OK, "ready", None),
        Readiness::Preparing(doing) => (StatusCode::SERVICE_UNAVAILABLE, "preparing", Some(doing)),
        Readiness::Stopping => (StatusCode::SERVICE_UNAVAILABLE, "stopping", None),
    };
    (code, Json(json!({ "status": word, "doing": doing, "loops": (health.status)() })))
}

async fn metrics(State(health): State<Health>) -> impl IntoResponse {
    let mut text = String::new();
    match prometheus_client::encoding::text::encode(&mut text, &health.registry) {
        Ok(()) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            (StatusCode::OK, [(header::CONTENT_TYPE, kind)], text)
        }
        Err(error) => {
            let kind = "text/plain; charset=utf-8";
            (
                StatusCode::INTERNAL_SERVER_ERROR,
                [(header::CONTENT_TYPE, kind)],
                format!("cannot encode: {error}\n"),
            )
        }
    }
}
