//! Databases of Heroku Postgres.

use domain::{Archive, DatabaseAccess, DatabaseFigures, Light, Report};
use jiff::Timestamp;
use ops::postgres::{Database, Kind, Relations, SETTINGS};
use serde_json::Value;
use std::collections::BTreeMap;
use wire::data::postgres::{Check, Columns, Credential, Login, Results, Row, Setting};

const KIB: f64 = 1024.0;

/// As `pg:diagnose` shows it.
pub(crate) fn report(report: Report) -> wire::data::postgres::Report {
    let check = |check: domain::Check| {
        let mut found: Vec<_> = check.found.into_iter().map(Columns).collect();
        let results = match check.light {
            Light::Skipped => Results::Reason(found.pop().unwrap_or_default()),
            _ => Results::Table(found),
        };
        Check { name: check.name, status: check.light.as_str(), results }
    };
    wire::data::postgres::Report {
        id: report.id.0,
        app: report.app,
        database: report.database,
        created_at: report.created_at.into(),
        checks: report.checks.into_iter().map(check).collect(),
    }
}

/// As `pg:info` shows it; without figures if it does not answer, `behind` so many commits of what it follows.
/// `None` if it is not there.
pub(crate) fn database(
    found: &Database,
    figures: Option<&DatabaseFigures>,
    behind: Option<u64>,
    now: Timestamp,
) -> Option<wire::data::postgres::Database> {
    let access = found.access.as_ref()?;
    let addon = &found.addon.addon;
    Some(wire::data::postgres::Database {
        addon_id: addon.id.0,
        name: addon.name.clone(),
        heroku_resource_id: addon.id.0,
        created_at: addon.created_at.into(),
        plan: found.plan.name.clone(),
        port: access.address.port(),
        database_name: access.database.clone(),
        database_user: access.owner.clone(),
        database_password: found.password.clone().unwrap_or_default(),
        resource_url: found.url.clone().unwrap_or_default(),
        waiting: figures.is_none(),
        credentials: found.credentials,
        num_bytes: figures.map_or(0, |figures| figures.bytes),
        following: found.relations.following.as_ref().map(|leader| leader.address.clone()),
        leader: found.relations.following.as_ref().map(|leader| leader.name.clone()),
        info: rows(found, figures, behind, now),
    })
}

fn rows(
    found: &Database,
    figures: Option<&DatabaseFigures>,
    behind: Option<u64>,
    now: Timestamp,
) -> Vec<Row> {
    let plan = &found.plan;
    let mut rows = vec![("Plan", plan.title.clone())];
    match figures {
        None => rows.push(("Status", "Unavailable".to_owned())),
        Some(figures) => rows.extend([
            ("Status", "Available".to_owned()),
            ("Connections", format!("{}/{}", figures.connections, plan.connections)),
            ("PG Version", figures.version.clone()),
            ("Created", found.addon.addon.created_at.strftime("%Y-%m-%d %H:%M UTC").to_string()),
            ("Data Size", data_size(figures.bytes, plan.disk)),
            ("Tables", figures.tables.to_string()),
        ]),
    }
    let follows = found.relations.following.is_some();
    let fork = match (plan.shared, follows) {
        (true, _) => "Unsupported",
        (_, true) => "Unavailable on followers",
        _ => "Available",
    };
    rows.push(("Fork/Follow", fork.to_owned()));
    rows.push(("Rollback", rollback(found, now)));
    rows.push(("Continuous Protection", protection(found)));
    let row = |(name, value): (&str, String)| row(name, vec![value], false);
    let mut rows: Vec<_> = rows.into_iter().map(row).collect();
    rows.extend(relatives(found, behind));
    rows
}

fn row(name: &str, values: Vec<String>, resolve_db_name: bool) -> Row {
    Row { name: name.into(), values: values.into_iter().map(Value::String).collect(), resolve_db_name }
}

/// What it has to do with others.
fn relatives(found: &Database, behind: Option<u64>) -> Vec<Row> {
    let Relations { forked_from, following, followers, .. } = &found.relations;
    let mut rows = Vec::new();
    if let Some(source) = forked_from {
        rows.push(row("Forked From", vec![source.clone()], true));
    }
    if let Some(leader) = following {
        rows.push(row("Following", vec![leader.address.clone()], true));
        let behind = behind.map_or_else(|| "Unknown".to_owned(), commits);
        rows.push(row("Behind By", vec![behind], false));
    }
    if !followers.is_empty() {
        rows.push(row("Followers", followers.clone(), true));
    }
    rows
}

