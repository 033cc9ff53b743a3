//! Searching logs: `/apps/{app}/papertrail/sessions`, `/apps/{app}/papertrail/searches`. Kigo's own.

use super::log_sessions::{LINES, MAX_LINES, life};
use crate::extract::{Body, Login, Origin};
use crate::{Api, ApiError, present};
use axum::Json;
use axum::extract::{Path, State};
use domain::{AppId, LogQuery};
use http::StatusCode;
use logs::session::Session;
use ops::papertrail::{self, AlertSet};
use wire::log_session::LogSession;
use wire::papertrail::{Look, Search, Set};

/// `POST /apps/{app}/papertrail/sessions`: the address of a stream with the lines that match.
pub(crate) async fn look(
    State(api): State<Api>,
    Login(actor): Login,
    Path(app): Path<String>,
    origin: Origin,
    Body(body): Body<Look>,
) -> Result<(StatusCode, Json<LogSession>), ApiError> {
    let window = papertrail::window(api.ops(), &actor, &app).await?;
    let query = LogQuery::parse(&body.query).map_err(|error| ApiError::invalid_params(error.0))?;
    let tail = body.tail.unwrap_or(false);
    if tail && body.until.is_some() {
        return Err(ApiError::invalid_params(
            "Lines to come are not before a given time: leave out one of the two.",
        ));
    }
    let now = api.ops().now();
    let session = Session {
        app: window.app.id,
        process: None,
        process_type: None,
        source: None,
        search: Some(query),
        since: Some(body.since.map_or(window.since, |since| since.0.max(window.since))),
        until: body.until.map(|until| until.0),
        lines: body.lines.unwrap_or(LINES).min(MAX_LINES) as usize,
        tail,
        expires: life(now, tail),
    };
    let token = logs::session::sign(api.log_key(), &session);
    let shown = LogSession {
        id: uuid::Uuid::new_v4(),
        logplex_url: format!("{}/streams/logs/{token}", origin.0),
        created_at: now.into(),
        updated_at: now.into(),
    };
    Ok((StatusCode::CREATED, Json(shown)))
}

/// What is asked for, with the last line that there is now.
pub(crate) async fn set(
    api: &Api,
    actor: &ops::Actor,
    app: &str,
    body: Set,
) -> Result<papertrail::Set, ApiError> {
    let window = papertrail::window(api.ops(), actor, app).await?;
    let Set { name, query, alert, no_alert } = body;
    let alert = match alert {
        Some(wire::papertrail::AlertSet { every, webhook, email }) => {
            Some(Some(AlertSet { every, webhook, email }))
        }
        None => no_alert.then_some(None),
    };
    Ok(papertrail::Set { name, query, alert, seen: head(api, window.app.id).await? })
}

async fn head(api: &Api, app: AppId) -> Result<u64, ApiError> {
    let head = api.logs().head(app).await.map_err(|error| ApiError::internal(&error))?;
    Ok(head.0)
}

/// `GET /apps/{app}/papertrail/searches`
pub(crate) async fn list(
    State(api): State<Api>,
    Login(actor): Login,
    Path(app): Path<String>,
) -> Result<Json<Vec<Search>>, ApiError> {
    let list = papertrail::list(api.ops(), &actor, &app).await?;
    Ok(Json(list.iter().map(present::search).collect()))
}

/// `POST /apps/{app}/papertrail/searches`
pub(crate) async fn create(
    State(api): State<Api>,
    Login(actor): Login,
    Path(app): Path<String>,
    Body(body): Body<Set>,
) -> Result<(StatusCode, Json<Search>), ApiError> {
    let set = set(&api, &actor, &app, body).await?;
    let search = papertrail::create(api.ops(), &actor, &app, set).await?;
    Ok((StatusCode::CREATED, Json(present::search(&search))))
}

/// `PATCH /apps/{app}/papertrail/searches/{search}`, by name or id.
pub(crate) async fn update(
    State(api): State<Api>,
    Login(actor): Login,
    Path((app, search)): Path<(String, String)>,
    Body(body): Body<Set>,
) -> Result<Json<Search>, ApiError> {
    let set = set(&api, &actor, &app, body).await?;
    Ok(Json(present::search(&papertrail::update(api.ops(), &actor, &app, &search, set).await?)))
}

/// `DELETE /apps/{app}/papertrail/searches/{search}`, by name or id.
pub(crate) async fn delete(
    State(api): State<Api>,
    Login(actor): Login,
    Path((app, search)): Path<(String, String)>,
) -> Result<Json<Search>, ApiError> {
    Ok(Json(present::search(&papertrail::destroy(api.ops(), &actor, &app, &search).await?)))
}
