//! Jobs of the scheduler: `/apps/{app}/scheduler/jobs`, `/apps/{app}/scheduler/runs`. Kigo's own; Heroku's
//! scheduler has a page and no API.

use crate::extract::{Body, Login};
use crate::{Api, ApiError, present};
use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use ops::scheduler;
use wire::scheduler::{Job, Run, Set};

fn set(body: Set) -> scheduler::Set {
    let Set { command, size, frequency, timezone, overlap } = body;
    scheduler::Set { command, size, frequency, timezone, overlap }
}

fn shape(api: &Api, info: &scheduler::JobInfo) -> Job {
    present::job(info, api.ops().now())
}

/// `GET /apps/{app}/scheduler/jobs`
pub(crate) async fn list(
    State(api): State<Api>,
    Login(actor): Login,
    Path(app): Path<String>,
) -> Result<Json<Vec<Job>>, ApiError> {
    let list = scheduler::list(api.ops(), &actor, &app).await?;
    Ok(Json(list.iter().map(|info| shape(&api, info)).collect()))
}

/// `POST /apps/{app}/scheduler/jobs`
pub(crate) async fn create(
    State(api): State<Api>,
    Login(actor): Login,
    Path(app): Path<String>,
    Body(body): Body<Set>,
) -> Result<(StatusCode, Json<Job>), ApiError> {
    let info = scheduler::create(api.ops(), &actor, &app, set(body)).await?;
    Ok((StatusCode::CREATED, Json(shape(&api, &info))))
}

/// `GET /apps/{app}/scheduler/jobs/{job}`
pub(crate) async fn info(
    State(api): State<Api>,
    Login(actor): Login,
    Path((app, job)): Path<(String, String)>,
) -> Result<Json<Job>, ApiError> {
    Ok(Json(shape(&api, &scheduler::info(api.ops(), &actor, &app, &job).await?)))
}

/// `PATCH /apps/{app}/scheduler/jobs/{job}`
pub(crate) async fn update(
    State(api): State<Api>,
    Login(actor): Login,
    Path((app, job)): Path<(String, String)>,
    Body(body): Body<Set>,
) -> Result<Json<Job>, ApiError> {
    Ok(Json(shape(&api, &scheduler::update(api.ops(), &actor, &app, &job, set(body)).await?)))
}

/// `DELETE /apps/{app}/scheduler/jobs/{job}`
pub(crate) async fn delete(
    State(api): State<Api>,
    Login(actor): Login,
    Path((app, job)): Path<(String, String)>,
) -> Result<Json<Job>, ApiError> {
    Ok(Json(shape(&api, &scheduler::destroy(api.ops(), &actor, &app, &job).await?)))
}

/// `POST /apps/{app}/scheduler/jobs/{job}/actions/run`
pub(crate) async fn run(
    State(api): State<Api>,
    Login(actor): Login,
    Path((app, job)): Path<(String, String)>,
) -> Result<(StatusCode, Json<Run>), ApiError> {
    let (job, run) = scheduler::run(api.ops(), &actor, &app, &job).await?;
    Ok((StatusCode::CREATED, Json(present::run(&job, &run))))
}

/// `GET /apps/{app}/scheduler/runs`
pub(crate) async fn runs(
    State(api): State<Api>,
    Login(actor): Login,
    Path(app): Path<String>,
) -> Result<Json<Vec<Run>>, ApiError> {
    let list = scheduler::history(api.ops(), &actor, &app, None).await?;
    Ok(Json(list.iter().map(|(job, run)| present::run(job, run)).collect()))
}

/// `GET /apps/{app}/scheduler/jobs/{job}/runs`
pub(crate) async fn runs_of_job(
    State(api): State<Api>,
    Login(actor): Login,
    Path((app, job)): Path<(String, String)>,
) -> Result<Json<Vec<Run>>, ApiError> {
    let list = scheduler::history(api.ops(), &actor, &app, Some(&job)).await?;
    Ok(Json(list.iter().map(|(job, run)| present::run(job, run)).collect()))
}