fn commits(count: u64) -> String {
    format!("{count} commit{}", if count == 1 { "" } else { "s" })
}

/// `earliest from 2025-12-19 13:59 UTC`
fn rollback(found: &Database, now: Timestamp) -> String {
    let plan = &found.plan;
    if plan.shared {
        return "Unsupported".to_owned();
    }
    let archive = found.relations.archive.as_ref();
    match archive.and_then(|archive| archive.promised(plan.rollback, now)) {
        Some(earliest) => format!("earliest from {}", earliest.strftime("%Y-%m-%d %H:%M UTC")),
        None => "Unavailable".to_owned(),
    }
}

fn protection(found: &Database) -> String {
    match &found.relations.archive {
        _ if !found.plan.archives() => "Off".to_owned(),
        _ if found.relations.following.is_some() => "Off (that of its leader is on)".to_owned(),
        Some(Archive { failure: Some(why), .. }) => format!("Failing: {why}"),
        Some(Archive { taken_at: Some(_), .. }) => "On".to_owned(),
        _ => "Preparing".to_owned(),
    }
}

/// `7.4 MB / 1 GB (0.72%)`
fn data_size(bytes: u64, disk: u64) -> String {
    let limit = disk.saturating_mul(1 << 20);
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    let share = if limit == 0 { 0.0 } else { bytes as f64 / limit as f64 * 100.0 };
    format!("{} / {} ({share:.2}%)", size(bytes), size(limit))
}

fn size(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    let mut figure = bytes as f64;
    for unit in ["bytes", "KB", "MB", "GB"] {
        if figure < KIB {
            let text = format!("{figure:.1}");
            return format!("{} {unit}", text.strip_suffix(".0").unwrap_or(&text));
        }
        figure /= KIB;
    }
    format!("{figure:.1} TB")
}

/// A way to log in at a database.
pub(crate) fn database_credential(access: &DatabaseAccess, one: &domain::Credential) -> Credential {
    let value = |name: &str| one.values.get(name).cloned().unwrap_or_default();
    let login = Login {
        user: value("user"),
        password: value("password"),
        state: if one.active { "active" } else { "enabling" }.to_owned(),
    };
    Credential {
        uuid: one.id.0,
        name: one.name.clone(),
        state: one.state().to_owned(),
        database: access.database.clone(),
        host: access.address.ip().to_string(),
        port: access.address.port(),
        credentials: vec![login],
    }
}

/// All settings, from what a server has written down.
pub(crate) fn database_settings(known: &BTreeMap<String, String>) -> BTreeMap<String, Setting> {
    SETTINGS
        .iter()
        .map(|setting| {
            let text = ops::postgres::from_postgres(setting, known);
            let values = match setting.kind {
                Kind::Word(words) => {
                    words.iter().map(|(word, says)| ((*word).into(), (*says).into())).collect()
                }
                _ => BTreeMap::new(),
            };
            let shape = Setting {
                value: setting.read(text),
                desc: setting.about.to_owned(),
                default: setting.read(setting.default),
                values,
            };
            (setting.name.to_owned(), shape)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_for_people() {
        assert_eq!(data_size(7_759_871, 1024), "7.4 MB / 1 GB (0.72%)");
        assert_eq!(size(12), "12 bytes");
        assert_eq!(size(64 << 30), "64 GB");
        assert_eq!(size(3 << 40), "3.0 TB");
    }

    #[test]
    fn settings_without_a_word_of_the_server_s_have_their_defaults() {
        let known = BTreeMap::from([
            ("log_connections".to_owned(), "off".to_owned()),
            ("session_preload_libraries".to_owned(), "auto_explain".to_owned()),
        ]);
        let all = database_settings(&known);
        assert_eq!(all["log_connections"].value, Value::Bool(false));
        assert_eq!(all["auto_explain"].value, Value::Bool(true));
        assert_eq!(all["log_min_duration_statement"].value, Value::from(2000));
        assert!(all["log_statement"].values.contains_key("ddl"));
    }
}
