//! How a dyno's container is to be: its environment, command, limits and labels.
//!
//! The environment and the order of the start-up scripts are Heroku's (Dev Center: "Dynos", "Runtime
//! dyno metadata", "Startup").

use crate::Settings;
use crate::error::Result;
use crate::own_image::OwnImage;
use domain::{App, AppSetupId, ConfigVars, Digest, Dyno, DynoKind, DynoSize, Release, Slug};
use engine::{ContainerSpec, Limits, Power, Terminal};
use jiff::tz::TimeZone;
use ops::Ops;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::SocketAddrV4;
use std::time::Duration;
use store::Tx;

/// Labels of a dyno's container.
pub(crate) mod label {
    pub(crate) const KIND: &str = "kind";
    /// The value of [`KIND`].
    pub(crate) const DYNO: &str = "dyno";
    pub(crate) const APP: &str = "app";
    /// `web.1`
    pub(crate) const NAME: &str = "name";
    pub(crate) const SIZE: &str = "size";
    /// `log`, or `client` when nobody but an attached client sees the output.
    pub(crate) const OUTPUT: &str = "output";
    /// The release whose command it runs, if it runs one.
    pub(crate) const RELEASE: &str = "release";
    /// The setup whose script it runs, if it runs one.
    pub(crate) const SETUP: &str = "setup";
}

