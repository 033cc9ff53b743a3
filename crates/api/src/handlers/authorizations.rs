//! OAuth authorizations: `/oauth/authorizations`.

use crate::extract::{Body, Login, PasswordLogin};
use crate::ranges::{Page, Range};
use crate::{Api, ApiError, present};
use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use ops::authorizations::Issued;
use wire::NumberOrText;
use wire::authorization::{Authorization, Create, Update};

/// `GET /oauth/authorizations`
pub(crate) async fn list(
    State(api): State<Api>,
    Login(actor): Login,
    range: Range,
) -> Result<Page, ApiError> {
    let list = ops::authorizations::list(api.ops(), &actor).await?;
    let now = api.ops().now();
    let list: Vec<_> =
        list.iter().map(|one| present::authorization(one, &actor.account, None, now)).collect();
    Page::select(&range, &["id"], &list)
}

/// `POST /oauth/authorizations`, with a token or, to log in, with address and password.
pub(crate) async fn create(
    State(api): State<Api>,
    PasswordLogin(actor): PasswordLogin,
    Body(body): Body<Create>,
) -> Result<(StatusCode, Json<Authorization>), ApiError> {
    let create = ops::authorizations::Create {
        description: body.description,
        expires_in: body.expires_in.as_ref().map(seconds).transpose()?,
        scope: body.scope.unwrap_or_default(),
    };
    let issued = ops::authorizations::create(api.ops(), &actor, create).await?;
    Ok((StatusCode::CREATED, shown_once(&api, &actor, &issued)))
}

/// `GET /oauth/authorizations/{authorization}`
pub(crate) async fn info(
    State(api): State<Api>,
    Login(actor): Login,
    Path(id): Path<String>,
) -> Result<Json<Authorization>, ApiError> {
    let one = ops::authorizations::info(api.ops(), &actor, &id).await?;
    Ok(Json(present::authorization(&one, &actor.account, None, api.ops().now())))
}

/// `PATCH /oauth/authorizations/{authorization}`
pub(crate) async fn update(
    State(api): State<Api>,
    Login(actor): Login,
    Path(id): Path<String>,
    Body(body): Body<Update>,
) -> Result<Json<Authorization>, ApiError> {
    let one = ops::authorizations::update(api.ops(), &actor, &id, body.description).await?;
    Ok(Json(present::authorization(&one, &actor.account, None, api.ops().now())))
}

/// `DELETE /oauth/authorizations/{authorization}`
pub(crate) async fn delete(
    State(api): State<Api>,
    Login(actor): Login,
    Path(id): Path<String>,
) -> Result<Json<Authorization>, ApiError> {
    let one = ops::authorizations::destroy(api.ops(), &actor, &id).await?;
    Ok(Json(present::authorization(&one, &actor.account, None, api.ops().now())))
}

/// `POST /oauth/authorizations/{authorization}/actions/regenerate-tokens`
pub(crate) async fn regenerate(
    State(api): State<Api>,
    Login(actor): Login,
    Path(id): Path<String>,
) -> Result<Json<Authorization>, ApiError> {
    let issued = ops::authorizations::regenerate(api.ops(), &actor, &id).await?;
    Ok(shown_once(&api, &actor, &issued))
}

/// The one answer that holds the token.
fn shown_once(api: &Api, actor: &ops::Actor, issued: &Issued) -> Json<Authorization> {
    let Issued { authorization, token } = issued;
    Json(present::authorization(authorization, &actor.account, Some(token), api.ops().now()))
}

fn seconds(value: &NumberOrText) -> Result<i64, ApiError> {
    let wrong = || ApiError::invalid_params(format!("expires_in must be a number of seconds, not {value}."));
    value.to_string().parse().map_err(|_| wrong())
}
