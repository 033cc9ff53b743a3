//! Log drains: `/apps/{app}/log-drains`, and of add-ons `/addons/{addon}/log-drains`.

use crate::extract::{Body, Login, PartnerLogin, Who};
use crate::ranges::{Page, Range};
use crate::{Api, ApiError, present};
use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use wire::log_drain::{Create, LogDrain, Update};

/// `GET /apps/{app}/log-drains`
pub(crate) async fn list(
    State(api): State<Api>,
    Login(actor): Login,
    Path(app): Path<String>,
    range: Range,
) -> Result<Page, ApiError> {
    let list = ops::drains::list(api.ops(), &actor, &app).await?;
    let list: Vec<_> = list.iter().map(present::log_drain).collect();
    Page::select(&range, &["id", "token"], &list)
}

/// `GET /apps/{app}/log-drains/{drain}`, by id, address or token.
pub(crate) async fn info(
    State(api): State<Api>,
    Login(actor): Login,
    Path((app, drain)): Path<(String, String)>,
) -> Result<Json<LogDrain>, ApiError> {
    let info = ops::drains::info(api.ops(), &actor, &app, &drain).await?;
    Ok(Json(present::log_drain(&info)))
}

/// `POST /apps/{app}/log-drains`
pub(crate) async fn create(
    State(api): State<Api>,
    Login(actor): Login,
    Path(app): Path<String>,
    Body(body): Body<Create>,
) -> Result<(StatusCode, Json<LogDrain>), ApiError> {
    let info = ops::drains::create(api.ops(), &actor, &app, &body.url).await?;
    Ok((StatusCode::CREATED, Json(present::log_drain(&info))))
}

/// `DELETE /apps/{app}/log-drains/{drain}`
pub(crate) async fn delete(
    State(api): State<Api>,
    Login(actor): Login,
    Path((app, drain)): Path<(String, String)>,
) -> Result<Json<LogDrain>, ApiError> {
    let info = ops::drains::destroy(api.ops(), &actor, &app, &drain).await?;
    Ok(Json(present::log_drain(&info)))
}

/// `GET /addons/{addon}/log-drains`
pub(crate) async fn list_of_addon(
    State(api): State<Api>,
    who: Who,
    Path(addon): Path<String>,
    range: Range,
) -> Result<Page, ApiError> {
    let list = match who {
        Who::User(actor) => ops::drains::of_addon(api.ops(), &actor, &addon).await?,
        Who::Partner(caller) => ops::partners::drains(api.ops(), &caller, &addon).await?,
    };
    let list: Vec<_> = list.iter().map(present::log_drain).collect();
    Page::select(&range, &["id", "token"], &list)
}

/// `PUT /addons/{addon}/log-drains/{drain}`, by id, address or token.
pub(crate) async fn update(
    State(api): State<Api>,
    PartnerLogin(caller): PartnerLogin,
    Path((addon, drain)): Path<(String, String)>,
    Body(body): Body<Update>,
) -> Result<Json<LogDrain>, ApiError> {
    let info = ops::partners::set_drain(api.ops(), &caller, &addon, &drain, body.url).await?;
    Ok(Json(present::log_drain(&info)))
}
