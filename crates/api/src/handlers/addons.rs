//! Add-ons: `/addons`, `/apps/{app}/addons`, `/actions/addons/resolve`.

use crate::extract::{Body, Origin, Viewer, Who};
use crate::ranges::{Page, Range};
use crate::{Api, ApiError, present};
use axum::Json;
use axum::extract::{Path, State};
use domain::AddonState;
use http::StatusCode;
use ops::addons::AddonInfo;
use serde_json::Value;
use std::time::Duration;
use wire::addon::{Addon, Config, Create, Delete, Resolve, Update};

/// How long an answer waits for what is quick to make, so that its user is told that it is there.
const PATIENCE: Duration = Duration::from_secs(4);
/// A partner may take this long to answer.
const PARTNER_PATIENCE: Duration = Duration::from_secs(28);

fn shape(api: &Api, viewer: &Viewer, info: &AddonInfo) -> Addon {
    let web_url = viewer.dashboard(api, &info.addon.service, info.addon.id);
    Addon { web_url, ..present::addon(&api.ops().catalog(), info) }
}

fn page(api: &Api, viewer: &Viewer, range: &Range, list: &[AddonInfo]) -> Result<Page, ApiError> {
    let list: Vec<_> = list.iter().map(|info| shape(api, viewer, info)).collect();
    Page::select(range, &["id", "name"], &list)
}

/// `GET /addons`
pub(crate) async fn list(State(api): State<Api>, viewer: Viewer, range: Range) -> Result<Page, ApiError> {
    page(&api, &viewer, &range, &ops::addons::list(api.ops(), &viewer.actor).await?)
}

/// `GET /users/{user}/addons`
pub(crate) async fn list_of_user(
    State(api): State<Api>,
    viewer: Viewer,
    Path(user): Path<String>,
    range: Range,
) -> Result<Page, ApiError> {
    page(&api, &viewer, &range, &ops::addons::list_of_user(api.ops(), &viewer.actor, &user).await?)
}

/// `GET /apps/{app}/addons`
pub(crate) async fn list_of_app(
    State(api): State<Api>,
    viewer: Viewer,
    Path(app): Path<String>,
    range: Range,
) -> Result<Page, ApiError> {
    page(&api, &viewer, &range, &ops::addons::list_of_app(api.ops(), &viewer.actor, &app).await?)
}

/// `GET /addons/{addon}`, also for the partner that runs it.
pub(crate) async fn info(
    State(api): State<Api>,
    who: Who,
    origin: Origin,
    Path(addon): Path<String>,
) -> Result<Json<Addon>, ApiError> {
    match who {
        Who::User(actor) => {
            let viewer = Viewer { actor, origin };
            Ok(Json(shape(&api, &viewer, &ops::addons::info(api.ops(), &viewer.actor, &addon).await?)))
        }
        Who::Partner(caller) => {
            let info = ops::partners::addon(api.ops(), &caller, &addon).await?;
            Ok(Json(present::addon(&api.ops().catalog(), &info)))
        }
    }
}

/// `GET /apps/{app}/addons/{addon}`
pub(crate) async fn info_of_app(
    State(api): State<Api>,
    viewer: Viewer,
    Path((app, addon)): Path<(String, String)>,
) -> Result<Json<Addon>, ApiError> {
    Ok(Json(shape(&api, &viewer, &ops::addons::info_of_app(api.ops(), &viewer.actor, &app, &addon).await?)))
}

/// `POST /apps/{app}/addons`
pub(crate) async fn create(
    State(api): State<Api>,
    viewer: Viewer,
    Path(app): Path<String>,
    Body(body): Body<Create>,
) -> Result<(StatusCode, Json<Addon>), ApiError> {
    let create = ops::addons::Create {
        plan: body.plan.as_str().to_owned(),
        name: body.name,
        attachment: body.attachment.and_then(|attachment| attachment.name),
        confirm: body.confirm,
        options: body.config.into_iter().map(|(name, value)| (name, text(value))).collect(),
    };
    let info = ops::addons::create(api.ops(), &viewer.actor, &app, create).await?;
    let patience = if info.resource.is_some() { PARTNER_PATIENCE } else { PATIENCE };
    let info = ops::addons::settled(api.ops(), info, patience).await?;
    if info.resource.is_some() && info.addon.state == AddonState::Failed {
        let why = info.addon.failure.unwrap_or_else(|| "The service does not make it.".into());
        return Err(ApiError::invalid_params(why));
    }
    Ok((StatusCode::CREATED, Json(shape(&api, &viewer, &info))))
}

/// Options are text; `--flag` alone comes as `true`.
fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// `PATCH /apps/{app}/addons/{addon}`
pub(crate) async fn update(
    State(api): State<Api>,
    viewer: Viewer,
    Path((app, addon)): Path<(String, String)>,
    Body(body): Body<Update>,
) -> Result<Json<Addon>, ApiError> {
    let update =
        ops::addons::Update { name: body.name, plan: body.plan.map(|plan| plan.as_str().to_owned()) };
    let info = ops::addons::update(api.ops(), &viewer.actor, &app, &addon, update).await?;
    let info = ops::partners::plan_settled(api.ops(), info, PARTNER_PATIENCE).await?;
    Ok(Json(shape(&api, &viewer, &info)))
}

/// `DELETE /apps/{app}/addons/{addon}`
pub(crate) async fn delete(
    State(api): State<Api>,
    viewer: Viewer,
    Path((app, addon)): Path<(String, String)>,
    Body(body): Body<Delete>,
) -> Result<Json<Addon>, ApiError> {
    Ok(Json(shape(
        &api,
        &viewer,
        &ops::addons::destroy(api.ops(), &viewer.actor, &app, &addon, body.force).await?,
    )))
}

/// `GET /addons/{addon}/config/{namespace}`
pub(crate) async fn config(
    State(api): State<Api>,
    viewer: Viewer,
    Path((addon, namespace)): Path<(String, String)>,
) -> Result<Json<Vec<Config>>, ApiError> {
    let vars = ops::attachments::of_namespace(api.ops(), &viewer.actor, &addon, &namespace).await?;
    Ok(Json(vars.into_iter().map(|(name, value)| Config { name, value: Some(value) }).collect()))
}

/// `POST /actions/addons/resolve`
pub(crate) async fn resolve(
    State(api): State<Api>,
    viewer: Viewer,
    Body(body): Body<Resolve>,
) -> Result<Json<Vec<Addon>>, ApiError> {
    let Resolve { addon, app, addon_service } = body;
    let found =
        ops::addons::resolve(api.ops(), &viewer.actor, &addon, app.as_deref(), addon_service.as_deref())
            .await?;
    Ok(Json(found.iter().map(|info| shape(&api, &viewer, info)).collect()))
}
