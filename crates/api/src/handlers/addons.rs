//! Add-ons: `/addons`, `/apps/{app}/addons`, `/actions/addons/resolve`.

use crate::extract::{Body, Login};
use crate::ranges::{Page, Range};
use crate::{Api, ApiError, present};
use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use ops::addons::AddonInfo;
use std::time::Duration;
use wire::addon::{Addon, Config, Create, Delete, Resolve, Update};

/// How long an answer waits for what is quick to make, so that its user is told that it is there.
const PATIENCE: Duration = Duration::from_secs(4);

fn shape(api: &Api, info: &AddonInfo) -> Addon {
    present::addon(api.ops().settings(), info)
}

fn page(api: &Api, range: &Range, list: &[AddonInfo]) -> Result<Page, ApiError> {
    let list: Vec<_> = list.iter().map(|info| shape(api, info)).collect();
    Page::select(range, &["id", "name"], &list)
}

/// `GET /addons`
pub(crate) async fn list(
    State(api): State<Api>,
    Login(actor): Login,
    range: Range,
) -> Result<Page, ApiError> {
    page(&api, &range, &ops::addons::list(api.ops(), &actor).await?)
}

/// `GET /users/{user}/addons`
pub(crate) async fn list_of_user(
    State(api): State<Api>,
    Login(actor): Login,
    Path(user): Path<String>,
    range: Range,
) -> Result<Page, ApiError> {
    page(&api, &range, &ops::addons::list_of_user(api.ops(), &actor, &user).await?)
}

/// `GET /apps/{app}/addons`
pub(crate) async fn list_of_app(
    State(api): State<Api>,
    Login(actor): Login,
    Path(app): Path<String>,
    range: Range,
) -> Result<Page, ApiError> {
    page(&api, &range, &ops::addons::list_of_app(api.ops(), &actor, &app).await?)
}

/// `GET /addons/{addon}`
pub(crate) async fn info(
    State(api): State<Api>,
    Login(actor): Login,
    Path(addon): Path<String>,
) -> Result<Json<Addon>, ApiError> {
    Ok(Json(shape(&api, &ops::addons::info(api.ops(), &actor, &addon).await?)))
}

/// `GET /apps/{app}/addons/{addon}`
pub(crate) async fn info_of_app(
    State(api): State<Api>,
    Login(actor): Login,
    Path((app, addon)): Path<(String, String)>,
) -> Result<Json<Addon>, ApiError> {
    Ok(Json(shape(&api, &ops::addons::info_of_app(api.ops(), &actor, &app, &addon).await?)))
}

/// `POST /apps/{app}/addons`
pub(crate) async fn create(
    State(api): State<Api>,
    Login(actor): Login,
    Path(app): Path<String>,
    Body(body): Body<Create>,
) -> Result<(StatusCode, Json<Addon>), ApiError> {
    if let Some(option) = body.config.keys().next() {
        return Err(ApiError::invalid_params(format!(
            "The option {option} is not known: services here take no options (followers and forks of databases are not offered)."
        )));
    }
    let create = ops::addons::Create {
        plan: body.plan.as_str().to_owned(),
        name: body.name,
        attachment: body.attachment.and_then(|attachment| attachment.name),
        confirm: body.confirm,
    };
    let info = ops::addons::create(api.ops(), &actor, &app, create).await?;
    let info = ops::addons::settled(api.ops(), info, PATIENCE).await?;
    Ok((StatusCode::CREATED, Json(shape(&api, &info))))
}

/// `PATCH /apps/{app}/addons/{addon}`
pub(crate) async fn update(
    State(api): State<Api>,
    Login(actor): Login,
    Path((app, addon)): Path<(String, String)>,
    Body(body): Body<Update>,
) -> Result<Json<Addon>, ApiError> {
    let update =
        ops::addons::Update { name: body.name, plan: body.plan.map(|plan| plan.as_str().to_owned()) };
    Ok(Json(shape(&api, &ops::addons::update(api.ops(), &actor, &app, &addon, update).await?)))
}

/// `DELETE /apps/{app}/addons/{addon}`
pub(crate) async fn delete(
    State(api): State<Api>,
    Login(actor): Login,
    Path((app, addon)): Path<(String, String)>,
    Body(body): Body<Delete>,
) -> Result<Json<Addon>, ApiError> {
    Ok(Json(shape(&api, &ops::addons::destroy(api.ops(), &actor, &app, &addon, body.force).await?)))
}

/// `GET /addons/{addon}/config/{namespace}`
pub(crate) async fn config(
    State(api): State<Api>,
    Login(actor): Login,
    Path((addon, namespace)): Path<(String, String)>,
) -> Result<Json<Vec<Config>>, ApiError> {
    let vars = ops::attachments::of_namespace(api.ops(), &actor, &addon, &namespace).await?;
    Ok(Json(vars.into_iter().map(|(name, value)| Config { name, value: Some(value) }).collect()))
}

/// `POST /actions/addons/resolve`
pub(crate) async fn resolve(
    State(api): State<Api>,
    Login(actor): Login,
    Body(body): Body<Resolve>,
) -> Result<Json<Vec<Addon>>, ApiError> {
    let Resolve { addon, app, addon_service } = body;
    let found =
        ops::addons::resolve(api.ops(), &actor, &addon, app.as_deref(), addon_service.as_deref()).await?;
    Ok(Json(found.iter().map(|info| shape(&api, info)).collect()))
}
