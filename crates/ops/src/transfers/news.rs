//! What people are told about backups that are not what they are to be.

use crate::notices::{News, add};
use crate::{Ops, Result};
use domain::{Addon, AppId, NoticeKind, Schedule, Transfer};
use jiff::Timestamp;
use store::{Tx, Write};

/// A backup cannot be restored.
pub(super) async fn refuted(ops: &Ops, write: &mut Write, backup: &Transfer, why: &str) -> Result<()> {
    let (app, name, addon) = (app(write, backup.app).await?, backup.name(), &backup.from_name);
    let text = format!(
        "Backup {name} of {addon}, made at {}, CANNOT BE RESTORED:\n\n    {why}\n\n\
         It was restored into a service of its own to see whether it can be. Do not count on it.\n\n{}",
        backup.created_at,
        advice(&backup.service, &app, &name, addon)
    );
    let subject = format!("{app}: backup {name} of {addon} CANNOT BE RESTORED");
    add(ops, write, news(NoticeKind::BackupRefuted, backup, subject, text)).await
}

/// A scheduled backup was not made. Who asks for one by hand is told there.
pub(super) async fn failed(ops: &Ops, write: &mut Write, backup: &Transfer, why: &str) -> Result<()> {
    if backup.schedule.is_none() {
        return Ok(());
    }
    let (app, name, addon) = (app(write, backup.app).await?, backup.name(), &backup.from_name);
    let text = format!(
        "The scheduled backup {name} of {addon} failed:\n\n    {why}\n\n\
         It is not made again before the next day.\n\n{}",
        advice(&backup.service, &app, &name, addon)
    );
    let subject = format!("{app}: scheduled backup {name} of {addon} failed");
    add(ops, write, news(NoticeKind::BackupFailed, backup, subject, text)).await
}

/// For long, no backup of a schedule was proven.
pub(super) async fn overdue(
    ops: &Ops,
    write: &mut Write,
    schedule: &Schedule,
    addon: &Addon,
    since: Timestamp,
) -> Result<()> {
    let (app, name) = (app(write, addon.app).await?, &addon.name);
    let commands = commands(&addon.service);
    let text = format!(
        "{name} has a daily backup ({}), but since {since} there is none that is known to be restorable.\n\n\
         What there is:    {commands} --app {app}\n\
         Another one now:  {commands}:capture {name} --app {app}\n",
        schedule.name
    );
    let news = News {
        kind: NoticeKind::BackupOverdue,
        app: addon.app,
        transfer: None,
        addon: name.clone(),
        subject: format!("{app}: NO PROVEN BACKUP of {name} since {since}"),
        text,
    };
    add(ops, write, news).await
}

fn news(kind: NoticeKind, backup: &Transfer, subject: String, text: String) -> News {
    let (app, transfer, addon) = (backup.app, Some(backup.id), backup.from_name.clone());
    News { kind, app, transfer, addon, subject, text }
}

fn advice(service: &str, app: &str, name: &str, addon: &str) -> String {
    let commands = commands(service);
    format!(
        "How it went:      {commands}:info {name} --app {app}\n\
         Another one now:  {commands}:capture {addon} --app {app}\n"
    )
}

/// The commands for backups of a service.
pub(super) fn commands(service: &str) -> &'static str {
    if service == crate::postgres::SERVICE { "heroku pg:backups" } else { "kigo addons:backups" }
}

async fn app(tx: &mut Tx, id: AppId) -> Result<String> {
    let app = store::apps::by_id(tx, id).await?;
    Ok(app.map_or_else(|| "(an app that was destroyed)".to_owned(), |app| app.name.to_string()))
}
