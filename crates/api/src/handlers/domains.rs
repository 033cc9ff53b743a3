//! Domains: `/apps/{app}/domains`.

use crate::extract::{Body, Login};
use crate::ranges::{Page, Range};
use crate::{Api, ApiError, present};
use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use ops::domains::DomainInfo;
use wire::domain::{Create, Domain};

/// A custom domain points to the app's default host name.
fn shape(api: &Api, info: &DomainInfo) -> Domain {
    present::domain(info, &format!("{}.{}", info.app.name, api.ops().settings().base_domain))
}

/// `GET /apps/{app}/domains`
pub(crate) async fn list(
    State(api): State<Api>,
    Login(actor): Login,
    Path(app): Path<String>,
    range: Range,
) -> Result<Page, ApiError> {
    let list = ops::domains::list(api.ops(), &actor, &app).await?;
    let list: Vec<_> = list.iter().map(|info| shape(&api, info)).collect();
    Page::select(&range, &["id", "hostname"], &list)
}

/// `GET /apps/{app}/domains/{domain}`, by id or host name.
pub(crate) async fn info(
    State(api): State<Api>,
    Login(actor): Login,
    Path((app, domain)): Path<(String, String)>,
) -> Result<Json<Domain>, ApiError> {
    let info = ops::domains::info(api.ops(), &actor, &app, &domain).await?;
    Ok(Json(shape(&api, &info)))
}

/// `POST /apps/{app}/domains`
pub(crate) async fn create(
    State(api): State<Api>,
    Login(actor): Login,
    Path(app): Path<String>,
    Body(body): Body<Create>,
) -> Result<(StatusCode, Json<Domain>), ApiError> {
    if body.sni_endpoint.is_some() {
        return Err(ApiError::invalid_params(
            "Certificates of one's own are not served yet; leave `sni_endpoint` null.",
        ));
    }
    let info = ops::domains::create(api.ops(), &actor, &app, &body.hostname).await?;
    Ok((StatusCode::CREATED, Json(shape(&api, &info))))
}

/// `DELETE /apps/{app}/domains/{domain}`
pub(crate) async fn delete(
    State(api): State<Api>,
    Login(actor): Login,
    Path((app, domain)): Path<(String, String)>,
) -> Result<Json<Domain>, ApiError> {
    let info = ops::domains::destroy(api.ops(), &actor, &app, &domain).await?;
    Ok(Json(shape(&api, &info)))
}
