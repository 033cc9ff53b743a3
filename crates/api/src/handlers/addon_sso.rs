//! Ways to add-ons' pages: `/addons/{addon}/sso`, `/apps/{app}/addons/{addon}/sso`.

use crate::extract::{Login, Origin};
use crate::{Api, ApiError, pages};
use axum::Json;
use axum::extract::{Path, State};
use ops::Actor;
use ops::addons::{Opened, Page};
use serde_json::Map;
use wire::addon_sso::Sso;

fn shape(api: &Api, origin: &Origin, actor: &Actor, opened: &Opened) -> Sso {
    match opened.page {
        Page::Own(_) => Sso {
            method: "get".into(),
            action: format!("{}{}", origin.0, pages::link(api, actor.account.id, opened.info.addon.id)),
            params: Map::new(),
        },
    }
}

/// `GET /addons/{addon}/sso`
pub(crate) async fn info(
    State(api): State<Api>,
    Login(actor): Login,
    Path(addon): Path<String>,
    origin: Origin,
) -> Result<Json<Sso>, ApiError> {
    let opened = ops::addons::open(api.ops(), &actor, None, &addon).await?;
    Ok(Json(shape(&api, &origin, &actor, &opened)))
}

/// `GET /apps/{app}/addons/{addon}/sso`
pub(crate) async fn info_of_app(
    State(api): State<Api>,
    Login(actor): Login,
    Path((app, addon)): Path<(String, String)>,
    origin: Origin,
) -> Result<Json<Sso>, ApiError> {
    let opened = ops::addons::open(api.ops(), &actor, Some(&app), &addon).await?;
    Ok(Json(shape(&api, &origin, &actor, &opened)))
}
