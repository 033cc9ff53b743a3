//! Reports about databases: what the official CLI asks `PGDIAGNOSE_URL` for, and the figures that it would
//! send along.

use crate::extract::{Body, Login};
use crate::{Api, ApiError, ServerOf, present};
use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use ops::Permission;
use ops::postgres::reports::{self, Wish};
use serde_json::{Value, json};
use wire::data::postgres::{CreateReport, Metric, Report};

/// `POST /reports`
pub(crate) async fn create(
    State(api): State<Api>,
    Login(actor): Login,
    Body(body): Body<CreateReport>,
) -> Result<(StatusCode, Json<Report>), ApiError> {
    let CreateReport { app, database, url } = body;
    let wish = Wish { app, database, url };
    let found = reports::by_url(api.ops(), &actor, &wish.url).await?;
    let whose = if found.plan.shared { ServerOf::Many } else { ServerOf::One };
    let checks = api.databases().diagnose(found.ready()?, found.plan.connections, whose).await?;
    let report = reports::keep(api.ops(), &actor, &found, &wish, checks).await?;
    Ok((StatusCode::CREATED, Json(present::report(report))))
}

/// `GET /reports/{report}`
pub(crate) async fn info(
    State(api): State<Api>,
    Login(actor): Login,
    Path(report): Path<String>,
) -> Result<Json<Report>, ApiError> {
    Ok(Json(present::report(reports::info(api.ops(), &actor, &report).await?)))
}

/// `GET /client/v11/databases/{database}/metrics`
pub(crate) async fn metrics(
    State(api): State<Api>,
    Login(actor): Login,
    Path(database): Path<String>,
) -> Result<Json<Vec<Metric>>, ApiError> {
    let samples = reports::samples(api.ops(), &actor, &database).await?;
    Ok(Json(samples.into_iter().map(|(name, value)| Metric { name, value }).collect()))
}

/// `GET /client/v11/databases/{database}/burst_status`: nothing is lent here that could run out.
pub(crate) async fn burst_status(
    State(api): State<Api>,
    Login(actor): Login,
    Path(database): Path<String>,
) -> Result<Json<Value>, ApiError> {
    ops::postgres::find(api.ops(), &actor, &database, Permission::Read).await?;
    Ok(Json(json!({})))
}
