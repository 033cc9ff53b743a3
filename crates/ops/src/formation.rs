//! The formation: how many dynos of each process type, and how large. Scaling makes no release.

use crate::{Actor, AppRef, Error, Ops, Result, access, text};
use domain::app_json::FormationEntry;
use domain::{App, DynoSize, Formation, FormationId, ProcessType, Slug};
use jiff::Timestamp;
use std::collections::BTreeMap;
use store::{Tx, Write};

/// A formation row with the app it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormationInfo {
    pub formation: Formation,
    pub app: AppRef,
}

/// How many dynos are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    Absolute(i64),
    /// So many more, or fewer if negative.
    Relative(i64),
}

impl Quantity {
    /// Reads `2`, `+1` or `-1`, as the CLI sends them.
    pub fn parse(text: &str) -> Result<Self> {
        let number =
            text.parse().map_err(|_| Error::invalid(format!("Quantity {text:?} is not a number.")))?;
        Ok(if text.starts_with(['+', '-']) { Self::Relative(number) } else { Self::Absolute(number) })
    }

    fn apply(self, present: u32) -> i64 {
        match self {
            Self::Absolute(number) => number,
            Self::Relative(number) => i64::from(present).saturating_add(number),
        }
    }
}

/// A wish for one process type; `None` leaves it.
#[derive(Clone, Debug)]
pub struct Update {
    /// Process type, or id of the formation row.
    pub process_type: String,
    pub quantity: Option<Quantity>,
    /// In any case, e.g. `standard-1x`.
    pub size: Option<String>,
}

/// An app's formation by process type.
pub async fn list(ops: &Ops, actor: &Actor, app: &str) -> Result<Vec<FormationInfo>> {
    let mut tx = ops.store().read().await?;
    let app = access::read(&mut tx, actor, app).await?;
    let rows = store::formation::list(&mut tx, app.id).await?;
    Ok(rows.into_iter().map(|formation| FormationInfo { formation, app: (&app).into() }).collect())
}

/// One process type, by name or id of the row.
pub async fn info(ops: &Ops, actor: &Actor, app: &str, identity: &str) -> Result<FormationInfo> {
    let rows = list(ops, actor, app).await?;
    rows.into_iter().find(|row| is(&row.formation, identity)).ok_or_else(|| no_such_type(identity))
}

/// The process type that a name or a row's id means, where a name may be one that is yet to come.
pub fn process_type_of(rows: &[FormationInfo], identity: &str) -> Result<String> {
    if let Some(row) = rows.iter().find(|row| is(&row.formation, identity)) {
        return Ok(row.formation.process_type.to_string());
    }
    // An id of no row here would otherwise become a process type that is called so.
    if identity.parse::<FormationId>().is_ok() {
        Err(no_such_type(identity))
    } else {
        Ok(identity.to_owned())
    }
}

/// Whether updates could be made once a release has brought the process types `coming`, for whoever
/// makes that release first. Changes nothing.
pub async fn check(ops: &Ops, actor: &Actor, app: &str, updates: &[Update], coming: &[String]) -> Result<()> {
    let mut tx = ops.store().read().await?;
    let app = access::write(&mut tx, actor, app).await?;
    let mut rows = store::formation::list(&mut tx, app.id).await?;
    let first = rows.is_empty() && store::releases::count_with_slug(&mut tx, app.id).await? == 0;
    let size = size_of_new(&rows);
    for name in coming {
        if rows.iter().any(|row| is(row, name)) {
            continue;
        }
        let process_type = ProcessType::parse(name)?;
        let quantity = u32::from(first && process_type.is_web());
        let row = new_row(&app, process_type, String::new(), size, ops.now());
        rows.push(Formation { quantity, ..row });
    }
    for update in updates {
        let row = rows.iter_mut().find(|row| is(row, &update.process_type));
        change(row.ok_or_else(|| no_such_type(&update.process_type))?, update, ops.settings().max_quantity)?;
    }
    Ok(())
}

