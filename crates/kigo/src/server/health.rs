//! `/healthz`, `/readyz` and `/metrics` for whoever watches the server, and `/` for whoever comes
//! with a browser.

use crate::server::platform_metrics::PlatformMetrics;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use ops::Ops;
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
    ops: Ops,
    registry: Arc<Registry>,
    platform: PlatformMetrics,
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
    pub(crate) fn new(
        ops: Ops,
        mut registry: Registry,
        status: impl Fn() -> Value + Send + Sync + 'static,
    ) -> Self {
        let platform = PlatformMetrics::default();
        platform.register(&mut registry);
        let ready = Arc::new(Mutex::new(Readiness::Preparing("starting".into())));
        Self { ops, registry: Arc::new(registry), platform, ready, status: Arc::new(status) }
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
    let counted = health.platform.count(&health.ops).await.map_err(|error| error.to_string());
    let mut text = String::new();
    let encoded = counted.and_then(|()| {
        prometheus_client::encoding::text::encode(&mut text, &health.registry)
            .map_err(|error| error.to_string())
    });
    match encoded {
        Ok(()) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            (StatusCode::OK, [(header::CONTENT_TYPE, kind)], text)
        }
        Err(error) => {
            tracing::error!(error, "cannot tell metrics");
            let kind = "text/plain; charset=utf-8";
            let words = "the metrics cannot be counted now; see the server's log\n".to_owned();
            (StatusCode::INTERNAL_SERVER_ERROR, [(header::CONTENT_TYPE, kind)], words)
        }
    }
}
