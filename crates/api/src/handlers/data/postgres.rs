//! Databases: `/client/v11/databases/{database}`, by the add-on's name or id.

use crate::extract::{Body, Login};
use crate::{Api, ApiError, present};
use axum::Json;
use axum::extract::{Path, State};
use domain::AddonState;
use http::StatusCode;
use ops::Permission;
use std::time::Duration;
use wire::addon::Attachment;
use wire::data::postgres::{Database, Message, Pooling, Reset, WaitStatus};

/// How long an answer waits for a follower to become writable.
const PROMOTION: Duration = Duration::from_secs(25);

/// `GET /client/v11/databases/{database}`
pub(crate) async fn info(
    State(api): State<Api>,
    Login(actor): Login,
    Path(database): Path<String>,
) -> Result<Json<Database>, ApiError> {
    let found = ops::postgres::find(api.ops(), &actor, &database, Permission::ReadProtected).await?;
    found.ready()?;
    // One that does not answer is shown, too: that it does not is what its user wants to know.
    let figures = match &found.access {
        Some(access) => api.databases().figures(access).await,
        None => return Err(ApiError::not_found("database")),
    };
    if let Err(error) = &figures {
        tracing::warn!(database = found.addon.addon.name, %error, "a database does not answer");
    }
    let behind =
        match (&figures, found.relations.following.as_ref().and_then(|leader| leader.access.as_ref())) {
            (Ok(figures), Some(leader)) => {
                let leader = api.databases().figures(leader).await.ok();
                leader.map(|leader| leader.transaction.saturating_sub(figures.transaction))
            }
            _ => None,
        };
    let shape = present::database(&found, figures.ok().as_ref(), behind, api.ops().now());
    shape.map(Json).ok_or_else(|| ApiError::not_found("database"))
}

/// `GET /client/v11/databases/{database}/wait_status`
pub(crate) async fn wait_status(
    State(api): State<Api>,
    Login(actor): Login,
    Path(database): Path<String>,
) -> Result<Json<WaitStatus>, ApiError> {
    let found = ops::postgres::find(api.ops(), &actor, &database, Permission::Read).await?;
    let status = |waiting, message: &str| WaitStatus { waiting, error: false, message: message.to_owned() };
    let status = match (found.addon.addon.state, &found.access) {
        (AddonState::Provisioned, Some(access)) => match api.databases().figures(access).await {
            Ok(_) => status(false, "available"),
            Err(_) => status(true, "starting"),
        },
        _ if found.relations.following.is_some() => status(true, "preparing (following)"),
        _ if found.relations.forked_from.is_some() => status(true, "preparing (forking)"),
        _ => status(true, "preparing (provisioning)"),
    };
    Ok(Json(status))
}

/// `PUT /client/v11/databases/{database}/reset`
pub(crate) async fn reset(
    State(api): State<Api>,
    Login(actor): Login,
    Path(database): Path<String>,
    Body(body): Body<Reset>,
) -> Result<Json<Message>, ApiError> {
    let found = ops::postgres::find(api.ops(), &actor, &database, Permission::WriteProtected).await?;
    found.writable()?;
    let extensions = body.extensions.unwrap_or_default();
    api.databases().reset(found.ready()?, &extensions).await?;
    ops::postgres::told(api.ops(), &actor, &found, "Reset");
    Ok(message("Reset successful."))
}

/// `POST /client/v11/databases/{database}/connection_reset`
pub(crate) async fn end_connections(
    State(api): State<Api>,
    Login(actor): Login,
    Path(database): Path<String>,
) -> Result<Json<Message>, ApiError> {
    let found = ops::postgres::find(api.ops(), &actor, &database, Permission::WriteProtected).await?;
    api.databases().end_connections(found.ready()?).await?;
    ops::postgres::told(api.ops(), &actor, &found, "End all connections of");
    Ok(message("Connections terminated."))
}

