//! Settings of databases: `/postgres/v0/databases/{database}/config`. They are kept by the server itself,
//! beside its data.

use crate::extract::{Body, Login};
use crate::{Api, ApiError, present};
use axum::Json;
use axum::extract::{Path, State};
use ops::Permission;
use serde_json::Value;
use std::collections::BTreeMap;
use wire::data::postgres::Setting;

/// `GET /postgres/v0/databases/{database}/config`
pub(crate) async fn info(
    State(api): State<Api>,
    Login(actor): Login,
    Path(database): Path<String>,
) -> Result<Json<BTreeMap<String, Setting>>, ApiError> {
    let found = ops::postgres::find(api.ops(), &actor, &database, Permission::Read).await?;
    found.own_server("Settings are")?;
    Ok(Json(present::database_settings(&api.databases().settings(found.ready()?).await?)))
}

/// `PATCH /postgres/v0/databases/{database}/config`
pub(crate) async fn update(
    State(api): State<Api>,
    Login(actor): Login,
    Path(database): Path<String>,
    Body(body): Body<BTreeMap<String, Value>>,
) -> Result<Json<BTreeMap<String, Setting>>, ApiError> {
    let found = ops::postgres::find(api.ops(), &actor, &database, Permission::WriteProtected).await?;
    found.own_server("Settings are")?;
    let access = found.ready()?;
    let wanted: Result<Vec<_>, _> =
        body.iter().map(|(name, value)| ops::postgres::written(name, value)).collect();
    for (setting, text) in wanted? {
        let (name, text) = ops::postgres::in_postgres(setting, &text);
        api.databases().change_setting(access, name, text).await?;
    }
    Ok(Json(present::database_settings(&api.databases().settings(access).await?)))
}