/// The row that a process type is going to have when the app's newest release becomes current; `None`
/// if it has one already.
pub async fn planned(
    ops: &Ops,
    actor: &Actor,
    app: &str,
    process_type: &str,
) -> Result<Option<FormationInfo>> {
    let mut write = ops.store().write().await?;
    let app = access::read(&mut write, actor, app).await?;
    let rows = store::formation::list(&mut write, app.id).await?;
    if rows.iter().any(|row| is(row, process_type)) {
        return Ok(None);
    }
    let slug = crate::releases::base_slug(&mut write, app.id).await?;
    let process_type = ProcessType::parse(process_type)?;
    let command = slug.as_ref().and_then(|slug| slug.process_types.get(&process_type));
    let command = command.ok_or_else(|| no_such_type(process_type.as_str()))?.clone();
    let formation = new_row(&app, process_type, command, size_of_new(&rows), ops.now());
    Ok(Some(FormationInfo { formation, app: (&app).into() }))
}

/// Scales and resizes; all of it or nothing. Returns the rows that were named.
pub async fn update(ops: &Ops, actor: &Actor, app: &str, updates: Vec<Update>) -> Result<Vec<FormationInfo>> {
    let mut write = ops.store().write().await?;
    let app = access::write(&mut write, actor, app).await?;
    let mut rows = store::formation::list(&mut write, app.id).await?;
    let before = rows.clone();
    let mut named = Vec::new();
    for update in &updates {
        let index = rows.iter().position(|row| is(row, &update.process_type));
        let index = index.ok_or_else(|| no_such_type(&update.process_type))?;
        change(&mut rows[index], update, ops.settings().max_quantity)?;
        if !named.contains(&index) {
            named.push(index);
        }
    }
    let now = ops.now();
    let mut changed = false;
    for (row, old) in rows.iter_mut().zip(&before) {
        if row != old {
            row.updated_at = now;
            store::formation::update(&mut write, row).await?;
            changed = true;
        }
    }
    if changed {
        let line = text::by(&actor.account, scaled(&rows));
        ops.commit(write, app.id, vec![line]).await?;
    }
    Ok(named
        .into_iter()
        .map(|index| FormationInfo { formation: rows[index].clone(), app: (&app).into() })
        .collect())
}

fn change(row: &mut Formation, update: &Update, max: u32) -> Result<()> {
    if let Some(size) = &update.size {
        row.size = size.parse::<DynoSize>()?;
    }
    let Some(quantity) = update.quantity else { return Ok(()) };
    let wanted = quantity.apply(row.quantity);
    let wanted = u32::try_from(wanted).ok().filter(|wanted| *wanted <= max).ok_or_else(|| {
        Error::invalid(format!(
            "Cannot scale {} to {wanted} dynos: use a quantity from 0 to {max}.",
            row.process_type
        ))
    })?;
    if wanted > 0 && row.process_type == ProcessType::release() {
        return Err(Error::invalid(
            "The release process type can't be scaled: it runs once for each release.",
        ));
    }
    row.quantity = wanted;
    Ok(())
}

/// Scales and resizes an app as its `app.json` says. Returns the log's words if that changed anything,
/// or why it cannot be; then nothing was changed.
pub(crate) async fn set_up(
    ops: &Ops,
    write: &mut Write,
    app: &App,
    wanted: &BTreeMap<ProcessType, FormationEntry>,
) -> Result<std::result::Result<Option<String>, String>> {
    let mut rows = store::formation::list(write, app.id).await?;
    let before = rows.clone();
    for (process_type, entry) in wanted {
        let Some(row) = rows.iter_mut().find(|row| row.process_type == *process_type) else {
            let known: Vec<_> = before.iter().map(|row| row.process_type.as_str()).collect();
            let known = if known.is_empty() { "none".into() } else { known.join(", ") };
            return Ok(Err(format!("the app has no process type {process_type}. It has: {known}.")));
        };
        let update = Update {
            process_type: process_type.to_string(),
            quantity: entry.quantity.map(|quantity| Quantity::Absolute(quantity.into())),
            size: entry.size.map(|size| size.to_string()),
        };
        if let Err(error) = change(row, &update, ops.settings().max_quantity) {
            return Ok(Err(error.to_string()));
        }
    }
    let changed: Vec<_> = rows.iter_mut().zip(&before).filter(|(row, old)| *row != *old).collect();
    if changed.is_empty() {
        return Ok(Ok(None));
    }
    for (row, _) in changed {
        row.updated_at = ops.now();
        store::formation::update(write, row).await?;
    }
    Ok(Ok(Some(scaled(&rows))))
}