/// `PUT /client/v11/databases/{database}/stats_reset`
pub(crate) async fn reset_statistics(
    State(api): State<Api>,
    Login(actor): Login,
    Path(database): Path<String>,
) -> Result<Json<Message>, ApiError> {
    let found = ops::postgres::find(api.ops(), &actor, &database, Permission::WriteProtected).await?;
    found.own_server("Resetting statistics")?;
    api.databases().reset_statistics(found.ready()?).await?;
    Ok(message("Statistics have been reset."))
}

/// `PUT /client/v11/databases/{database}/unfollow`
pub(crate) async fn unfollow(
    State(api): State<Api>,
    Login(actor): Login,
    Path(database): Path<String>,
) -> Result<Json<Message>, ApiError> {
    let found = ops::postgres::find(api.ops(), &actor, &database, Permission::WriteProtected).await?;
    found.ready()?;
    let id = found.addon.addon.id.to_string();
    let errand = ops::addons::unfollow(api.ops(), &actor, &id).await?;
    ops::addons::errand_settled(api.ops(), &errand, PROMOTION).await?;
    Ok(message(&format!("{} is writable and follows no more.", found.addon.addon.name)))
}

/// What a server of one's own can have and does not have here, each with its reason.
async fn not_offered(api: Api, actor: ops::Actor, database: &str, what: &str) -> ApiError {
    match ops::postgres::find(api.ops(), &actor, database, Permission::Read).await {
        Ok(_) => ApiError::new(StatusCode::NOT_FOUND, "not_implemented", what),
        Err(error) => error.into(),
    }
}

/// `POST /client/v11/databases/{database}/connection-pooling`
pub(crate) async fn pooling(
    State(api): State<Api>,
    Login(actor): Login,
    Path(database): Path<String>,
    Body(body): Body<Pooling>,
) -> Result<(StatusCode, Json<Attachment>), ApiError> {
    let Pooling { app, credential, name } = body;
    let made = ops::postgres::pool(api.ops(), &actor, &database, &app, credential.as_deref(), name).await?;
    let shape = present::attachment(&api.ops().settings().catalog, &made, false, false);
    Ok((StatusCode::CREATED, Json(shape)))
}

/// `…/links`
pub(crate) async fn links(
    State(api): State<Api>,
    Login(actor): Login,
    Path(database): Path<String>,
) -> Result<Json<Vec<Message>>, ApiError> {
    ops::postgres::find(api.ops(), &actor, &database, Permission::Read).await?;
    Ok(Json(Vec::new()))
}

/// `POST …/links`
pub(crate) async fn create_link(
    State(api): State<Api>,
    Login(actor): Login,
    Path(database): Path<String>,
) -> ApiError {
    let what = "Links between databases are not offered here: see `heroku pg:fdwsql`.";
    not_offered(api, actor, &database, what).await
}

/// `GET …/upgrade/wait_status`
pub(crate) async fn upgrade_status(
    State(api): State<Api>,
    Login(actor): Login,
    Path(database): Path<String>,
) -> Result<Json<WaitStatus>, ApiError> {
    let found = ops::postgres::find(api.ops(), &actor, &database, Permission::Read).await?;
    Ok(Json(WaitStatus { waiting: false, error: false, message: newest(&found) }))
}

/// There is one version at a time: that of the stack's distribution.
fn newest(found: &ops::postgres::Database) -> String {
    let (name, version) = (&found.addon.addon.name, &found.version);
    format!("{name} is already on PostgreSQL {version}, the latest supported version.")
}

/// `POST …/upgrade/{step}`
pub(crate) async fn upgrade(
    State(api): State<Api>,
    Login(actor): Login,
    Path((database, step)): Path<(String, String)>,
) -> Result<Json<Message>, ApiError> {
    let found = ops::postgres::find(api.ops(), &actor, &database, Permission::WriteProtected).await?;
    let why = match step.as_str() {
        "cancel" => format!("{} has no scheduled upgrade.", found.addon.addon.name),
        _ => newest(&found),
    };
    Err(ApiError::invalid_params(why))
}

pub(crate) fn message(text: &str) -> Json<Message> {
    Json(Message { message: text.to_owned() })
}
