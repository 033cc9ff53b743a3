//! Formations: `/apps/{app}/formation`.

use crate::extract::{Body, Login};
use crate::handlers::containers;
use crate::ranges::{Page, Range};
use crate::{Api, ApiError, present};
use axum::Json;
use axum::extract::{Path, State};
use http::HeaderMap;
use ops::containers::Wish;
use ops::formation::{FormationInfo, Quantity};
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

/// `PATCH /apps/{app}/formation`: scales, resizes, and releases images of a container app.
pub(crate) async fn batch_update(
    State(api): State<Api>,
    login: Login,
    Path(app): Path<String>,
    Body(body): Body<BatchUpdate>,
) -> Result<Json<Vec<Formation>>, ApiError> {
    let (mut updates, mut wishes, mut named) = (Vec::new(), Vec::new(), Vec::new());
    let rows = ops::formation::list(api.ops(), &login.0, &app).await?;
    for mut update in body.updates {
        let missing = || ApiError::invalid_params("Each of `updates` needs a `type`.");
        let process_type = update.process_type.take().ok_or_else(missing)?;
        let process_type = ops::formation::process_type_of(&rows, &process_type)?;
        let image = update.docker_image.take().flatten();
        let only_image = image.is_some() && update == Update::default();
        wishes.extend(image.map(|image| Wish { process_type: process_type.clone(), image }));
        named.push(process_type.clone());
        if !only_image {
            updates.push(read(process_type, update)?);
        }
    }
    if wishes.is_empty() {
        let list = ops::formation::update(api.ops(), &login.0, &app, updates).await?;
        return Ok(Json(list.iter().map(present::formation).collect()));
    }
    let coming: Vec<_> = wishes.iter().map(|wish| wish.process_type.clone()).collect();
    ops::formation::check(api.ops(), &login.0, &app, &updates, &coming).await?;
    containers::release(&api, &login, &app, &wishes).await?;
    // A process type whose release command has not ended may have no row yet, and nothing to scale.
    let list = ops::formation::list(api.ops(), &login.0, &app).await?;
    let there = |name: &str| list.iter().any(|one| one.formation.process_type.as_str() == name);
    updates.retain(|update| there(&update.process_type));
    ops::formation::update(api.ops(), &login.0, &app, updates).await?;
    let list = ops::formation::list(api.ops(), &login.0, &app).await?;
    let is_named =
        |one: &&FormationInfo| named.iter().any(|name| one.formation.process_type.as_str() == name);
    Ok(Json(list.iter().filter(is_named).map(present::formation).collect()))
}

/// `PATCH /apps/{app}/formation/{type}`
pub(crate) async fn update(
    State(api): State<Api>,
    login: Login,
    Path((app, process_type)): Path<(String, String)>,
    headers: HeaderMap,
    Body(mut body): Body<Update>,
) -> Result<Json<Formation>, ApiError> {
    let image = body.docker_image.take();
    let update = read(process_type.clone(), body)?;
    match image {
        // What is taken away is told as it was.
        Some(None) if containers::speaks_of_images(&headers) => {
            let before = ops::formation::info(api.ops(), &login.0, &app, &process_type).await?;
            let name = before.formation.process_type.as_str();
            ops::containers::remove(api.ops(), &login.0, &app, name).await?;
            return Ok(Json(present::formation(&before)));
        }
        Some(Some(image)) => {
            let rows = ops::formation::list(api.ops(), &login.0, &app).await?;
            let name = ops::formation::process_type_of(&rows, &process_type)?;
            let coming = std::slice::from_ref(&name);
            let update = ops::formation::Update { process_type: name.clone(), ..update.clone() };
            ops::formation::check(api.ops(), &login.0, &app, &[update], coming).await?;
            let wish = Wish { process_type: name.clone(), image };
            containers::release(&api, &login, &app, &[wish]).await?;
            let planned = ops::formation::planned(api.ops(), &login.0, &app, &name).await?;
            if let Some(planned) = planned {
                // Its release command has not ended, and until then there is nothing to scale.
                return Ok(Json(present::formation(&planned)));
            }
        }
        Some(None) | None => {}
    }
    let list = ops::formation::update(api.ops(), &login.0, &app, vec![update]).await?;
    let one = list.first().ok_or_else(|| ApiError::not_found("formation"))?;
    Ok(Json(present::formation(one)))
}

fn read(process_type: String, update: Update) -> Result<ops::formation::Update, ApiError> {
    let quantity = match update.quantity {
        None => None,
        Some(NumberOrText::Number(number)) => Some(Quantity::Absolute(number)),
        Some(NumberOrText::Text(text)) => Some(Quantity::parse(text.trim())?),
    };
    let size = update.size.or_else(|| update.dyno_size.map(|size| size.as_str().to_owned()));
    Ok(ops::formation::Update { process_type, quantity, size })
}