/// Runs the start-up scripts as Heroku does, then becomes the command. What they export reaches it.
/// First of all comes what layers of Cloud Native Buildpacks ask for (`builder`, `cnb::launcher`).
const START: &str = r#"kigo_command=$1; shift
cd /app
[ -f /layers/config/launch.sh ] && . /layers/config/launch.sh
for kigo_script in /app/.profile.d/*.sh; do [ -f "$kigo_script" ] && . "$kigo_script"; done
[ -f /app/.profile ] && . /app/.profile
unset kigo_script
exec bash -c "$kigo_command""#;

/// What the official CLI appends to a command whose status it wants (`run --exit-code`).
const TELL_STATUS: &str = " ; echo \"\u{ffff} heroku-command-exit-status: $?\"";

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// User and group id of `dyno` in every stack.
const USER: u32 = 1000;

/// The rows that one dyno's container is made from.
pub(crate) struct Source {
    pub(crate) app: App,
    pub(crate) release: Release,
    pub(crate) slug: Slug,
    pub(crate) image: Digest,
    /// `image` is one of a container app, and not what a build made of an app's code.
    pub(crate) is_own: bool,
    /// The dyno runs what that image names, and not the dyno's command.
    pub(crate) runs_itself: bool,
    pub(crate) vars: ConfigVars,
    /// The app's default host name, if the dyno is to know about itself.
    pub(crate) metadata: Option<String>,
    /// The setup whose script the dyno runs.
    pub(crate) setup: Option<AppSetupId>,
    /// Where the app's add-ons are.
    pub(crate) reach: Vec<SocketAddrV4>,
}

impl Source {
    /// `None` if the app, its release or its image is gone.
    pub(crate) async fn load(ops: &Ops, tx: &mut Tx, dyno: &Dyno) -> Result<Option<Self>> {
        let Some(app) = store::apps::by_id(tx, dyno.app).await? else { return Ok(None) };
        let Some(release) = store::releases::by_id(tx, dyno.release).await? else { return Ok(None) };
        let slug = match release.slug {
            Some(id) => store::slugs::by_id(tx, id).await?,
            None => None,
        };
        let Some(slug) = slug else { return Ok(None) };
        let process_type = match dyno.kind {
            DynoKind::Formation | DynoKind::Release => Some(&dyno.name.process_type),
            DynoKind::OneOff => dyno.image_type.as_ref(),
        };
        let own = process_type.and_then(|process_type| slug.own_image(process_type));
        let Some(image) = own.map(|own| own.image).or_else(|| slug.any_image()) else { return Ok(None) };
        let vars = store::configs::of_release(tx, release.id).await?;
        let metadata = if ops::features::is_enabled(tx, app.id, ops::features::DYNO_METADATA).await? {
            let domains = store::domains::list(tx, app.id).await?;
            domains.into_iter().find(|domain| !domain.custom).map(|domain| domain.hostname)
        } else {
            None
        };
        let setup = store::app_setups::id_by_dyno(tx, dyno.id).await?;
        let is_own = own.is_some() || slug.image.is_none();
        let reach = ops::attachments::reach(ops, tx, app.id).await?;
        let runs_itself = dyno.kind != DynoKind::OneOff && own.is_some_and(|own| own.own_command);
        Ok(Some(Self { app, release, slug, image, is_own, runs_itself, vars, metadata, setup, reach }))
    }
}

/// What an image brings along.
pub(crate) enum Brought {
    /// Of a slug's image: its environment.
    Env(BTreeMap<String, String>),
    /// Of a container app's.
    Own(OwnImage),
}

/// The container of `dyno`.
pub(crate) fn container(
    dyno: &Dyno,
    source: &Source,
    brought: Brought,
    settings: &Settings,
) -> ContainerSpec {
    let own = match brought {
        Brought::Own(own) => own,
        Brought::Env(env) => return of_slug(dyno, source, env, settings),
    };
    let told = told(&dyno.command, "sh");
    let mut env = environment(dyno, source, own.env.clone());
    for (name, value) in [("HOME", own.home()), ("PWD", &own.working_dir)] {
        env.insert(name.into(), value.to_owned());
    }
    ContainerSpec {
        command: own.command((!source.runs_itself).then_some(&told)),
        env,
        working_dir: own.working_dir,
        user: own.user.uid,
        group: Some(own.user.gid),
        ..of_slug(dyno, source, BTreeMap::new(), settings)
    }
}

/// As [`container`], of a slug's image.
fn of_slug(
    dyno: &Dyno,
    source: &Source,
    image_env: BTreeMap<String, String>,
    settings: &Settings,
) -> ContainerSpec {
    let terminal = terminal(dyno);
    ContainerSpec {
        id: dyno.id.0,
        labels: labels(dyno, source, terminal),
        image: source.image,
        command: ["/bin/bash", "-c", START, "bash", &told(&dyno.command, "bash")].map(str::to_owned).into(),
        env: environment(dyno, source, image_env),
        working_dir: "/app".into(),
        hostname: dyno.id.to_string(),
        user: USER,
        group: None,
        power: Power::Plain,
        limits: limits(dyno.size, settings),
        terminal,
        mounts: Vec::new(),
        volumes: Vec::new(),
        address: None,
        reach: source.reach.clone(),
        watch_port: dyno.port,
        time_limit: dyno.time_limit.map(|seconds| Duration::from_secs(seconds.into())),
    }
}

/// The command for the shell. One that is to tell its status gets a shell of its own, so that `exit`,
/// `exec` and broken syntax end that one and the status is told all the same.
fn told<'c>(command: &'c str, shell: &str) -> Cow<'c, str> {
    match command.strip_suffix(TELL_STATUS) {
        Some(command) => format!("{shell} -c '{}'{TELL_STATUS}", command.replace('\'', r"'\''")).into(),
        None => command.into(),
    }
}

fn terminal(dyno: &Dyno) -> Terminal {
    if dyno.attach_key.is_none() {
        return Terminal::Log;
    }
    if dyno.no_tty {
        return Terminal::Pipes;
    }
    let size = |name: &str, usual| dyno.env.get(name).and_then(|text| text.parse().ok()).unwrap_or(usual);
    Terminal::Pty { columns: size("COLUMNS", 80), rows: size("LINES", 24) }
}

fn labels(dyno: &Dyno, source: &Source, terminal: Terminal) -> BTreeMap<String, String> {
    let output = if terminal == Terminal::Log { "log" } else { "client" };
    let mut labels: BTreeMap<_, _> = [
        (label::KIND, label::DYNO.to_owned()),
        (label::APP, dyno.app.to_string()),
        (label::NAME, dyno.name.to_string()),
        (label::SIZE, dyno.size.to_string()),
        (label::OUTPUT, output.to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    if dyno.kind == DynoKind::Release {
        labels.insert(label::RELEASE.into(), dyno.release.to_string());
    }
    if let Some(setup) = source.setup {
        labels.insert(label::SETUP.into(), setup.to_string());
    }
    labels
}

/// What an image brings, then the config vars, then what a one-off's client sent; above all of it
/// what the platform promises.
fn environment(
    dyno: &Dyno,
    source: &Source,
    image_env: BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let mut env = BTreeMap::from([("PATH".to_owned(), PATH.to_owned())]);
    env.extend(image_env);
    env.extend(source.vars.0.clone());
    env.extend(dyno.env.clone());
    if let Some(host) = &source.metadata {
        env.extend(metadata(dyno, source, host));
    }
    for (name, value) in [("HOME", "/app"), ("PWD", "/app")] {
        env.insert(name.into(), value.into());
    }
    env.insert("DYNO".into(), dyno.name.to_string());
    match dyno.port {
        Some(port) => env.insert("PORT".into(), port.to_string()),
        None => None,
    };
    env
}

/// What a dyno with the feature `runtime-dyno-metadata` knows about itself.
fn metadata(dyno: &Dyno, source: &Source, host: &str) -> BTreeMap<String, String> {
    let Source { app, release, slug, .. } = source;
    let commit = slug.commit.clone().unwrap_or_default();
    let description = slug.commit_description.clone().unwrap_or_else(|| release.description.clone());
    let created = release.created_at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    [
        ("HEROKU_APP_ID", app.id.to_string()),
        ("HEROKU_APP_NAME", app.name.to_string()),
        ("HEROKU_APP_DEFAULT_DOMAIN_NAME", host.to_owned()),
        ("HEROKU_DYNO_ID", dyno.id.to_string()),
        ("HEROKU_RELEASE_CREATED_AT", created),
        ("HEROKU_RELEASE_VERSION", format!("v{}", release.version)),
        ("HEROKU_BUILD_COMMIT", commit.clone()),
        ("HEROKU_BUILD_DESCRIPTION", description),
        ("HEROKU_SLUG_COMMIT", commit),
        ("HEROKU_SLUG_DESCRIPTION", release.description.clone()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

fn limits(size: DynoSize, settings: &Settings) -> Limits {
    let spec = size.spec();
    Limits {
        memory: spec.memory,
        memory_max: 2 * spec.memory,
        cpu_weight: 100 * spec.cpu_share,
        cpu_millis: None,
        pids: spec.pids,
        disk: settings.dyno_disk,
    }
}

/// A web dyno's `$PORT`: high, and another one for each dyno, so that nobody comes to rely on one.
pub(crate) fn port(id: domain::DynoId) -> u16 {
    10_000 + (id.0.as_u128() % 50_000) as u16
}

#[cfg(test)]
mod tests;
