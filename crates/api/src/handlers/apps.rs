//! Apps: `/apps`.

use crate::extract::{Body, Login, Origin, Who};
use crate::present::Addresses;
use crate::ranges::{Page, Range};
use crate::{Api, ApiError, present};
use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use ops::apps::AppInfo;
use wire::app::{App, Create, Filter, FilteredApp, Update};

/// By what lists of apps can be ordered.
const ORDER: &[&str] = &["name", "id"];

fn shape(api: &Api, origin: &Origin, info: &AppInfo) -> App {
    present::app(&Addresses { config: api.config(), origin }, info)
}

fn page(api: &Api, origin: &Origin, range: &Range, list: &[AppInfo]) -> Result<Page, ApiError> {
    let list: Vec<_> = list.iter().map(|info| shape(api, origin, info)).collect();
    Page::select(range, ORDER, &list)
}

/// `GET /apps`
pub(crate) async fn list(
    State(api): State<Api>,
    Login(actor): Login,
    origin: Origin,
    range: Range,
) -> Result<Page, ApiError> {
    page(&api, &origin, &range, &ops::apps::list(api.ops(), &actor).await?)
}

/// `GET /users/{user}/apps`
pub(crate) async fn list_of_user(
    State(api): State<Api>,
    Login(actor): Login,
    Path(user): Path<String>,
    origin: Origin,
    range: Range,
) -> Result<Page, ApiError> {
    page(&api, &origin, &range, &ops::apps::list_of(api.ops(), &actor, &user).await?)
}

/// `POST /filters/apps`: those of one's apps whose id is given.
pub(crate) async fn filter(
    State(api): State<Api>,
    Login(actor): Login,
    origin: Origin,
    range: Range,
    Body(body): Body<Filter>,
) -> Result<Page, ApiError> {
    let mut list = ops::apps::list(api.ops(), &actor).await?;
    list.retain(|info| body.within.id.contains(&info.app.id.0));
    let filtered = |info| FilteredApp { app: shape(&api, &origin, info), joined: false, locked: false };
    let list: Vec<_> = list.iter().map(filtered).collect();
    Page::select(&range, ORDER, &list)
}

/// `POST /apps`
pub(crate) async fn create(
    State(api): State<Api>,
    Login(actor): Login,
    origin: Origin,
    Body(body): Body<Create>,
) -> Result<(StatusCode, Json<App>), ApiError> {
    if body.team.is_some() || body.space.is_some() {
        return Err(ApiError::invalid_params(
            "Kigo has no teams and no spaces yet; leave `team` and `space` out.",
        ));
    }
    let text = |identity: wire::Identity| identity.as_str().to_owned();
    let create =
        ops::apps::Create { name: body.name, region: body.region.map(text), stack: body.stack.map(text) };
    let info = ops::apps::create(api.ops(), &actor, create).await?;
    Ok((StatusCode::CREATED, Json(shape(&api, &origin, &info))))
}

/// `GET /apps/{app}`, by name or id; also for partners whose add-on it has.
pub(crate) async fn info(
    State(api): State<Api>,
    who: Who,
    Path(app): Path<String>,
    origin: Origin,
) -> Result<Json<App>, ApiError> {
    let info = match who {
        Who::User(actor) => ops::apps::info(api.ops(), &actor, &app).await?,
        Who::Partner(caller) => ops::partners::app(api.ops(), &caller, &app).await?,
    };
    Ok(Json(shape(&api, &origin, &info)))
}

/// `PATCH /apps/{app}`
pub(crate) async fn update(
    State(api): State<Api>,
    Login(actor): Login,
    Path(app): Path<String>,
    origin: Origin,
    Body(body): Body<Update>,
) -> Result<Json<App>, ApiError> {
    let update = ops::apps::Update {
        name: body.name,
        maintenance: body.maintenance,
        build_stack: body.build_stack.map(|stack| stack.as_str().to_owned()),
    };
    let info = ops::apps::update(api.ops(), &actor, &app, update).await?;
    Ok(Json(shape(&api, &origin, &info)))
}

/// `DELETE /apps/{app}`
pub(crate) async fn delete(
    State(api): State<Api>,
    Login(actor): Login,
    Path(app): Path<String>,
    origin: Origin,
) -> Result<Json<App>, ApiError> {
    let info = ops::apps::destroy(api.ops(), &actor, &app).await?;
    Ok(Json(shape(&api, &origin, &info)))
}

/// `PUT /apps/{app}/pre-authorizations`: with it the CLI announces a second factor for what
/// follows. There are no second factors, so there is nothing to remember.
pub(crate) async fn pre_authorize(
    State(api): State<Api>,
    Login(actor): Login,
    Path(app): Path<String>,
) -> Result<StatusCode, ApiError> {
    ops::apps::info(api.ops(), &actor, &app).await?;
    Ok(StatusCode::NO_CONTENT)
}
