//! Pages of the add-ons that the platform provides: plain HTML that runs nothing.
//!
//! A browser gets in by a signed link that the API gives (`/addons/{addon}/sso`), or with address and password,
//! and has a session then, a signed cookie that is good for this one add-on and for an hour. What a page does
//! goes through `ops` in the name of who got in, who is looked up each time. Forms carry a word that only the
//! page can know, so that no other page can send them.

mod layout;
mod papertrail;
mod scheduler;
mod session;

pub(crate) use session::{link, path};

use crate::extract::body::PATIENCE;
use crate::{Api, ApiError, Secure};
use axum::Form;
use axum::extract::{FromRequest, Path, Query, Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use domain::AddonId;
use http::{HeaderMap, StatusCode, header};
use ops::Actor;
use ops::addons::{Opened, Page};
use session::Session;
use std::collections::HashMap;

/// Names and values of an address or a form.
pub(crate) type Fields = HashMap<String, String>;

/// What a page is made for.
struct Visit<'a> {
    api: &'a Api,
    actor: &'a Actor,
    opened: &'a Opened,
    session: &'a Session,
    query: &'a Fields,
    /// What went wrong with a form, and the form.
    refused: Option<(&'a ApiError, &'a Fields)>,
}

impl Visit<'_> {
    fn app(&self) -> String {
        self.opened.info.app.id.to_string()
    }
}

/// `GET /addon-pages/style.css`
pub(crate) async fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css"), (header::CACHE_CONTROL, "max-age=3600")], layout::STYLE)
        .into_response()
}

/// `GET /addon-pages/enter/{token}`: from a link to a session.
pub(crate) async fn enter(State(api): State<Api>, Path(token): Path<String>, request: Request) -> Response {
    let Some((account, addon)) = session::read_link(&api, &token) else {
        return layout::message(
            StatusCode::NOT_FOUND,
            "This link is over",
            "It was good for five minutes. Ask for another one with heroku addons:open.",
        );
    };
    match ops::addons::reopen(api.ops(), account, addon).await {
        Ok(_) => into_page(&Session::new(&api, account, addon), is_secure(&request)),
        Err(error) => refusal(&error.into()),
    }
}

/// `GET /addon-pages/{addon}`
pub(crate) async fn show(
    State(api): State<Api>,
    Path(addon): Path<AddonId>,
    Query(query): Query<Fields>,
    headers: HeaderMap,
) -> Response {
    let Some(session) = Session::of(&api, &headers, addon) else {
        return layout::login(StatusCode::OK, None);
    };
    match ops::addons::reopen(api.ops(), session.account, addon).await {
        Ok((actor, opened)) => {
            let visit = Visit {
                api: &api,
                actor: &actor,
                opened: &opened,
                session: &session,
                query: &query,
                refused: None,
            };
            page(StatusCode::OK, &visit).await
        }
        Err(error) => refusal(&error.into()),
    }
}

/// `POST /addon-pages/{addon}`: a form of the page, or address and password.
pub(crate) async fn submit(State(api): State<Api>, Path(addon): Path<AddonId>, request: Request) -> Response {
    let (headers, secure) = (request.headers().clone(), is_secure(&request));
    let form = match tokio::time::timeout(PATIENCE, Form::<Fields>::from_request(request, &())).await {
        Ok(Ok(Form(form))) => form,
        Ok(Err(refusal)) => return refusal.into_response(),
        Err(_) => return ApiError::request_timeout().into_response(),
    };
    if comes_from_elsewhere(&headers) {
        return refusal(&forged());
    }
    if field(&form, "action") == "login" {
        return log_in(&api, addon, &form, secure).await;
    }
    let Some(session) = Session::of(&api, &headers, addon) else {
        return layout::login(StatusCode::UNAUTHORIZED, Some("You have to log in again."));
    };
    if !session.owns_form(&api, field(&form, "form")) {
        return refusal(&forged());
    }
    let (actor, opened) = match ops::addons::reopen(api.ops(), session.account, addon).await {
        Ok(found) => found,
        Err(error) => return refusal(&error.into()),
    };
    let query = Fields::new();
    let mut visit =
        Visit { api: &api, actor: &actor, opened: &opened, session: &session, query: &query, refused: None };
    match act(&visit, &form).await {
        Ok(()) => Redirect::to(&path(addon)).into_response(),
        Err(error) => {
            visit.refused = Some((&error, &form));
            page(error.status, &visit).await
        }
    }
}

async fn log_in(api: &Api, addon: AddonId, form: &Fields, secure: bool) -> Response {
    let entered = async {
        let actor = ops::accounts::log_in(api.ops(), field(form, "email"), field(form, "password")).await?;
        ops::addons::open(api.ops(), &actor, None, &addon.to_string()).await?;
        Ok::<_, ops::Error>(actor.account.id)
    };
    match entered.await {
        Ok(account) => into_page(&Session::new(api, account, addon), secure),
        Err(error) => {
            let error = ApiError::from(error);
            layout::login(error.status, Some(&error.body.message))
        }
    }
}

/// What an add-on's page looks like.
async fn page(status: StatusCode, visit: &Visit<'_>) -> Response {
    let Page::Own(provided) = visit.opened.page;
    let body = match provided {
        addons::Provided::Scheduler => scheduler::page(visit).await,
        addons::Provided::Papertrail => papertrail::page(visit).await,
    };
    match body {
        Ok(body) => layout::page(status, &body),
        Err(error) => refusal(&error),
    }
}

/// Does what a form asks for.
async fn act(visit: &Visit<'_>, form: &Fields) -> Result<(), ApiError> {
    let Page::Own(provided) = visit.opened.page;
    match provided {
        addons::Provided::Scheduler => scheduler::act(visit, form).await,
        addons::Provided::Papertrail => papertrail::act(visit, form).await,
    }
}

fn into_page(session: &Session, secure: bool) -> Response {
    let cookie =
        [(header::SET_COOKIE, session.cookie(secure)), (header::CACHE_CONTROL, "no-store".to_owned())];
    (cookie, Redirect::to(&path(session.addon))).into_response()
}

fn refusal(error: &ApiError) -> Response {
    layout::message(error.status, "This did not work", &error.body.message)
}

fn forged() -> ApiError {
    let message = "This form was not sent by its own page, or the page was too old. Open it again.";
    ApiError::new(StatusCode::FORBIDDEN, "forbidden", message)
}

/// A field's value; empty if it is not there.
fn field<'a>(form: &'a Fields, name: &str) -> &'a str {
    form.get(name).map_or("", String::as_str)
}

/// What browsers tell about who sends a request.
fn comes_from_elsewhere(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none")
}

fn is_secure(request: &Request) -> bool {
    request.extensions().get::<Secure>().is_some()
}
