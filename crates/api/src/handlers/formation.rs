//! Formations: `/apps/{app}/formation`.

use crate::extract::{Body, Login};
use crate::ranges::{Page, Range};
use crate::{Api, ApiError, present};
use axum::Json;
use axum::extract::{Path, State};
use ops::formation::Quantity;
use wire::NumberOrText;
use wire::formation::{BatchUpdate, Formation, Update};

/// `GET /apps/{app}/formation`
pub(crate) async fn list(
    State(api): State<Api>,
    Login(actor): Login,
    Path(app): Path<String>,
    range: Range,
) -> Result<Page, ApiError> {
    let list = ops::formation::list(api.ops(), &actor, &app).await?;
    let list: Vec<_> = list.iter().map(present::formation).collect();
    Page::select(&range, &["type", "id"], &list)
}

/// `GET /apps/{app}/formation/{type}`, by process type or id.
pub(crate) async fn info(
    State(api): State<Api>,
    Login(actor): Login,
    Path((app, process_type)): Path<(String, String)>,
) -> Result<Json<Formation>, ApiError> {
    let info = ops::formation::info(api.ops(), &actor, &app, &process_type).await?;
    Ok(Json(present::formation(&info)))
}

/// `PATCH /apps/{app}/formation`
pub(crate) async fn batch_update(
    State(api): State<Api>,
    Login(actor): Login,
    Path(app): Path<String>,
    Body(body): Body<BatchUpdate>,
) -> Result<Json<Vec<Formation>>, ApiError> {
    let updates = body.updates.into_iter().map(|mut update| {
        let missing = || ApiError::invalid_params("Each of `updates` needs a `type`.");
        let process_type = update.process_type.take().ok_or_else(missing)?;
        read(process_type, update)
    });
    let updates = updates.collect::<Result<Vec<_>, _>>()?;
    let list = ops::formation::update(api.ops(), &actor, &app, updates).await?;
    Ok(Json(list.iter().map(present::formation).collect()))
}

/// `PATCH /apps/{app}/formation/{type}`
pub(crate) async fn update(
    State(api): State<Api>,
    Login(actor): Login,
    Path((app, process_type)): Path<(String, String)>,
    Body(body): Body<Update>,
) -> Result<Json<Formation>, ApiError> {
    let update = read(process_type, body)?;
    let list = ops::formation::update(api.ops(), &actor, &app, vec![update]).await?;
    let one = list.first().ok_or_else(|| ApiError::not_found("formation"))?;
    Ok(Json(present::formation(one)))
}

fn read(process_type: String, update: Update) -> Result<ops::formation::Update, ApiError> {
    if update.docker_image.is_some() {
        return Err(ApiError::invalid_params(
            "Kigo cannot release Docker images yet; leave `docker_image` out.",
        ));
    }
    let quantity = match update.quantity {
        None => None,
        Some(NumberOrText::Number(number)) => Some(Quantity::Absolute(number)),
        Some(NumberOrText::Text(text)) => Some(Quantity::parse(text.trim())?),
    };
    let size = update.size.or_else(|| update.dyno_size.map(|size| size.as_str().to_owned()));
    Ok(ops::formation::Update { process_type, quantity, size })
}
