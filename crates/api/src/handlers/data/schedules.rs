//! Daily backups: `/client/v11/databases/{database}/transfer-schedules`.

use crate::extract::{Body, Login};
use crate::{Api, ApiError, present};
use axum::Json;
use axum::extract::{Path, State};
use domain::ScheduleId;
use http::StatusCode;
use ops::transfers::schedules::Set;
use wire::data::transfer::{Schedule, SetSchedule};

/// `GET /client/v11/databases/{database}/transfer-schedules`
pub(crate) async fn list(
    State(api): State<Api>,
    Login(actor): Login,
    Path(database): Path<String>,
) -> Result<Json<Vec<Schedule>>, ApiError> {
    let list = ops::transfers::schedules::list(api.ops(), &actor, &database).await?;
    Ok(Json(list.iter().map(present::schedule).collect()))
}

/// `POST /client/v11/databases/{database}/transfer-schedules`
pub(crate) async fn set(
    State(api): State<Api>,
    Login(actor): Login,
    Path(database): Path<String>,
    Body(body): Body<SetSchedule>,
) -> Result<(StatusCode, Json<Schedule>), ApiError> {
    let hour = body.hour.to_string().parse();
    let hour = hour.map_err(|_| ApiError::invalid_params("The hour is a number from 0 to 23."))?;
    let input = Set { hour, timezone: body.timezone, name: body.schedule_name };
    let schedule = ops::transfers::schedules::set(api.ops(), &actor, &database, input).await?;
    Ok((StatusCode::CREATED, Json(present::schedule(&schedule))))
}

/// `DELETE /client/v11/databases/{database}/transfer-schedules/{schedule}`
pub(crate) async fn delete(
    State(api): State<Api>,
    Login(actor): Login,
    Path((database, schedule)): Path<(String, String)>,
) -> Result<Json<Schedule>, ApiError> {
    let id = schedule.parse::<ScheduleId>().map_err(|_| ApiError::not_found("schedule"))?;
    let schedule = ops::transfers::schedules::delete(api.ops(), &actor, &database, id).await?;
    Ok(Json(present::schedule(&schedule)))
}
