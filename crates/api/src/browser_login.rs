//! Login through a web browser, as the official CLI does it by default.
//!
//! The CLI asks `POST /auth` for two addresses; a person opens one, proves who they are and sees
//! what asks to be let in; the CLI polls the other until then. A login that waits lives in memory
//! for ten minutes: after a restart of the server it has to be begun anew.

use crate::extract::Body;
use crate::extract::body::PATIENCE;
use crate::streams::with_heartbeat;
use crate::{Api, ApiError};
use axum::body::Body as HttpBody;
use axum::extract::{FromRequest, Path, Request, State};
use axum::response::{Html, IntoResponse, Response};
use axum::{Form, Json};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderName, StatusCode, header};
use std::collections::HashMap;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use subtle::ConstantTimeEq;
use tokio::sync::watch;
use uuid::Uuid;
use wire::browser_login::{Begin, Begun, Outcome};

/// How long a login may take; the CLI gives up then too.
const LIFE: Duration = Duration::from_mins(10);
/// Seconds that a token from a browser is good for: a year, as on Heroku.
const TOKEN_LIFE: i64 = 365 * 24 * 3600;
/// How many logins may wait at once. They are asked for without proof of anything, so their number
/// is bounded.
const WAITING: usize = 1000;
/// Wrong passwords until a login is over, against trying them out.
const ATTEMPTS: u32 = 5;

/// The logins that wait.
#[derive(Default)]
pub(crate) struct Logins(Mutex<HashMap<Uuid, Login>>);

struct Login {
    description: String,
    /// Secret of the CLI's side. The browser's side never sees it.
    token: String,
    since: Instant,
    attempts: u32,
    outcome: watch::Sender<Option<Outcome>>,
}

impl Logins {
    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Login>> {
        // The map is whole after every statement, also after one that panicked.
        let mut logins = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        logins.retain(|_, login| login.since.elapsed() < LIFE);
        logins
    }
}

/// `POST /auth`
pub(crate) async fn begin(
    State(api): State<Api>,
    Body(body): Body<Begin>,
) -> Result<(StatusCode, Json<Begun>), ApiError> {
    let (id, token) = (Uuid::new_v4(), format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple()));
    let description = body.description.chars().take(200).collect();
    let login = Login {
        description,
        token: token.clone(),
        since: Instant::now(),
        attempts: 0,
        outcome: watch::Sender::new(None),
    };
    let mut logins = api.logins().lock();
    if logins.len() >= WAITING {
        return Err(ApiError::rate_limited());
    }
    logins.insert(id, login);
    let begun =
        Begun { browser_url: format!("/auth/browser/{id}"), cli_url: format!("/auth/cli/{id}"), token };
    Ok((StatusCode::CREATED, Json(begun)))
}

/// `GET /auth/browser/{id}`: the form.
pub(crate) async fn form(State(api): State<Api>, Path(id): Path<Uuid>) -> Response {
    match api.logins().lock().get(&id) {
        Some(login) => page(StatusCode::OK, &form_html(&login.description, "")),
        None => page(StatusCode::NOT_FOUND, GONE),
    }
}

/// What the form sends.
#[derive(serde::Deserialize)]
pub(crate) struct Credentials {
    email: String,
    password: String,
}

