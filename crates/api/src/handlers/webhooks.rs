//! Webhooks of users and of partners: `/apps/{app}/webhooks`, `/addons/{addon}/webhooks`, and what was
//! told of.

use crate::extract::{Body, Who};
use crate::ranges::{Page, Range};
use crate::{Api, ApiError, present, snapshot};
use axum::Json;
use axum::extract::{FromRequestParts, Path, Query, State};
use axum::response::IntoResponse;
use http::StatusCode;
use http::request::Parts;
use ops::webhooks::Of;
use serde::Deserialize;
use std::collections::HashMap;
use wire::webhook::{Create, Delivery, Event, Update, Webhook};

/// Where the secret is told, once.
const SECRET: &str = "heroku-webhook-secret";

/// By what these lists are ordered.
const ORDER: &[&str] = &["seq", "id"];

/// Whose webhooks a path means, for who may have them: a user an app's, a partner an add-on's.
pub(crate) struct Whose(Of);

impl FromRequestParts<Api> for Whose {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let who = Who::from_request_parts(parts, api).await?;
        let words = Path::<HashMap<String, String>>::from_request_parts(parts, api).await;
        let Path(words) = words.map_err(|_| ApiError::no_endpoint())?;
        let of = match (who, words.get("app"), words.get("addon")) {
            (Who::User(actor), Some(app), _) => ops::webhooks::of_app(api.ops(), &actor, app).await?,
            (Who::Partner(caller), None, Some(addon)) => {
                ops::webhooks::of_addon(api.ops(), &caller, addon).await?
            }
            (Who::Partner(_), ..) => return Err(ApiError::unauthorized()),
            (Who::User(_), ..) => {
                let message = "Only the partner that runs this add-on's service may do this.";
                return Err(ApiError::new(StatusCode::FORBIDDEN, "forbidden", message));
            }
        };
        Ok(Self(of))
    }
}

/// The last word of a path.
#[derive(Deserialize)]
pub(crate) struct Id {
    id: String,
}

/// `GET …/webhooks`
pub(crate) async fn list(State(api): State<Api>, Whose(of): Whose, range: Range) -> Result<Page, ApiError> {
    let list = ops::webhooks::list(api.ops(), &of).await?;
    let list: Vec<_> = list.iter().map(|one| present::webhook(&of, one)).collect();
    Page::select(&range, &["id"], &list)
}

/// `POST …/webhooks`. What happens after this is told.
pub(crate) async fn create(
    State(api): State<Api>,
    Whose(of): Whose,
    Body(body): Body<Create>,
) -> Result<impl IntoResponse, ApiError> {
    let create = ops::webhooks::Create {
        include: body.include,
        level: body.level,
        url: body.url,
        secret: body.secret,
        authorization: body.authorization,
    };
    let seen = if ops::webhooks::is_watched(api.ops(), &of).await? {
        Vec::new()
    } else {
        snapshot(api.ops(), api.config(), of.app.id).await?
    };
    let made = ops::webhooks::create(api.ops(), &of, create, seen).await?;
    Ok((StatusCode::CREATED, [(SECRET, made.secret.clone())], Json(present::webhook(&of, &made))))
}

/// `GET …/webhooks/{webhook}`
pub(crate) async fn info(
    State(api): State<Api>,
    Whose(of): Whose,
    Path(Id { id }): Path<Id>,
) -> Result<Json<Webhook>, ApiError> {
    Ok(Json(present::webhook(&of, &ops::webhooks::info(api.ops(), &of, &id).await?)))
}

/// `PATCH …/webhooks/{webhook}`
pub(crate) async fn update(
    State(api): State<Api>,
    Whose(of): Whose,
    Path(Id { id }): Path<Id>,
    Body(body): Body<Update>,
) -> Result<Json<Webhook>, ApiError> {
    let Update { include, level, url, secret, authorization } = body;
    let update = ops::webhooks::Update { include, level, url, secret, authorization };
    Ok(Json(present::webhook(&of, &ops::webhooks::update(api.ops(), &of, &id, update).await?)))
}

/// `DELETE …/webhooks/{webhook}`
pub(crate) async fn delete(
    State(api): State<Api>,
    Whose(of): Whose,
    Path(Id { id }): Path<Id>,
) -> Result<Json<Webhook>, ApiError> {
    Ok(Json(present::webhook(&of, &ops::webhooks::destroy(api.ops(), &of, &id).await?)))
}

/// What lists are narrowed down to.
#[derive(Default, Deserialize)]
pub(crate) struct Filter {
    #[serde(default, rename = "eq[status]")]
    status: Option<String>,
}

/// `GET …/webhook-deliveries`
pub(crate) async fn deliveries(
    State(api): State<Api>,
    Whose(of): Whose,
    Query(filter): Query<Filter>,
    range: Range,
) -> Result<Page, ApiError> {
    let list = ops::webhooks::deliveries(api.ops(), &of, filter.status.as_deref()).await?;
    let list: Vec<_> = list.iter().map(present::delivery).collect();
    Page::select(&range, ORDER, &list)
}

/// `GET …/webhook-deliveries/{delivery}`
pub(crate) async fn delivery(
    State(api): State<Api>,
    Whose(of): Whose,
    Path(Id { id }): Path<Id>,
) -> Result<Json<Delivery>, ApiError> {
    Ok(Json(present::delivery(&ops::webhooks::delivery(api.ops(), &of, &id).await?)))
}

/// `GET …/webhook-events`
pub(crate) async fn events(State(api): State<Api>, Whose(of): Whose, range: Range) -> Result<Page, ApiError> {
    let list = ops::webhooks::events(api.ops(), &of).await?;
    let list: Vec<_> = list.iter().map(present::webhook_event).collect();
    Page::select(&range, ORDER, &list)
}

/// `GET …/webhook-events/{event}`
pub(crate) async fn event(
    State(api): State<Api>,
    Whose(of): Whose,
    Path(Id { id }): Path<Id>,
) -> Result<Json<Event>, ApiError> {
    Ok(Json(present::webhook_event(&ops::webhooks::event(api.ops(), &of, &id).await?)))
}
