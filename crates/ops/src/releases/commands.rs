//! Release commands: what runs once before a release becomes current.

use super::ledger::make_current;
use crate::one_offs::{blank_dyno, free_number};
use crate::{Ops, Result, accounts};
use domain::{Dyno, DynoKind, DynoSize, ProcessType, Release, ReleaseId, ReleaseStatus};

/// Makes the one-off dyno that runs a pending release's command. Called by the loop that runs release
/// commands. There is only ever one such dyno for a release: later calls return the same one while its
/// row exists, and `None` when there is nothing (more) to run.
pub async fn start_command(ops: &Ops, id: ReleaseId) -> Result<Option<Dyno>> {
    let mut write = ops.store().write().await?;
    let Some(release) = store::releases::by_id(&mut write, id).await? else { return Ok(None) };
    if let Some(dyno) = store::releases::command_dyno(&mut write, id).await? {
        return Ok(store::dynos::by_id(&mut write, dyno).await?);
    }
    let slug = match release.slug {
        Some(id) => store::slugs::by_id(&mut write, id).await?,
        None => None,
    };
    let command = slug.as_ref().and_then(|slug| slug.process_types.get(&ProcessType::release()));
    let (ReleaseStatus::Pending, Some(command)) = (release.status, command) else { return Ok(None) };
    let formation = store::formation::list(&mut write, release.app).await?;
    let size = formation.iter().find(|row| row.process_type == ProcessType::release()).map(|row| row.size);
    let now = ops.now();
    let dyno = Dyno {
        name: free_number(&mut write, release.app, ProcessType::release()).await?,
        kind: DynoKind::Release,
        size: size.unwrap_or(DynoSize::DEFAULT),
        user: Some(release.user),
        // Heroku's limit for release commands.
        time_limit: Some(3600),
        ..blank_dyno(release.app, release.id, command.clone(), now)
    };
    store::dynos::insert(&mut write, &dyno).await?;
    store::releases::set_command_dyno(&mut write, id, dyno.id).await?;
    let user = accounts::mention(&mut write, release.user).await?;
    let line = format!("Starting process with command `{command}` by user {}", user.email);
    ops.commit(write, release.app, vec![line]).await?;
    Ok(Some(dyno))
}

/// Ends a pending release: with success it becomes current, unless a later one already is. Called by
/// the loop that runs release commands; doing it twice does nothing more.
pub async fn finish_command(ops: &Ops, id: ReleaseId, success: bool) -> Result<Option<Release>> {
    let mut write = ops.store().write().await?;
    let Some(mut release) = store::releases::by_id(&mut write, id).await? else { return Ok(None) };
    if release.status != ReleaseStatus::Pending {
        return Ok(Some(release));
    }
    let Some(mut app) = store::apps::by_id(&mut write, release.app).await? else { return Ok(None) };
    release.status = if success { ReleaseStatus::Succeeded } else { ReleaseStatus::Failed };
    release.updated_at = ops.now();
    store::releases::set_status(&mut write, id, release.status, release.updated_at).await?;
    let mut lines = Vec::new();
    let user = accounts::mention(&mut write, release.user).await?;
    if success {
        let slug = match release.slug {
            Some(id) => store::slugs::by_id(&mut write, id).await?,
            None => None,
        };
        lines.push(format!("Release v{} created by user {}", release.version, user.email));
        lines.extend(make_current(ops, &mut write, &mut app, &release, slug.as_ref(), &user.email).await?);
    } else {
        lines.push(format!("Release v{} command failed", release.version));
    }
    ops.commit(write, release.app, lines).await?;
    Ok(Some(release))
}
