//! Attachments: `/addon-attachments`, `/apps/{app}/addon-attachments`.

use crate::extract::{Body, Login};
use crate::ranges::{Page, Range};
use crate::{Api, ApiError, present};
use axum::Json;
use axum::extract::{Path, State};
use http::{HeaderMap, StatusCode};
use ops::attachments::AttachmentInfo;
use wire::addon::{Attachment, CreateAttachment, ResolveAttachment};

/// What a client wants to see beside the usual.
const INCLUSION: &str = "accept-inclusion";

fn shape(api: &Api, headers: &HeaderMap, info: &AttachmentInfo) -> Attachment {
    let wanted = headers.get(INCLUSION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let wants = |what: &str| wanted.split(',').any(|word| word.trim() == what);
    present::attachment(api.ops().settings(), info, wants("addon:plan"), wants("config_vars"))
}

fn page(api: &Api, headers: &HeaderMap, range: &Range, list: &[AttachmentInfo]) -> Result<Page, ApiError> {
    let list: Vec<_> = list.iter().map(|info| shape(api, headers, info)).collect();
    Page::select(range, &["id", "name"], &list)
}

/// `GET /addon-attachments`
pub(crate) async fn list(
    State(api): State<Api>,
    Login(actor): Login,
    headers: HeaderMap,
    range: Range,
) -> Result<Page, ApiError> {
    page(&api, &headers, &range, &ops::attachments::list(api.ops(), &actor).await?)
}

/// `GET /apps/{app}/addon-attachments`
pub(crate) async fn list_of_app(
    State(api): State<Api>,
    Login(actor): Login,
    Path(app): Path<String>,
    headers: HeaderMap,
    range: Range,
) -> Result<Page, ApiError> {
    page(&api, &headers, &range, &ops::attachments::list_of_app(api.ops(), &actor, &app).await?)
}

/// `GET /addons/{addon}/addon-attachments`
pub(crate) async fn list_of_addon(
    State(api): State<Api>,
    Login(actor): Login,
    Path(addon): Path<String>,
    headers: HeaderMap,
    range: Range,
) -> Result<Page, ApiError> {
    page(&api, &headers, &range, &ops::attachments::list_of_addon(api.ops(), &actor, &addon).await?)
}

/// `GET /addon-attachments/{attachment}`
pub(crate) async fn info(
    State(api): State<Api>,
    Login(actor): Login,
    Path(attachment): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Attachment>, ApiError> {
    Ok(Json(shape(&api, &headers, &ops::attachments::info(api.ops(), &actor, &attachment).await?)))
}

/// `GET /apps/{app}/addon-attachments/{attachment}`, by name or id.
pub(crate) async fn info_of_app(
    State(api): State<Api>,
    Login(actor): Login,
    Path((app, attachment)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Json<Attachment>, ApiError> {
    Ok(Json(shape(
        &api,
        &headers,
        &ops::attachments::info_of_app(api.ops(), &actor, &app, &attachment).await?,
    )))
}

/// `POST /addon-attachments`
pub(crate) async fn create(
    State(api): State<Api>,
    Login(actor): Login,
    headers: HeaderMap,
    Body(body): Body<CreateAttachment>,
) -> Result<(StatusCode, Json<Attachment>), ApiError> {
    let create = ops::attachments::Create {
        addon: body.addon.as_str().to_owned(),
        app: body.app.as_str().to_owned(),
        name: body.name,
        confirm: body.confirm,
        namespace: body.namespace,
    };
    let info = ops::attachments::create(api.ops(), &actor, create).await?;
    Ok((StatusCode::CREATED, Json(shape(&api, &headers, &info))))
}

/// `DELETE /addon-attachments/{attachment}`
pub(crate) async fn delete(
    State(api): State<Api>,
    Login(actor): Login,
    Path(attachment): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Attachment>, ApiError> {
    Ok(Json(shape(&api, &headers, &ops::attachments::destroy(api.ops(), &actor, &attachment).await?)))
}

/// `POST /actions/addon-attachments/resolve`
pub(crate) async fn resolve(
    State(api): State<Api>,
    Login(actor): Login,
    headers: HeaderMap,
    Body(body): Body<ResolveAttachment>,
) -> Result<Json<Vec<Attachment>>, ApiError> {
    let ResolveAttachment { addon_attachment, app, addon_service } = body;
    let (app, service) = (app.as_deref(), addon_service.as_deref());
    let found = ops::attachments::resolve(api.ops(), &actor, &addon_attachment, app, service).await?;
    Ok(Json(found.iter().map(|info| shape(&api, &headers, info)).collect()))
}
