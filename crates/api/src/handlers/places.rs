//! Regions, stacks, generations and dyno sizes: what there is to choose from. They are the same for
//! everybody and no secret, so they can be read without a login.

use crate::extract::Login;
use crate::ranges::{Page, Range};
use crate::{Api, ApiError, present};
use axum::Json;
use axum::extract::{Path, State};
use domain::DynoSize;
use wire::dyno_size::DynoSize as WireSize;
use wire::place::{Generation, Region, Stack};

/// `GET /regions`
pub(crate) async fn regions(range: Range) -> Result<Page, ApiError> {
    let list: Vec<_> = ops::regions::list().iter().map(present::region).collect();
    Page::select(&range, &["id", "name"], &list)
}

/// `GET /regions/{region}`
pub(crate) async fn region(Path(region): Path<String>) -> Result<Json<Region>, ApiError> {
    Ok(Json(present::region(&ops::regions::info(&region)?)))
}

/// `GET /stacks`
pub(crate) async fn stacks(range: Range) -> Result<Page, ApiError> {
    let list: Vec<_> = ops::stacks::list().iter().map(present::stack).collect();
    Page::select(&range, &["id", "name"], &list)
}

/// `GET /stacks/{stack}`
pub(crate) async fn stack(Path(stack): Path<String>) -> Result<Json<Stack>, ApiError> {
    Ok(Json(present::stack(&ops::stacks::info(&stack)?)))
}

/// `GET /apps/{app}/available-stacks`
pub(crate) async fn stacks_of_app(
    State(api): State<Api>,
    Login(actor): Login,
    Path(app): Path<String>,
    range: Range,
) -> Result<Page, ApiError> {
    ops::apps::info(api.ops(), &actor, &app).await?;
    stacks(range).await
}

/// `GET /generations`
pub(crate) async fn generations(range: Range) -> Result<Page, ApiError> {
    Page::select(&range, &["id", "name"], &[present::generation()])
}

/// `GET /generations/{generation}`
pub(crate) async fn generation(Path(identity): Path<String>) -> Result<Json<Generation>, ApiError> {
    let one = present::generation();
    let found = identity == one.name || identity == one.id.to_string();
    found.then_some(Json(one)).ok_or_else(|| ApiError::not_found("generation"))
}

/// `GET /dyno-sizes`
pub(crate) async fn dyno_sizes(range: Range) -> Result<Page, ApiError> {
    let list: Vec<_> = DynoSize::ALL.into_iter().map(present::dyno_size).collect();
    Page::select(&range, &["id", "name"], &list)
}

/// `GET /dyno-sizes/{size}`, by id or name in any case.
pub(crate) async fn dyno_size(Path(identity): Path<String>) -> Result<Json<WireSize>, ApiError> {
    let by_id = || DynoSize::ALL.into_iter().find(|size| size.spec().id == identity);
    let size = identity.parse().ok().or_else(by_id).ok_or_else(|| ApiError::not_found("dyno size"))?;
    Ok(Json(present::dyno_size(size)))
}

/// `GET /apps/{app}/available-dyno-sizes`
pub(crate) async fn dyno_sizes_of_app(
    State(api): State<Api>,
    Login(actor): Login,
    Path(app): Path<String>,
    range: Range,
) -> Result<Page, ApiError> {
    ops::apps::info(api.ops(), &actor, &app).await?;
    dyno_sizes(range).await
}
