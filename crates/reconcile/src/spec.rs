//! How a dyno's container is to be: its environment, command, limits and labels.
//!
//! The environment and the order of the start-up scripts are Heroku's (Dev Center: "Dynos", "Runtime
//! dyno metadata", "Startup").

use crate::Settings;
use crate::error::Result;
use domain::{App, AppSetupId, ConfigVars, Digest, Dyno, DynoKind, DynoSize, Release, Slug};
use engine::{ContainerSpec, Limits, Power, Terminal};
use jiff::tz::TimeZone;
use std::borrow::Cow;
use std::collections::BTreeMap;
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
const START: &str = r#"kigo_command=$1; shift
cd /app
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
    pub(crate) vars: ConfigVars,
    /// The app's default host name, if the dyno is to know about itself.
    pub(crate) metadata: Option<String>,
    /// The setup whose script the dyno runs.
    pub(crate) setup: Option<AppSetupId>,
}

impl Source {
    /// `None` if the app, its release or its image is gone.
    pub(crate) async fn load(tx: &mut Tx, dyno: &Dyno) -> Result<Option<Self>> {
        let Some(app) = store::apps::by_id(tx, dyno.app).await? else { return Ok(None) };
        let Some(release) = store::releases::by_id(tx, dyno.release).await? else { return Ok(None) };
        let slug = match release.slug {
            Some(id) => store::slugs::by_id(tx, id).await?,
            None => None,
        };
        let Some(slug) = slug else { return Ok(None) };
        let Some(image) = slug.image else { return Ok(None) };
        let vars = store::configs::of_release(tx, release.id).await?;
        let metadata = if ops::features::is_enabled(tx, app.id, ops::features::DYNO_METADATA).await? {
            let domains = store::domains::list(tx, app.id).await?;
            domains.into_iter().find(|domain| !domain.custom).map(|domain| domain.hostname)
        } else {
            None
        };
        let setup = store::app_setups::id_by_dyno(tx, dyno.id).await?;
        Ok(Some(Self { app, release, slug, image, vars, metadata, setup }))
    }
}

/// The container of `dyno`. `image_env` is what its image brings along.
pub(crate) fn container(
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
        command: ["/bin/bash", "-c", START, "bash", &told(&dyno.command)].map(str::to_owned).into(),
        env: environment(dyno, source, image_env),
        working_dir: "/app".into(),
        hostname: dyno.id.to_string(),
        user: USER,
        group: None,
        power: Power::Plain,
        limits: limits(dyno.size, settings),
        terminal,
        mounts: Vec::new(),
        watch_port: dyno.port,
        time_limit: dyno.time_limit.map(|seconds| Duration::from_secs(seconds.into())),
    }
}

