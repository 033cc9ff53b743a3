//! Dynos: `/apps/{app}/dynos`, and those of one process type at `/apps/{app}/formations/{type}`.

use crate::extract::{Body, Login};
use crate::ranges::{Page, Range};
use crate::{Api, ApiError, present};
use axum::Json;
use axum::extract::{Path, State};
use domain::DynoId;
use http::StatusCode;
use ops::dynos::Target;
use serde_json::{Map, Value};
use wire::dyno::{Create, Dyno};

/// What restarting and stopping answer: taken, and nothing to tell.
type Accepted = (StatusCode, Json<Map<String, Value>>);

fn accepted() -> Accepted {
    (StatusCode::ACCEPTED, Json(Map::new()))
}

/// Which dynos are meant where one is named: `heroku ps:restart web` names a process type there.
fn target(identity: &str) -> Target<'_> {
    if identity.contains('.') || identity.parse::<DynoId>().is_ok() {
        Target::One(identity)
    } else {
        Target::ProcessType(identity)
    }
}

/// `GET /apps/{app}/dynos`
pub(crate) async fn list(
    State(api): State<Api>,
    Login(actor): Login,
    Path(app): Path<String>,
    range: Range,
) -> Result<Page, ApiError> {
    let list = ops::dynos::list(api.ops(), &actor, &app).await?;
    let list: Vec<_> = list.iter().map(|info| present::dyno(info, None)).collect();
    Page::select(&range, &["name", "id"], &list)
}

/// `GET /apps/{app}/dynos/{dyno}`, by name or id.
pub(crate) async fn info(
    State(api): State<Api>,
    Login(actor): Login,
    Path((app, dyno)): Path<(String, String)>,
) -> Result<Json<Dyno>, ApiError> {
    let info = ops::dynos::info(api.ops(), &actor, &app, &dyno).await?;
    Ok(Json(present::dyno(&info, None)))
}

/// `POST /apps/{app}/dynos`: a one-off. The answer alone holds the address to attach to.
pub(crate) async fn create(
    State(api): State<Api>,
    Login(actor): Login,
    Path(app): Path<String>,
    Body(body): Body<Create>,
) -> Result<(StatusCode, Json<Dyno>), ApiError> {
    let create = ops::dynos::Create {
        command: body.command,
        attach: body.attach.unwrap_or(false),
        env: body.env.unwrap_or_default().into_iter().filter_map(variable).collect(),
        force_no_tty: body.force_no_tty.unwrap_or(false),
        size: body.size,
        process_type: body.process_type,
        time_to_live: body.time_to_live.map(i64::from),
    };
    let info = ops::dynos::create(api.ops(), &actor, &app, create).await?;
    let shown = present::dyno(&info, Some(&api.config().rendezvous));
    Ok((StatusCode::CREATED, Json(shown)))
}

/// `COLUMNS` and `LINES` come as numbers. What is `null` is not set.
fn variable((name, value): (String, Value)) -> Option<(String, String)> {
    match value {
        Value::Null => None,
        Value::String(text) => Some((name, text)),
        other => Some((name, other.to_string())),
    }
}

/// `DELETE /apps/{app}/dynos`
pub(crate) async fn restart_all(
    State(api): State<Api>,
    Login(actor): Login,
    Path(app): Path<String>,
) -> Result<Accepted, ApiError> {
    ops::dynos::restart(api.ops(), &actor, &app, Target::All).await?;
    Ok(accepted())
}

/// `DELETE /apps/{app}/dynos/{dyno}`
pub(crate) async fn restart(
    State(api): State<Api>,
    Login(actor): Login,
    Path((app, dyno)): Path<(String, String)>,
) -> Result<Accepted, ApiError> {
    ops::dynos::restart(api.ops(), &actor, &app, target(&dyno)).await?;
    Ok(accepted())
}

/// `DELETE /apps/{app}/formations/{type}`
pub(crate) async fn restart_type(
    State(api): State<Api>,
    Login(actor): Login,
    Path((app, process_type)): Path<(String, String)>,
) -> Result<Accepted, ApiError> {
    ops::dynos::restart(api.ops(), &actor, &app, Target::ProcessType(&process_type)).await?;
    Ok(accepted())
}

/// `POST /apps/{app}/dynos/{dyno}/actions/stop`
pub(crate) async fn stop(
    State(api): State<Api>,
    Login(actor): Login,
    Path((app, dyno)): Path<(String, String)>,
) -> Result<Accepted, ApiError> {
    ops::dynos::stop(api.ops(), &actor, &app, target(&dyno)).await?;
    Ok(accepted())
}

/// `POST /apps/{app}/formations/{type}/actions/stop`
pub(crate) async fn stop_type(
    State(api): State<Api>,
    Login(actor): Login,
    Path((app, process_type)): Path<(String, String)>,
) -> Result<Accepted, ApiError> {
    ops::dynos::stop(api.ops(), &actor, &app, Target::ProcessType(&process_type)).await?;
    Ok(accepted())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dyno_can_be_a_process_type() {
        let id = "01234567-89ab-4def-8123-456789abcdef";
        for (identity, expected) in [
            ("web.1", Target::One("web.1")),
            (id, Target::One(id)),
            ("web", Target::ProcessType("web")),
            ("my-type", Target::ProcessType("my-type")),
        ] {
            assert_eq!(target(identity), expected);
        }
    }
}
