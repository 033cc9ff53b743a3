//! The marketplace: `/addon-services`, `/plans`, `/addon-region-capabilities`. It is the same for
//! everybody and no secret, so it can be read without a login.

use crate::ranges::{Page, Range};
use crate::{Api, ApiError, present};
use addons::Definition;
use axum::Json;
use axum::extract::{Path, State};
use wire::addon::{Plan, RegionCapability, Service};

fn find(api: &Api, identity: &str) -> Result<Definition, ApiError> {
    let found = api.ops().catalog().service(identity).cloned();
    found.ok_or_else(|| ApiError::not_found("add-on service"))
}

/// `GET /addon-services`
pub(crate) async fn list(State(api): State<Api>, range: Range) -> Result<Page, ApiError> {
    let list: Vec<_> = api.ops().catalog().services().map(present::addon_service).collect();
    Page::select(&range, &["id", "name"], &list)
}

/// `GET /addon-services/{service}`
pub(crate) async fn info(
    State(api): State<Api>,
    Path(service): Path<String>,
) -> Result<Json<Service>, ApiError> {
    Ok(Json(present::addon_service(&find(&api, &service)?)))
}

/// `GET /addon-services/{service}/plans`
pub(crate) async fn plans(
    State(api): State<Api>,
    Path(service): Path<String>,
    range: Range,
) -> Result<Page, ApiError> {
    let service = find(&api, &service)?;
    let list: Vec<_> = service.plans.iter().map(|plan| present::plan(&service, plan)).collect();
    Page::select(&range, &["id", "name"], &list)
}

/// `GET /addon-services/{service}/plans/{plan}`
pub(crate) async fn plan_of_service(
    State(api): State<Api>,
    Path((service, plan)): Path<(String, String)>,
) -> Result<Json<Plan>, ApiError> {
    let service = find(&api, &service)?;
    let name = plan.rsplit_once(':').map_or(plan.as_str(), |(_, name)| name);
    let by_id = || service.plans.iter().find(|one| service.plan_id(one).to_string() == plan);
    let found = service.plan(name).or_else(by_id).ok_or_else(|| ApiError::not_found("plan"))?;
    Ok(Json(present::plan(&service, found)))
}

/// `GET /plans/{plan}`
pub(crate) async fn plan(State(api): State<Api>, Path(plan): Path<String>) -> Result<Json<Plan>, ApiError> {
    let catalog = api.ops().catalog();
    let found = catalog.plan(&plan);
    let (service, plan) = found.ok_or_else(|| ApiError::not_found("plan"))?;
    Ok(Json(present::plan(service, plan)))
}

fn capabilities<'a>(services: impl Iterator<Item = &'a Definition>) -> Vec<RegionCapability> {
    let regions = ops::regions::list();
    services
        .flat_map(|service| regions.iter().map(move |region| present::region_capability(service, region)))
        .collect()
}

/// `GET /addon-region-capabilities`
pub(crate) async fn region_capabilities(State(api): State<Api>, range: Range) -> Result<Page, ApiError> {
    Page::select(&range, &["id"], &capabilities(api.ops().catalog().services()))
}

/// `GET /addon-services/{service}/region-capabilities`
pub(crate) async fn region_capabilities_of_service(
    State(api): State<Api>,
    Path(service): Path<String>,
    range: Range,
) -> Result<Page, ApiError> {
    Page::select(&range, &["id"], &capabilities(std::iter::once(&find(&api, &service)?)))
}

/// `GET /regions/{region}/addon-region-capabilities`
pub(crate) async fn region_capabilities_of_region(
    State(api): State<Api>,
    Path(region): Path<String>,
    range: Range,
) -> Result<Page, ApiError> {
    let region = ops::regions::info(&region)?;
    let mut list = capabilities(api.ops().catalog().services());
    list.retain(|one| one.region.id == region.id);
    Page::select(&range, &["id"], &list)
}
