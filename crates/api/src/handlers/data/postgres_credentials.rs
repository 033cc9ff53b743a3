//! Credentials of databases: `/postgres/v0/databases/{database}/credentials`.

use super::postgres::message;
use crate::extract::{Body, Login};
use crate::{Api, ApiError, present};
use axum::Json;
use axum::extract::{Path, State};
use ops::Permission;
use ops::addons::AddonInfo;
use serde_json::Value;
use std::time::Duration;
use wire::data::postgres::{CreateCredential, Credential, Message};

/// How long an answer waits for what is quick to do, so that it has been done when its user is told.
const PATIENCE: Duration = Duration::from_secs(20);

async fn settle(api: &Api, info: &AddonInfo) -> Result<(), ApiError> {
    Ok(ops::credentials::settled(api.ops(), info.addon.id, PATIENCE).await?)
}

/// `GET /postgres/v0/databases/{database}/credentials`
pub(crate) async fn list(
    State(api): State<Api>,
    Login(actor): Login,
    Path(database): Path<String>,
) -> Result<Json<Vec<Credential>>, ApiError> {
    let found = ops::postgres::find(api.ops(), &actor, &database, Permission::ReadProtected).await?;
    let access = found.ready()?;
    let list = ops::credentials::list(api.ops(), &actor, &database).await?;
    Ok(Json(list.iter().map(|one| present::database_credential(access, one)).collect()))
}

/// `GET /postgres/v0/databases/{database}/credentials/{credential}`
pub(crate) async fn info(
    State(api): State<Api>,
    Login(actor): Login,
    Path((database, name)): Path<(String, String)>,
) -> Result<Json<Credential>, ApiError> {
    let found = ops::postgres::find(api.ops(), &actor, &database, Permission::ReadProtected).await?;
    let credential = ops::credentials::info(api.ops(), &actor, &database, &name).await?;
    Ok(Json(present::database_credential(found.ready()?, &credential)))
}

/// `POST /postgres/v0/databases/{database}/credentials`
pub(crate) async fn create(
    State(api): State<Api>,
    Login(actor): Login,
    Path(database): Path<String>,
    Body(body): Body<CreateCredential>,
) -> Result<Json<Message>, ApiError> {
    let info = ops::postgres::create_credential(api.ops(), &actor, &database, &body.name).await?;
    settle(&api, &info).await?;
    Ok(message("Credential created."))
}

/// `DELETE /postgres/v0/databases/{database}/credentials/{credential}`
pub(crate) async fn delete(
    State(api): State<Api>,
    Login(actor): Login,
    Path((database, name)): Path<(String, String)>,
) -> Result<Json<Message>, ApiError> {
    ops::postgres::find(api.ops(), &actor, &database, Permission::WriteProtected).await?;
    let info = ops::credentials::destroy(api.ops(), &actor, &database, &name).await?;
    settle(&api, &info).await?;
    Ok(message("Credential destroyed."))
}

async fn rotate_some(
    api: Api,
    actor: ops::Actor,
    database: &str,
    name: Option<&str>,
) -> Result<Json<Message>, ApiError> {
    ops::postgres::find(api.ops(), &actor, database, Permission::WriteProtected).await?;
    let info = ops::credentials::rotate(api.ops(), &actor, database, name).await?;
    settle(&api, &info).await?;
    Ok(message("Credentials rotated."))
}

/// `POST /postgres/v0/databases/{database}/credentials/{credential}/credentials_rotation`
pub(crate) async fn rotate(
    State(api): State<Api>,
    Login(actor): Login,
    Path((database, name)): Path<(String, String)>,
    Body(_): Body<Value>,
) -> Result<Json<Message>, ApiError> {
    rotate_some(api, actor, &database, Some(&name)).await
}

/// `POST /postgres/v0/databases/{database}/credentials_rotation`
pub(crate) async fn rotate_all(
    State(api): State<Api>,
    Login(actor): Login,
    Path(database): Path<String>,
    Body(_): Body<Value>,
) -> Result<Json<Message>, ApiError> {
    rotate_some(api, actor, &database, None).await
}

/// `POST /postgres/v0/databases/{database}/repair-default`
pub(crate) async fn repair_default(
    State(api): State<Api>,
    Login(actor): Login,
    Path(database): Path<String>,
) -> Result<Json<Message>, ApiError> {
    let found = ops::postgres::find(api.ops(), &actor, &database, Permission::WriteProtected).await?;
    found.own_server("Repairing the default credential")?;
    found.writable()?;
    let further = ops::credentials::list(api.ops(), &actor, &database).await?.into_iter();
    let further = further.filter(|one| one.active && !one.removed && one.name != domain::Credential::DEFAULT);
    let users: Vec<_> = further.filter_map(|one| one.values.get("user").cloned()).collect();
    api.databases().repair_owner(found.ready()?, &users).await?;
    ops::postgres::told(api.ops(), &actor, &found, "Repair the default credential of");
    Ok(message("The default credential has been repaired."))
}
