//! Services that partners run: `/partners` for the administrator; for partners themselves
//! `/oauth/token`, `/addons/{addon}/config` and `/addons/{addon}/actions`.

use crate::extract::{Body, Login, PartnerLogin, Who, body};
use crate::ranges::{Page, Range};
use crate::{Api, ApiError, present};
use addons::{Definition, Offer};
use axum::Json;
use axum::extract::{Path, Request, State};
use http::{StatusCode, header};
use std::collections::BTreeMap;
use wire::addon::{Addon, Config, Delete, UpdateConfig};
use wire::partner::{Exchange, Partner, Register, Token};

fn shape(definition: &Definition, client_secret: Option<String>) -> Partner {
    let address = |text: Option<String>| text.unwrap_or_default();
    let contract = definition.contract.as_ref();
    Partner {
        id: definition.id(),
        name: definition.name.clone(),
        human_name: definition.title.clone(),
        base_url: address(contract.map(|contract| contract.base_url.to_string())),
        sso_url: address(contract.map(|contract| contract.sso_url.to_string())),
        plans: definition.plans.iter().map(|plan| definition.plan_name(plan)).collect(),
        client_secret,
    }
}

/// `GET /partners`
pub(crate) async fn list(
    State(api): State<Api>,
    Login(actor): Login,
    range: Range,
) -> Result<Page, ApiError> {
    let list = ops::partners::list(api.ops(), &actor).await?;
    let list: Vec<_> = list.iter().map(|definition| shape(definition, None)).collect();
    Page::select(&range, &["name", "id"], &list)
}

/// `POST /partners`: 201 for a new service, 200 for one that has changed.
pub(crate) async fn register(
    State(api): State<Api>,
    Login(actor): Login,
    Body(body): Body<Register>,
) -> Result<(StatusCode, Json<Partner>), ApiError> {
    let offer = |plan: wire::partner::Plan| Offer { name: plan.name, title: None, cents: plan.cents };
    let register = ops::partners::Register {
        manifest: body.manifest,
        plans: body.plans.into_iter().map(offer).collect(),
        test: body.test,
    };
    let made = ops::partners::register(api.ops(), &actor, register).await?;
    let status = if made.is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(shape(&made.definition, Some(made.client_secret)))))
}

/// `DELETE /partners/{service}`
pub(crate) async fn unregister(
    State(api): State<Api>,
    Login(actor): Login,
    Path(service): Path<String>,
    Body(body): Body<Delete>,
) -> Result<Json<Partner>, ApiError> {
    let gone = ops::partners::unregister(api.ops(), &actor, &service, body.force).await?;
    Ok(Json(shape(&gone, None)))
}

/// `POST /oauth/token`, as a form or as JSON.
pub(crate) async fn token(State(api): State<Api>, request: Request) -> Result<Json<Token>, ApiError> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let is_json = kind.is_some_and(|kind| kind.contains("json"));
    let bytes = body::read(request.into_body()).await?;
    let input: Exchange = if is_json { body::parse(&bytes)? } else { form(&bytes)? };
    let shown = if input.grant_type == "refresh_token" { input.refresh_token } else { input.code };
    let exchange = ops::partners::Exchange {
        grant_type: input.grant_type,
        shown: shown.ok_or_else(|| ApiError::bad_request("The code, or refresh_token, is missing."))?,
        client_secret: input.client_secret,
    };
    let issued = ops::partners::exchange(api.ops(), &exchange).await?;
    Ok(Json(Token {
        access_token: issued.access_token,
        refresh_token: issued.refresh_token,
        expires_in: issued.expires_in,
        token_type: "Bearer".into(),
        user_id: issued.addon.0,
        session_nonce: None,
    }))
}

fn form(bytes: &[u8]) -> Result<Exchange, ApiError> {
    serde_urlencoded::from_bytes(bytes)
        .map_err(|error| ApiError::bad_request(format!("The form is not what is expected: {error}.")))
}

/// `GET /addons/{addon}/config`, by the names in the manifest.
pub(crate) async fn config(
    State(api): State<Api>,
    who: Who,
    Path(addon): Path<String>,
) -> Result<Json<Vec<Config>>, ApiError> {
    Ok(Json(listed(match who {
        Who::User(actor) => ops::attachments::of_addon_itself(api.ops(), &actor, &addon).await?,
        Who::Partner(caller) => ops::partners::config(api.ops(), &caller, &addon).await?,
    })))
}

/// `PATCH /addons/{addon}/config`
pub(crate) async fn set_config(
    State(api): State<Api>,
    PartnerLogin(caller): PartnerLogin,
    Path(addon): Path<String>,
    Body(body): Body<UpdateConfig>,
) -> Result<Json<Vec<Config>>, ApiError> {
    let mut vars = BTreeMap::new();
    for Config { name, value } in body.config {
        if vars.contains_key(&name) {
            return Err(ApiError::invalid_params(format!("The config var {name} is there twice.")));
        }
        vars.insert(name, value);
    }
    Ok(Json(listed(ops::partners::set_config(api.ops(), &caller, &addon, vars).await?)))
}

fn listed(vars: BTreeMap<String, String>) -> Vec<Config> {
    vars.into_iter().map(|(name, value)| Config { name, value: Some(value) }).collect()
}

/// `POST /addons/{addon}/actions/provision`
pub(crate) async fn provision(
    State(api): State<Api>,
    PartnerLogin(caller): PartnerLogin,
    Path(addon): Path<String>,
) -> Result<Json<Addon>, ApiError> {
    let info = ops::partners::there(api.ops(), &caller, &addon).await?;
    Ok(Json(present::addon(&api.ops().catalog(), &info)))
}

/// `POST /addons/{addon}/actions/deprovision`
pub(crate) async fn deprovision(
    State(api): State<Api>,
    PartnerLogin(caller): PartnerLogin,
    Path(addon): Path<String>,
) -> Result<Json<Addon>, ApiError> {
    let info = ops::partners::give_up(api.ops(), &caller, &addon).await?;
    Ok(Json(present::addon(&api.ops().catalog(), &info)))
}