/// The command for the shell. One that is to tell its status gets a shell of its own, so that `exit`,
/// `exec` and broken syntax end that one and the status is told all the same.
fn told(command: &str) -> Cow<'_, str> {
    match command.strip_suffix(TELL_STATUS) {
        Some(command) => format!("bash -c '{}'{TELL_STATUS}", command.replace('\'', r"'\''")).into(),
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
mod tests {
    use super::*;
    use std::process::Command;

    /// Runs the start-up with another directory for `/app`.
    fn start(files: &[(&str, &str)], command: &str) -> String {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let script = START.replace("/app", dir.path().to_str().unwrap());
        let done = Command::new("bash").args(["-c", &script, "bash", command]).output().unwrap();
        assert!(done.stderr.is_empty(), "{}", String::from_utf8_lossy(&done.stderr));
        let text = String::from_utf8(done.stdout).unwrap();
        format!("{}{}", text.replace(dir.path().to_str().unwrap(), "/app"), done.status.code().unwrap())
    }

    #[test]
    fn scripts_come_in_order_and_what_they_export_stays() {
        let files = [
            (".profile.d/b.sh", "export WHO=$WHO,b"),
            (".profile.d/a.sh", "export WHO=a; hidden=1"),
            (".profile.d/c.txt", "export WHO=no"),
            (".profile", "export WHO=$WHO,profile"),
        ];
        assert_eq!(start(&files, "echo $WHO $hidden $kigo_command $# && pwd"), "a,b,profile 0\n/app\n0");
    }

    #[test]
    fn without_scripts_the_command_is_all_there_is() {
        assert_eq!(start(&[], "echo \"it's\" | tr a-z A-Z; exit 7"), "IT'S\n7");
        // The shell makes way for a simple command, so that signals reach it.
        assert_eq!(
            start(&[], "exec sh -c 'tr \"\\\\0\" \" \" < /proc/$PPID/comm | grep -c bash; true'"),
            "0\n0"
        );
    }

    #[test]
    fn a_status_is_told_however_the_command_ends() {
        for (command, output, status) in [
            ("echo 'it''s'; exit 5", "its\n", 5),
            ("exec sh -c 'exit 6'", "", 6),
            ("set -e; false; echo no", "", 1),
            ("cat <<END # $(\ntext\nEND\n# a comment", "text\n", 0),
        ] {
            let printed = start(&[], &told(&format!("{command}{TELL_STATUS}")));
            assert_eq!(
                printed,
                format!("{output}\u{ffff} heroku-command-exit-status: {status}\n0"),
                "{command}"
            );
        }
        assert_eq!(told("exit 5"), "exit 5");
    }

    fn dyno(kind: DynoKind, name: &str) -> Dyno {
        let now = jiff::Timestamp::UNIX_EPOCH;
        Dyno {
            id: domain::DynoId(uuid::Uuid::from_u128(123)),
            app: domain::AppId::new(),
            name: name.parse().unwrap(),
            kind,
            size: DynoSize::Standard2X,
            release: domain::ReleaseId(uuid::Uuid::from_u128(5)),
            command: "run".into(),
            state: domain::DynoState::Starting,
            env: BTreeMap::new(),
            image_type: None,
            attach_key: None,
            no_tty: false,
            user: None,
            time_limit: None,
            port: None,
            address: None,
            crashes: 0,
            retry_at: None,
            stop_requested_at: None,
            stopping_since: None,
            exit_status: None,
            started_at: None,
            state_changed_at: now,
            created_at: now,
            updated_at: now,
        }
    }

    fn source(vars: &[(&str, &str)], metadata: Option<&str>) -> Source {
        let now = jiff::Timestamp::UNIX_EPOCH;
        let (app, user, slug) = (domain::AppId::new(), domain::AccountId::new(), domain::SlugId::new());
        Source {
            app: App {
                id: app,
                name: "blog".parse().unwrap(),
                owner: user,
                maintenance: false,
                build_stack: "kigo-13".into(),
                stack: "kigo-13".into(),
                current_release: None,
                buildpack_provided_description: None,
                repo_size: None,
                slug_size: None,
                released_at: None,
                created_at: now,
                updated_at: now,
            },
            release: Release {
                id: domain::ReleaseId::new(),
                app,
                version: 7,
                description: "Deploy 954ab531".into(),
                user,
                slug: Some(slug),
                status: domain::ReleaseStatus::Succeeded,
                output_key: None,
                created_at: now,
                updated_at: now,
            },
            slug: Slug {
                id: slug,
                app,
                image: None,
                images: BTreeMap::new(),
                checksum: None,
                size: None,
                commit: Some("954ab531".into()),
                commit_description: None,
                buildpack_provided_description: None,
                process_types: BTreeMap::new(),
                stack: "kigo-13".into(),
                upload_key: String::new(),
                expired: false,
                created_at: now,
                updated_at: now,
            },
            image: Digest::from_bytes([1; 32]),
            vars: ConfigVars(vars.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()),
            metadata: metadata.map(str::to_owned),
            setup: None,
        }
    }

    fn spec(dyno: &Dyno, source: &Source) -> ContainerSpec {
        let image_env =
            [("LANG", "C.UTF-8"), ("A", "image")].map(|(name, value)| (name.into(), value.into()));
        container(dyno, source, image_env.into(), &Settings::new("/unused"))
    }

    #[test]
    fn who_wins_in_the_environment() {
        let web = Dyno { port: Some(4321), ..dyno(DynoKind::Formation, "web.2") };
        let vars = [
            ("A", "config"),
            ("B", "config"),
            ("HOME", "/x"),
            ("DYNO", "x"),
            ("PORT", "1"),
            ("PATH", "/mine"),
        ];
        let spec = spec(&web, &source(&vars, None));
        let expected = [
            ("A", "config"),
            ("B", "config"),
            ("DYNO", "web.2"),
            ("HOME", "/app"),
            ("LANG", "C.UTF-8"),
            ("PATH", "/mine"),
            ("PORT", "4321"),
            ("PWD", "/app"),
        ];
        let got: Vec<_> = spec.env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(got, expected);
        assert_eq!((spec.watch_port, spec.terminal), (Some(4321), Terminal::Log));
        assert_eq!(
            (spec.limits.memory, spec.limits.memory_max, spec.limits.cpu_weight),
            (1 << 30, 2 << 30, 200)
        );
    }

    #[test]
    fn an_attached_one_off_gets_the_terminal_of_its_client() {
        let env = [("COLUMNS", "120"), ("LINES", "x"), ("TERM", "xterm"), ("B", "client")];
        let run = Dyno {
            env: env.map(|(name, value)| (name.into(), value.into())).into(),
            attach_key: Some("key".into()),
            time_limit: Some(60),
            ..dyno(DynoKind::OneOff, "run.1")
        };
        let spec = spec(&run, &source(&[("B", "config")], None));
        assert_eq!(spec.terminal, Terminal::Pty { columns: 120, rows: 24 });
        assert_eq!(spec.env["B"], "client");
        assert_eq!(spec.time_limit, Some(Duration::from_mins(1)));
        assert!(!spec.env.contains_key("PORT"));
        assert_eq!(terminal(&Dyno { no_tty: true, ..run }), Terminal::Pipes);
    }

    #[test]
    fn metadata_is_there_when_it_is_wanted() {
        let web = dyno(DynoKind::Formation, "web.1");
        let spec = spec(&web, &source(&[("HEROKU_APP_NAME", "x")], Some("blog.localhost")));
        for (name, value) in [
            ("HEROKU_APP_NAME", "blog"),
            ("HEROKU_APP_DEFAULT_DOMAIN_NAME", "blog.localhost"),
            ("HEROKU_RELEASE_VERSION", "v7"),
            ("HEROKU_RELEASE_CREATED_AT", "1970-01-01T00:00:00Z"),
            ("HEROKU_SLUG_COMMIT", "954ab531"),
            ("HEROKU_SLUG_DESCRIPTION", "Deploy 954ab531"),
        ] {
            assert_eq!(spec.env[name], value, "{name}");
        }
    }

    #[test]
    fn a_release_command_is_labelled_with_its_release() {
        let spec = spec(&dyno(DynoKind::Release, "release.1"), &source(&[], None));
        assert_eq!(spec.labels["release"], uuid::Uuid::from_u128(5).to_string());
        assert_eq!((spec.labels["kind"].as_str(), spec.labels["name"].as_str()), ("dyno", "release.1"));
    }

    #[test]
    fn a_script_of_a_setup_is_labelled_with_it() {
        let id = AppSetupId::new();
        let from = Source { setup: Some(id), ..source(&[], None) };
        let labels = spec(&dyno(DynoKind::OneOff, "postdeploy.1"), &from).labels;
        assert_eq!((labels["setup"].as_str(), labels.get("release")), (id.to_string().as_str(), None));
    }
}
