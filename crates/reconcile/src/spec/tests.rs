//! What becomes of a dyno's rows.

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
    let layers = dir.path().join("layers");
    let script = START.replace("/layers", layers.to_str().unwrap());
    let script = script.replace("/app", dir.path().to_str().unwrap());
    let done = Command::new("bash").args(["-c", &script, "bash", command]).output().unwrap();
    assert!(done.stderr.is_empty(), "{}", String::from_utf8_lossy(&done.stderr));
    let text = String::from_utf8(done.stdout).unwrap();
    format!("{}{}", text.replace(dir.path().to_str().unwrap(), "/app"), done.status.code().unwrap())
}

#[test]
fn scripts_come_in_order_and_what_they_export_stays() {
    let files = [
        (".profile.d/b.sh", "export WHO=$WHO,b"),
        (".profile.d/a.sh", "export WHO=$WHO,a; hidden=1"),
        ("layers/config/launch.sh", "export WHO=layers; [ -n \"$kigo_command\" ] || exit 9"),
        (".profile.d/c.txt", "export WHO=no"),
        (".profile", "export WHO=$WHO,profile"),
    ];
    assert_eq!(start(&files, "echo $WHO $hidden $kigo_command $# && pwd"), "layers,a,b,profile 0\n/app\n0");
}

#[test]
fn without_scripts_the_command_is_all_there_is() {
    assert_eq!(start(&[], "echo \"it's\" | tr a-z A-Z; exit 7"), "IT'S\n7");
    // The shell makes way for a simple command, so that signals reach it.
    assert_eq!(start(&[], "exec sh -c 'tr \"\\\\0\" \" \" < /proc/$PPID/comm | grep -c bash; true'"), "0\n0");
}

#[test]
fn a_status_is_told_however_the_command_ends() {
    for (command, output, status) in [
        ("echo 'it''s'; exit 5", "its\n", 5),
        ("exec sh -c 'exit 6'", "", 6),
        ("set -e; false; echo no", "", 1),
        ("cat <<END # $(\ntext\nEND\n# a comment", "text\n", 0),
    ] {
        let printed = start(&[], &told(&format!("{command}{TELL_STATUS}"), "bash"));
        assert_eq!(printed, format!("{output}\u{ffff} heroku-command-exit-status: {status}\n0"), "{command}");
    }
    assert_eq!(told("exit 5", "sh"), "exit 5");
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
        is_own: false,
        runs_itself: false,
        vars: ConfigVars(vars.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()),
        metadata: metadata.map(str::to_owned),
        setup: None,
        reach: Vec::new(),
    }
}

fn spec(dyno: &Dyno, source: &Source) -> ContainerSpec {
    let image_env = [("LANG", "C.UTF-8"), ("A", "image")].map(|(name, value)| (name.into(), value.into()));
    container(dyno, source, Brought::Env(image_env.into()), &Settings::new("/unused"))
}

#[test]
fn who_wins_in_the_environment() {
    let web = Dyno { port: Some(4321), ..dyno(DynoKind::Formation, "web.2") };
    let vars =
        [("A", "config"), ("B", "config"), ("HOME", "/x"), ("DYNO", "x"), ("PORT", "1"), ("PATH", "/mine")];
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
    assert_eq!((spec.limits.memory, spec.limits.memory_max, spec.limits.cpu_weight), (1 << 30, 2 << 30, 200));
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
fn a_container_apps_image_runs_as_it_says() {
    let own = |env: &[(&str, &str)]| {
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Brought::Own(OwnImage::new(env, &["/entry", "serve"], "/srv", true))
    };
    let web = Dyno { port: Some(4321), ..dyno(DynoKind::Formation, "web.1") };
    let mut source = source(&[("A", "config"), ("PORT", "1"), ("DYNO", "x")], None);
    (source.is_own, source.runs_itself) = (true, true);
    let settings = Settings::new("/unused");
    let spec = container(&web, &source, own(&[("A", "image"), ("B", "image"), ("PATH", "/own")]), &settings);
    let expected = [
        ("A", "config"),
        ("B", "image"),
        ("DYNO", "web.1"),
        ("HOME", "/srv"),
        ("PATH", "/own"),
        ("PORT", "4321"),
        ("PWD", "/srv"),
    ];
    let got: Vec<_> = spec.env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(got, expected);
    assert_eq!(spec.command, ["/entry", "serve"]);
    assert_eq!((spec.working_dir.as_str(), spec.user, spec.group), ("/srv", 1000, Some(1001)));

    // A command that was given goes to the shell, the image's own is not run.
    source.runs_itself = false;
    let run = Dyno { command: format!("exit 5{TELL_STATUS}"), ..dyno(DynoKind::OneOff, "run.1") };
    let spec = container(&run, &source, own(&[("HOME", "/own")]), &settings);
    let told = format!("sh -c 'exit 5'{TELL_STATUS}");
    assert_eq!(spec.command, ["/bin/sh", "-c", &told]);
    assert_eq!(spec.env["HOME"], "/own");
}

#[test]
fn a_script_of_a_setup_is_labelled_with_it() {
    let id = AppSetupId::new();
    let from = Source { setup: Some(id), ..source(&[], None) };
    let labels = spec(&dyno(DynoKind::OneOff, "postdeploy.1"), &from).labels;
    assert_eq!((labels["setup"].as_str(), labels.get("release")), (id.to_string().as_str(), None));
}
