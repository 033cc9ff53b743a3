//! Key-value stores: `/redis/v0/databases`.

use crate::extract::{Body, Login};
use crate::ranges::{Page, Range};
use crate::{Api, ApiError};
use axum::Json;
use axum::extract::{Path, State};
use ops::redis::{Configured, Database as Known};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;
use wire::data::redis::{Database, Formation, Info, Message, Setting, Upgrade, Wait};

/// How long an answer waits until the service has taken what was asked of it.
const PATIENCE: Duration = Duration::from_secs(20);

fn shape(known: Known) -> Database {
    let addon = &known.info.addon;
    Database {
        addon_id: addon.id.to_string(),
        name: addon.name.clone(),
        plan: addon.plan.clone(),
        created_at: addon.created_at.into(),
        formation: Formation {
            id: addon.id.to_string(),
            primary: addon.instance.map(|instance| instance.to_string()),
        },
        metaas_source: addon.name.clone(),
        port: known.port,
        info: info_lines(&known),
        resource_url: known.url,
        version: known.version,
        prefer_native_tls: true,
    }
}

/// What `heroku redis:info` prints, in its order.
fn info_lines(known: &Known) -> Vec<Info> {
    let setting = |name: &str| known.settings.get(name).cloned().unwrap_or_default();
    let notifications = match setting("notify_keyspace_events") {
        letters if letters.is_empty() => "Disabled".to_owned(),
        letters => letters,
    };
    let mut lines = vec![
        ("Plan", known.plan_title.clone()),
        ("Status", known.waits.clone().unwrap_or_else(|| "available".into())),
        ("Created", known.info.addon.created_at.strftime("%Y-%m-%d %H:%M UTC").to_string()),
        ("Version", known.version.clone()),
        ("Timeout", setting("timeout")),
        ("Maxmemory", setting("maxmemory_policy")),
    ];
    if let Some(open) = known.samples.get("active-connections") {
        lines.push(("Connections", format!("{open}/{}", known.connections)));
    }
    if let Some(used) = known.samples.get("memory-redis").and_then(|used| used.strip_suffix("bytes")) {
        lines.push(("Memory", format!("{used} bytes")));
    }
    if let Some(rate) = known.samples.get("hit-rate") {
        lines.push(("Hit Rate", rate.clone()));
    }
    lines.push(("Persistence", "AOF".into()));
    lines.push(("HA Status", "Unavailable".into()));
    lines.push(("Requires TLS", "Yes".into()));
    lines.push(("Keyspace Notifications", notifications));
    lines.into_iter().map(|(name, value)| Info { name: name.into(), values: vec![value] }).collect()
}

/// Numbers as such.
fn value(configured: &Configured, text: &str) -> Value {
    let number = configured.setting.number.and_then(|_| text.parse::<u64>().ok());
    number.map_or_else(|| Value::from(text), Value::from)
}

fn settings(list: BTreeMap<String, Configured>) -> BTreeMap<String, Setting> {
    let shape = |one: Configured| Setting {
        value: value(&one, &one.value),
        default: value(&one, &one.setting.default),
        desc: one.setting.about,
        values: one.setting.values,
    };
    list.into_iter().map(|(name, one)| (name, shape(one))).collect()
}

/// `GET /redis/v0/databases`
pub(crate) async fn list(
    State(api): State<Api>,
    Login(actor): Login,
    range: Range,
) -> Result<Page, ApiError> {
    let list: Vec<_> = ops::redis::list(api.ops(), &actor).await?.into_iter().map(shape).collect();
    Page::select(&range, &["name"], &list)
}

/// `GET /redis/v0/databases/{database}`
pub(crate) async fn info(
    State(api): State<Api>,
    Login(actor): Login,
    Path(database): Path<String>,
) -> Result<Json<Database>, ApiError> {
    Ok(Json(shape(ops::redis::info(api.ops(), &actor, &database).await?)))
}

/// `GET /redis/v0/databases/{database}/config`
pub(crate) async fn config(
    State(api): State<Api>,
    Login(actor): Login,
    Path(database): Path<String>,
) -> Result<Json<BTreeMap<String, Setting>>, ApiError> {
    Ok(Json(settings(ops::redis::settings(api.ops(), &actor, &database).await?)))
}

/// `PATCH /redis/v0/databases/{database}/config`
pub(crate) async fn configure(
    State(api): State<Api>,
    Login(actor): Login,
    Path(database): Path<String>,
    Body(body): Body<BTreeMap<String, Value>>,
) -> Result<Json<BTreeMap<String, Setting>>, ApiError> {
    // Who may not know it is not told how it is.
    ops::redis::settings(api.ops(), &actor, &database).await?;
    let mut values = BTreeMap::new();
    for (name, value) in body {
        let text = match value {
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            other => {
                return Err(ApiError::invalid_params(format!("{name} must be a text or a number: {other}.")));
            }
        };
        values.insert(name, text);
    }
    let errand = ops::addons::configure(api.ops(), &actor, &database, values).await?;
    ops::addons::errand_settled(api.ops(), &errand, PATIENCE).await?;
    Ok(Json(settings(ops::redis::settings(api.ops(), &actor, &database).await?)))
}

/// `POST /redis/v0/databases/{database}/credentials_rotation`
pub(crate) async fn rotate(
    State(api): State<Api>,
    Login(actor): Login,
    Path(database): Path<String>,
) -> Result<Json<Message>, ApiError> {
    let known = ops::redis::info(api.ops(), &actor, &database).await?;
    let addon = &known.info.addon;
    ops::credentials::rotate(api.ops(), &actor, &database, None).await?;
    ops::credentials::settled(api.ops(), addon.id, PATIENCE).await?;
    Ok(Json(Message { message: format!("Rotated credentials of {}.", addon.name) }))
}

/// `POST /redis/v0/databases/{database}/stats/reset`
pub(crate) async fn reset_stats(
    State(api): State<Api>,
    Login(actor): Login,
    Path(database): Path<String>,
) -> Result<Json<Message>, ApiError> {
    let known = ops::redis::info(api.ops(), &actor, &database).await?;
    let errand = ops::addons::reset_stats(api.ops(), &actor, &database).await?;
    ops::addons::errand_settled(api.ops(), &errand, PATIENCE).await?;
    Ok(Json(Message { message: format!("Stats reset for {}.", known.info.addon.name) }))
}

/// `POST /redis/v0/databases/{database}/upgrade`
pub(crate) async fn upgrade(
    State(api): State<Api>,
    Login(actor): Login,
    Path(database): Path<String>,
    Body(body): Body<Upgrade>,
) -> Result<Json<Message>, ApiError> {
    let message = ops::redis::upgrade(api.ops(), &actor, &database, body.version.as_deref()).await?;
    Ok(Json(Message { message }))
}

/// `GET /redis/v0/databases/{database}/wait`
pub(crate) async fn wait(
    State(api): State<Api>,
    Login(actor): Login,
    Path(database): Path<String>,
) -> Result<Json<Wait>, ApiError> {
    let known = ops::redis::info(api.ops(), &actor, &database).await?;
    let waiting = known.waits.is_some();
    Ok(Json(Wait { message: known.waits.unwrap_or_else(|| "available".into()), waiting }))
}