/// `POST /auth/browser/{id}`: lets the CLI in, if the password is right.
pub(crate) async fn submit(State(api): State<Api>, Path(id): Path<Uuid>, request: Request) -> Response {
    let form = Form::<Credentials>::from_request(request, &());
    let credentials = match tokio::time::timeout(PATIENCE, form).await {
        Ok(Ok(Form(credentials))) => credentials,
        Ok(Err(refusal)) => return refusal.into_response(),
        Err(_) => return ApiError::request_timeout().into_response(),
    };
    let description = {
        let mut logins = api.logins().lock();
        let Some(login) = logins.get_mut(&id) else { return page(StatusCode::NOT_FOUND, GONE) };
        login.attempts += 1;
        if login.attempts > ATTEMPTS {
            login.outcome.send_replace(Some(Outcome::Error("too many wrong passwords".into())));
            return page(StatusCode::FORBIDDEN, GONE);
        }
        login.description.clone()
    };
    match issue(&api, &credentials, &description).await {
        Ok(token) => {
            if let Some(login) = api.logins().lock().get(&id) {
                login.outcome.send_replace(Some(Outcome::AccessToken(token)));
            }
            page(
                StatusCode::OK,
                "<h1>Logged in</h1><p>You can close this page and return to your terminal.</p>",
            )
        }
        Err(error) => page(error.status, &form_html(&description, &error.body.message)),
    }
}

/// A token for whom the credentials name.
async fn issue(api: &Api, credentials: &Credentials, description: &str) -> Result<String, ApiError> {
    let actor = ops::accounts::log_in(api.ops(), &credentials.email, &credentials.password).await?;
    let create = ops::authorizations::Create {
        description: (!description.is_empty()).then(|| description.to_owned()),
        expires_in: Some(TOKEN_LIFE),
        scope: Vec::new(),
    };
    Ok(ops::authorizations::create_session(api.ops(), &actor, create).await?.token)
}

/// `GET /auth/cli/{id}`: waits for the person. The answer begins at once and spaces go out until it
/// is known, because the CLI gives up on a connection that is silent for a minute; JSON allows them.
pub(crate) async fn poll(
    State(api): State<Api>,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let bearer = bearer.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    let (mut outcome, end) = {
        let logins = api.logins().lock();
        let login = logins.get(&id).ok_or_else(|| ApiError::not_found("login"))?;
        if !bool::from(login.token.as_bytes().ct_eq(bearer.as_bytes())) {
            return Err(ApiError::unauthorized());
        }
        (login.outcome.subscribe(), login.since + LIFE)
    };
    let (waiting, heartbeat, shutdown) = (api.clone(), api.config().heartbeat, api.shutdown());
    let answer = async move {
        let outcome = tokio::select! {
            outcome = outcome.wait_for(Option::is_some) => outcome.ok().and_then(|outcome| outcome.clone()),
            () = tokio::time::sleep_until(end.into()) => None,
            () = shutdown.cancelled() => Some(Outcome::Error("the server is restarting; please log in again".into())),
        };
        waiting.logins().lock().remove(&id);
        let outcome = outcome.unwrap_or_else(|| Outcome::Error("nobody logged in within ten minutes".into()));
        serde_json::to_vec(&outcome).map(Bytes::from).map_err(io::Error::other)
    };
    let stream = with_heartbeat(stream::once(answer), b" ", heartbeat, std::future::pending());
    Ok(([(header::CONTENT_TYPE, "application/json")], HttpBody::from_stream(stream)).into_response())
}

const GONE: &str = "<h1>This login is over</h1><p>It has expired or was completed. Begin again with <code>heroku login</code>.</p>";

fn form_html(description: &str, error: &str) -> String {
    format!(
        "<h1>Log in to Kigo</h1><p>“{}” asks for access to your account. Go on only if you have just \
         started this in your own terminal.</p><p role=alert>{}</p>\
         <form method=post><p><label>Email <input name=email type=email autocomplete=username required autofocus></label>\
         <p><label>Password <input name=password type=password autocomplete=current-password required></label>\
         <p><button>Log in</button></form>",
        escape(description),
        escape(error)
    )
}

/// Makes text safe between tags.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A page that runs nothing and that no other page may frame.
fn page(status: StatusCode, body: &str) -> Response {
    let html = format!("<!doctype html><html lang=en><meta charset=utf-8><title>Kigo</title>{body}</html>");
    let headers = [
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; form-action 'self'; frame-ancestors 'none'"),
        (header::CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("referrer-policy"), "no-referrer"),
    ];
    (status, headers, Html(html)).into_response()
}