/// Makes the formation fit a slug that becomes current: new process types start at 0, or `web` at 1 on
/// an app's first deploy, and those the slug does not have are dropped. Returns the log's words if
/// the first deploy was scaled.
pub(crate) async fn fit(write: &mut Write, app: &App, slug: &Slug, now: Timestamp) -> Result<Option<String>> {
    let rows = store::formation::list(write, app.id).await?;
    let first = rows.is_empty() && is_first_deploy(write, app).await?;
    let size = size_of_new(&rows);
    for row in &rows {
        match slug.process_types.get(&row.process_type) {
            None => store::formation::delete(write, row.id).await?,
            Some(command) if *command != row.command => {
                let row = Formation { command: command.clone(), updated_at: now, ..row.clone() };
                store::formation::update(write, &row).await?;
            }
            Some(_) => {}
        }
    }
    for (process_type, command) in &slug.process_types {
        if rows.iter().any(|row| row.process_type == *process_type) {
            continue;
        }
        let row = Formation {
            quantity: u32::from(first && process_type.is_web()),
            ..new_row(app, process_type.clone(), command.clone(), size, now)
        };
        store::formation::insert(write, &row).await?;
    }
    let rows = store::formation::list(write, app.id).await?;
    Ok((first && !rows.is_empty()).then(|| scaled(&rows)))
}

/// The size of a process type that is new: that of `web`, or of any other.
fn size_of_new(rows: &[Formation]) -> DynoSize {
    let of = rows.iter().find(|row| row.process_type.is_web()).or(rows.first());
    of.map_or(DynoSize::DEFAULT, |row| row.size)
}

fn new_row(
    app: &App,
    process_type: ProcessType,
    command: String,
    size: DynoSize,
    now: Timestamp,
) -> Formation {
    Formation {
        id: FormationId::new(),
        app: app.id,
        process_type,
        command,
        quantity: 0,
        size,
        created_at: now,
        updated_at: now,
    }
}

/// Whether no release before the one that becomes current now ran any code.
async fn is_first_deploy(tx: &mut Tx, app: &App) -> Result<bool> {
    // The release that becomes current counts as one.
    Ok(store::releases::count_with_slug(tx, app.id).await? <= 1)
}

/// `Scaled to web@2:Basic worker@1:Basic`, all types in order.
fn scaled(rows: &[Formation]) -> String {
    let each: Vec<_> =
        rows.iter().map(|row| format!("{}@{}:{}", row.process_type, row.quantity, row.size)).collect();
    format!("Scaled to {}", each.join(" "))
}

fn is(row: &Formation, identity: &str) -> bool {
    row.process_type.as_str() == identity || row.id.to_string() == identity
}

pub(crate) fn no_such_type(name: &str) -> Error {
    Error::NotFound { resource: "formation", message: format!("Couldn't find that process type ({name}).") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities() {
        for (text, present, wanted) in [
            ("2", 5, 2),
            ("+1", 5, 6),
            ("-1", 5, 4),
            ("-9", 5, -4),
            ("0", 5, 0),
            ("+9223372036854775807", 5, i64::MAX),
        ] {
            assert_eq!(Quantity::parse(text).unwrap().apply(present), wanted, "{text}");
        }
        for bad in ["", "x", "1x", "++1", "1.5", "9223372036854775808", " 1"] {
            assert!(Quantity::parse(bad).is_err(), "{bad:?}");
        }
    }
}
