//! Ways into add-ons' dashboards: `/addons/{addon}/sso` for programs, and a page that takes a browser
//! there.

use crate::extract::{Login, Origin, Visit};
use crate::signed::{self, Purpose};
use crate::{Api, ApiError, pages};
use axum::Json;
use axum::extract::{Path, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderName, header};
use ops::Actor;
use ops::addons::sso::{Sso, Way};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

async fn way(
    api: &Api,
    actor: &Actor,
    origin: &Origin,
    app: Option<&str>,
    addon: &str,
) -> Result<Json<wire::addon::Sso>, ApiError> {
    let sso = match ops::addons::sso::sso(api.ops(), actor, addon, app).await? {
        Way::Partner(sso) => {
            wire::addon::Sso { method: sso.method.into(), action: sso.action, params: sso.params }
        }
        Way::Own => {
            let opened = ops::addons::open(api.ops(), actor, app, addon).await?;
            let link = pages::link(api, actor.account.id, opened.info.addon.id);
            let action = format!("{}{link}", origin.0);
            wire::addon::Sso { method: "get".into(), action, params: BTreeMap::new() }
        }
    };
    Ok(Json(sso))
}

/// `GET /addons/{addon}/sso`
pub(crate) async fn info(
    State(api): State<Api>,
    Login(actor): Login,
    Path(addon): Path<String>,
    origin: Origin,
) -> Result<Json<wire::addon::Sso>, ApiError> {
    way(&api, &actor, &origin, None, &addon).await
}

/// `GET /apps/{app}/addons/{addon}/sso`
pub(crate) async fn info_of_app(
    State(api): State<Api>,
    Login(actor): Login,
    Path((app, addon)): Path<(String, String)>,
    origin: Origin,
) -> Result<Json<wire::addon::Sso>, ApiError> {
    way(&api, &actor, &origin, Some(&app), &addon).await
}

/// `GET /sso/{token}`: the address is the permission. What follows is made only now, because partners
/// take it for a few minutes.
pub(crate) async fn visit(State(api): State<Api>, Path(token): Path<String>) -> Result<Response, ApiError> {
    let found = signed::verify::<Visit>(api.log_key(), Purpose::Dashboard, &token, api.ops().now());
    let Visit { account, addon } = found.ok_or_else(|| {
        let message =
            "This address was good for a few minutes only. Ask for another one with `heroku addons:open`.";
        ApiError::new(http::StatusCode::NOT_FOUND, "not_found", message)
    })?;
    let actor = ops::accounts::visitor(api.ops(), account).await?;
    match ops::addons::sso::sso(api.ops(), &actor, &addon.to_string(), None).await? {
        Way::Partner(sso) => Ok(page(&sso)),
        Way::Own => Ok(Redirect::to(&pages::path(addon)).into_response()),
    }
}

/// What sends the form; there is a button for who runs no scripts.
const SCRIPT: &str = "document.forms[0].submit()";

fn page(sso: &Sso) -> Response {
    let field = |(name, value): (&String, &Value)| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        format!("<input type=hidden name=\"{}\" value=\"{}\">", escape(name), escape(&text))
    };
    let fields: String = sso.params.iter().map(field).collect();
    let html = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><title>Kigo</title>\
         <form method=post action=\"{}\">{fields}<p><button>Go on</button></form><script>{SCRIPT}</script></html>",
        escape(&sso.action)
    );
    let hash = BASE64_STANDARD.encode(Sha256::digest(SCRIPT.as_bytes()));
    // No `form-action`: browsers would hold the partner's own redirects against it.
    let policy =
        format!("default-src 'none'; script-src 'sha256-{hash}'; frame-ancestors 'none'; base-uri 'none'");
    let headers = [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::CACHE_CONTROL, "no-store".into()),
        (HeaderName::from_static("referrer-policy"), "no-referrer".into()),
    ];
    (headers, Html(html)).into_response()
}

/// Makes text safe in an attribute with quotes.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
