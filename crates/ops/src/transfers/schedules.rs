//! Daily backups.

use crate::{Actor, Error, Ops, Permission, Result, addons};
use domain::{Schedule, ScheduleId};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A daily backup as it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set {
    pub hour: u8,
    pub timezone: String,
    pub name: String,
}

/// Those of an add-on and of the others of the app that pays for it: who asks what an app has scheduled,
/// as the official CLI does, names any of its databases.
pub async fn list(ops: &Ops, actor: &Actor, addon: &str) -> Result<Vec<Schedule>> {
    let mut tx = ops.store().read().await?;
    let addon = addons::find(&mut tx, actor, addon, Permission::Read).await?;
    let mut list = Vec::new();
    for addon in store::addons::of_app(&mut tx, addon.app).await? {
        list.extend(store::transfers::schedules::of_addon(&mut tx, addon.id).await?);
    }
    Ok(list)
}

/// Sets an add-on's, in the place of the one it had.
pub async fn set(ops: &Ops, actor: &Actor, addon: &str, input: Set) -> Result<Schedule> {
    let mut write = ops.store().write().await?;
    let addon = addons::find(&mut write, actor, addon, Permission::Write).await?;
    let service = ops.settings().catalog.service(&addon.service);
    if service.is_none_or(|one| one.hooks.backup.is_none()) {
        return Err(Error::invalid(format!("{} has no backups: its service does not know how.", addon.name)));
    }
    if input.hour > 23 {
        return Err(Error::invalid(format!("{} is no hour of a day. Give one from 0 to 23.", input.hour)));
    }
    if !(1..=100).contains(&input.name.len()) {
        return Err(Error::invalid("The schedule's name is missing, or too long."));
    }
    timezone(&input.timezone)?;
    let schedule = Schedule {
        id: ScheduleId::new(),
        addon: addon.id,
        name: input.name,
        hour: input.hour,
        timezone: input.timezone,
        done: None,
        overdue: None,
        created_at: ops.now(),
    };
    store::transfers::schedules::set(&mut write, &schedule).await?;
    write.commit().await?;
    Ok(schedule)
}

/// Takes one away. Backups that it made stay as long as they would.
pub async fn delete(ops: &Ops, actor: &Actor, addon: &str, id: ScheduleId) -> Result<Schedule> {
    let mut write = ops.store().write().await?;
    let addon = addons::find(&mut write, actor, addon, Permission::Write).await?;
    let found = store::transfers::schedules::by_id(&mut write, id).await?;
    let schedule = found.filter(|one| one.addon == addon.id).ok_or_else(|| Error::not_found("schedule"))?;
    store::transfers::schedules::delete(&mut write, id).await?;
    write.commit().await?;
    Ok(schedule)
}

/// No backup of a schedule is proven since then, which is told once. For the loop; takes no actor.
pub async fn overdue(ops: &Ops, id: ScheduleId, since: Timestamp) -> Result<()> {
    let mut write = ops.store().write().await?;
    let found = store::transfers::schedules::by_id(&mut write, id).await?;
    let Some(schedule) = found.filter(|one| one.overdue != Some(since)) else { return Ok(()) };
    let Some(addon) = store::addons::by_id(&mut write, schedule.addon).await? else { return Ok(()) };
    store::transfers::schedules::set_overdue(&mut write, id, since).await?;
    super::news::overdue(ops, &mut write, &schedule, &addon, since).await?;
    let line = format!("NO PROVEN BACKUP of {} since {since}", addon.name);
    super::commit(ops, write, vec![(addon.app, line)]).await
}

/// A time zone by its name in the IANA's database.
pub fn timezone(name: &str) -> Result<TimeZone> {
    if name == "UTC" {
        return Ok(TimeZone::UTC);
    }
    TimeZone::get(name).map_err(|_| {
        Error::invalid(format!(
            "The time zone {name:?} is not known here. Name one like UTC, Europe/Berlin or America/New_York."
        ))
    })
}
