//! What several commands do alike.

use super::{AppArgs, Context, Result};
use crate::git;
use crate::printer::{Action, Printer};
use anyhow::bail;
use client::Client;
use futures_util::StreamExt;
use serde::Serialize;
use std::collections::BTreeMap;
use wire::app::App;
use wire::authorization::Authorization;
use wire::buildpack::BuildpackInstallation;
use wire::release::Release;

/// What a command takes that lists something of an app.
#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    app: AppArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl ListArgs {
    /// The app and what it has, for who shows it. `None` where all has been said: as JSON, or that the app has
    /// `nothing`.
    pub(crate) async fn list<T: Serialize>(
        &self,
        context: &Context<'_>,
        ask: impl AsyncFnOnce(&Client, &str) -> Result<Vec<T>>,
        nothing: &str,
    ) -> Result<Option<(String, Vec<T>)>> {
        let app = self.app.resolve(context)?;
        let found = ask(&context.client()?, &app).await?;
        if self.json {
            context.printer.json(&found)?;
            return Ok(None);
        }
        if found.is_empty() {
            context.printer.line(format!("{app} has {nothing}"))?;
            return Ok(None);
        }
        Ok(Some((app, found)))
    }
}

/// Quotes a value for a POSIX shell where that is needed.
pub(crate) fn quote(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    if !value.is_empty() && value.chars().all(plain) {
        return value.to_owned();
    }
    format!("'{}'", value.replace('\'', r"'\''"))
}

/// Makes or changes a git remote that leads to `app`, and tells git where the token is. Outside
/// of a repository there is nothing to do.
pub(crate) fn add_remote(context: &Context<'_>, name: &str, app: &App) -> Result<()> {
    let directory = context.settings.directory.as_deref();
    if !git::is_repository(directory) {
        return Ok(());
    }
    let exists = git::git(directory, &["remote", "get-url", name]).is_ok();
    if exists {
        set_remote_url(context, name, app)?;
    } else {
        git::git(directory, &["remote", "add", name, &app.git_url])?;
    }
    teach_git(context, app)?;
    context.printer.line(format!("set git remote {name} to {}", app.git_url))?;
    Ok(())
}

pub(crate) fn set_remote_url(context: &Context<'_>, name: &str, app: &App) -> Result<()> {
    git::git(context.settings.directory.as_deref(), &["remote", "set-url", name, &app.git_url])?;
    Ok(())
}

/// Lets git ask this program for the token of this one server, and trust its authority there.
fn teach_git(context: &Context<'_>, app: &App) -> Result<()> {
    let directory = context.settings.directory.as_deref();
    let Some(origin) = app.git_url.strip_suffix(&format!("/{}.git", app.name)) else { return Ok(()) };
    let helper = format!("credential.{origin}.helper");
    git::git(directory, &["config", "--local", &helper, "!kigo git:credentials"])?;
    if let Some(authority) = &context.settings.authority {
        let key = format!("http.{origin}/.sslCAInfo");
        git::git(directory, &["config", "--local", &key, &authority.to_string_lossy()])?;
    }
    Ok(())
}

/// Ends the action with the number of the release that the change made.
pub(crate) async fn after_config_change(client: &Client, app: &str, action: Action<'_>) -> Result<()> {
    match client.releases(app, 1).await?.first() {
        Some(release) => action.done_with(format!("v{}", release.version)),
        None => action.done(),
    }
    Ok(())
}

/// The release that the user named, else the current one.
pub(crate) async fn release_or_current(client: &Client, app: &str, named: Option<&str>) -> Result<Release> {
    if let Some(named) = named {
        return Ok(client.release(app, named).await?);
    }
    let releases = client.releases(app, 100).await?;
    match releases.iter().find(|release| release.current).or(releases.first()) {
        Some(release) => Ok(release.clone()),
        None => bail!("⬢ {app} has no releases."),
    }
}

/// Fails for an app whose dynos run slugs.
pub(crate) async fn require_container_stack(client: &Client, app: &str) -> Result<()> {
    let stack = client.app(app).await?.build_stack.name;
    if stack != "container" {
        bail!(
            "⬢ {app} has the stack {stack}, and images are for the stack container. To change it: \
             kigo stack:set container --app {app}"
        );
    }
    Ok(())
}

/// Copies an output stream until it ends; says whether there was one.
pub(crate) async fn print_output(context: &Context<'_>, client: &Client, url: &str) -> Result<bool> {
    print_output_from(context, client, url, &mut 0).await
}

/// The same from this byte on, which is counted up.
pub(crate) async fn print_output_from(
    context: &Context<'_>,
    client: &Client,
    url: &str,
    from: &mut u64,
) -> Result<bool> {
    let Some(stream) = client.output(url, *from).await? else { return Ok(false) };
    let mut stream = std::pin::pin!(stream);
    while let Some(piece) = stream.next().await {
        // Zero bytes only keep the connection alive.
        let piece: Vec<u8> = piece?.iter().copied().filter(|byte| *byte != 0).collect();
        context.printer.raw(&piece)?;
        *from += piece.len() as u64;
    }
    Ok(true)
}

/// What `A=1;B=2` says.
pub(crate) fn variables(pairs: Option<&str>) -> Result<BTreeMap<String, String>> {
    let pairs = pairs.unwrap_or_default().split(';').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| match pair.split_once('=') {
            Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
            None => bail!("{pair} is not of the form KEY=value."),
        })
        .collect()
}

pub(crate) fn show_authorization(printer: &Printer, one: &Authorization, json: bool) -> Result<()> {
    if json {
        return printer.json(one);
    }
    let access = one.access_token.as_ref();
    let life = match access.and_then(|access| access.expires_in) {
        Some(seconds) => format!("in {seconds} seconds"),
        None => "never".to_owned(),
    };
    printer.pairs(&[
        ("Client", "<none>".to_owned()),
        ("ID", one.id.to_string()),
        ("Description", one.description.clone()),
        ("Scope", one.scope.join(", ")),
        ("Token", access.map_or_else(String::new, |access| access.token.clone())),
        ("Expires", life),
        ("Updated at", one.updated_at.to_string()),
    ])?;
    Ok(())
}

/// The addresses or names of an app's buildpacks, in order.
pub(crate) async fn order(client: &Client, app: &str) -> Result<Vec<String>> {
    Ok(client.buildpacks(app).await?.into_iter().map(|one| one.buildpack.name).collect())
}

/// Puts a new order of buildpacks in force and says what came of it.
pub(crate) async fn replace(
    context: &Context<'_>,
    client: &Client,
    app: &str,
    order: Vec<String>,
    verb: &str,
) -> Result<()> {
    let buildpacks = client.buildpacks_update(app, order).await?;
    match buildpacks.as_slice() {
        [] => context.printer.line(format!("Buildpack {verb}. The next build looks for a fitting one."))?,
        [only] => context
            .printer
            .line(format!("Buildpack {verb}. Next release on {app} will use {}.", only.buildpack.name))?,
        _ => {
            context.printer.line(format!("Buildpack {verb}. Next release on {app} will use:"))?;
            show_buildpacks(context.printer, &buildpacks)?;
        }
    }
    context.printer.line("Run git push heroku main to create a new release using this.")?;
    Ok(())
}

pub(crate) fn show_buildpacks(printer: &Printer, buildpacks: &[BuildpackInstallation]) -> Result<()> {
    match buildpacks {
        [only] => printer.line(&only.buildpack.name)?,
        _ => {
            for one in buildpacks {
                printer.line(format!("{}. {}", one.ordinal + 1, one.buildpack.name))?;
            }
        }
    }
    Ok(())
}
