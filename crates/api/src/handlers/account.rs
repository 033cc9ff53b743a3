//! The account: `/account` and `/users/{user}`.

use crate::extract::{Body, Login};
use crate::{Api, ApiError, present};
use axum::Json;
use axum::extract::{Path, State};
use wire::account::{Account, Delinquency, Update};
use wire::rate_limit::RateLimit;

/// `GET /account`
pub(crate) async fn info(State(api): State<Api>, Login(actor): Login) -> Result<Json<Account>, ApiError> {
    let account = ops::accounts::info(api.ops(), &actor, "~").await?;
    Ok(Json(present::account(&account)))
}

/// `GET /users/{user}`, by `~`, id or e-mail address.
pub(crate) async fn info_by_user(
    State(api): State<Api>,
    Login(actor): Login,
    Path(user): Path<String>,
) -> Result<Json<Account>, ApiError> {
    let account = ops::accounts::info(api.ops(), &actor, &user).await?;
    Ok(Json(present::account(&account)))
}

/// `PATCH /account`
pub(crate) async fn update(
    State(api): State<Api>,
    Login(actor): Login,
    Body(body): Body<Update>,
) -> Result<Json<Account>, ApiError> {
    change(&api, &actor, "~", body).await
}

/// `PATCH /users/{user}`
pub(crate) async fn update_by_user(
    State(api): State<Api>,
    Login(actor): Login,
    Path(user): Path<String>,
    Body(body): Body<Update>,
) -> Result<Json<Account>, ApiError> {
    change(&api, &actor, &user, body).await
}

/// A new password needs the present one; a name of `null` is taken as no name.
async fn change(api: &Api, actor: &ops::Actor, user: &str, body: Update) -> Result<Json<Account>, ApiError> {
    if let Some(new) = &body.new_password {
        ops::accounts::set_password(api.ops(), actor, user, body.password.as_deref(), new).await?;
    }
    let name = body.name.map(Option::unwrap_or_default);
    let account = ops::accounts::update(api.ops(), actor, user, name).await?;
    Ok(Json(present::account(&account)))
}

/// `GET /account/delinquency`: never, for nobody is sent bills.
pub(crate) async fn delinquency(Login(_): Login) -> Json<Delinquency> {
    Json(Delinquency::default())
}

/// `GET /account/rate-limits`
pub(crate) async fn rate_limits(State(api): State<Api>, Login(actor): Login) -> Json<RateLimit> {
    Json(RateLimit { remaining: ops::rate_limits::remaining(api.ops(), &actor) })
}
