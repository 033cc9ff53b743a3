//! Builds on an engine whose containers do what a script says: what happens around the container.

mod directories;
mod testing;
mod waiting;

use super::*;
use crate::{Settings, cache};
use domain::{AppId, BuildId, ConfigVars, Digest};
use engine::fake::{Call, Fake, Step};
use engine::{ContainerSpec, Engine, Exit, Power};
use image::{Compression, ImageSpec, ImageStore, PackOptions};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A builder with a stack that is as empty as can be.
struct World {
    builder: Builder,
    engine: Fake,
    data: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let data = tempfile::tempdir_in("/var/tmp").unwrap();
        let images = ImageStore::open(data.path()).unwrap();
        let empty = data.path().join("empty");
        std::fs::create_dir(&empty).unwrap();
        let options = PackOptions::app(0);
        let layer = images.add_layer_from_directory(&empty, &options, Compression::Zstd).unwrap();
        let image = images.put_image(&ImageSpec { layers: vec![layer], ..ImageSpec::default() }).unwrap();
        stack::pretend(data.path(), "kigo-13", image).unwrap();
        let engine = Fake::new();
        let local_buildpacks = Some("/srv/buildpacks".into());
        let settings = Settings { local_buildpacks, ..Settings::default() };
        let builder = Builder::new(Arc::new(engine.clone()), images, data.path().to_owned(), settings);
        Self { builder, engine, data }
    }

    fn request(&self, files: &[(&str, &str)], buildpacks: &[&str]) -> BuildRequest {
        let source = tempfile::tempdir_in(self.data.path()).unwrap();
        for (name, content) in files {
            std::fs::write(source.path().join(name), content).unwrap();
        }
        let options = PackOptions { prefix: "".into(), ..PackOptions::app(1) };
        let blob = self.builder.images.begin_blob(1 << 20).unwrap();
        let packed = image::pack(source.path(), blob, &options, Compression::Gzip).unwrap();
        BuildRequest {
            build: BuildId::new(),
            app: AppId::new(),
            source: packed.writer.finish(None).unwrap().digest,
            buildpacks: buildpacks.iter().map(|entry| BuildpackRef((*entry).into())).collect(),
            stack: "kigo-13".into(),
            config_vars: ConfigVars(BTreeMap::from([("SECRET".into(), "s3cret".into())])),
            source_version: Some("abc".into()),
            metadata: BTreeMap::from([("HEROKU_BUILD_COMMIT".into(), "abc".into())]),
            request_id: "r".into(),
            bases: Arc::new(crate::NoBases),
            cancel: CancellationToken::new(),
        }
    }

    /// Builds; returns the error and everything the user read.
    async fn fail(&self, request: BuildRequest) -> (BuildError, String) {
        let (sender, mut lines) = tokio::sync::mpsc::channel(1000);
        let error = build(&self.builder, request, Output::new(sender)).await.unwrap_err();
        let mut text = String::new();
        while let Some(line) = lines.recv().await {
            text.extend([line.as_str(), "\n"]);
        }
        (error, text)
    }

    fn starts(&self) -> usize {
        self.engine.calls().iter().filter(|call| matches!(call, Call::Start(_))).count()
    }
}

const CLASSIC: &str = "file:///srv/buildpacks/one";

#[tokio::test]
async fn mistakes_are_told_before_a_container_is_started() {
    let world = World::new();
    for (files, buildpacks, words) in [
        (&[("README", "hi")][..], &[][..], "No default language could be detected"),
        (&[("Procfile", "web: a\nweb: b")][..], &[CLASSIC][..], "web is declared twice"),
        (
            &[("package.json", "{}"), ("app.json", "{\"buildpacks\": [],\n\"env\": 1}")][..],
            &[][..],
            "Line 2, column 8 (env): invalid type: integer `1`, expected a map",
        ),
        (
            &[("app.json", "{\"buildpacks\": [{\"url\": \"heroku/cobol\"}]}")][..],
            &[][..],
            "There is no buildpack heroku/cobol",
        ),
        (
            &[("project.toml", "[_]\nschema-version = \"9\"")][..],
            &[][..],
            "Line 2, column 18: schema-version",
        ),
        (
            &[("project.toml", "[[io.buildpacks.group]]\nid = \"heroku/cobol\"")][..],
            &[][..],
            "There is no buildpack heroku/cobol",
        ),
        (&[("a", ""), (".slugignore", "!a")][..], &[CLASSIC][..], "negation"),
        (&[("a", "")][..], &["heroku/cobol"][..], "There is no buildpack heroku/cobol"),
        (&[("a", "")][..], &["heroku/nodejs"][..], "App not compatible with buildpack: heroku/nodejs"),
    ] {
        let (error, text) = world.fail(world.request(files, buildpacks)).await;
        assert!(text.contains(words), "{text}");
        assert!(text.contains(" !     Push rejected") && text.ends_with(" !     Push failed\n"), "{text}");
        assert!(error.is_users());
    }
    let stack = BuildRequest { stack: "kigo-1".into(), ..world.request(&[("a", "")], &[]) };
    assert!(world.fail(stack).await.1.contains("There is no stack kigo-1."));
    assert_eq!(world.starts(), 0);
}

#[tokio::test]
async fn buildpacks_are_those_chosen_or_those_that_the_app_names() {
    let app_json = (
        "app.json",
        r#"{"buildpacks": [{"url": "file:///srv/buildpacks/a"}, {"url": "file:///srv/buildpacks/b"}]}"#,
    );
    let project = ("project.toml", "[[io.buildpacks.group]]\nid = \"heroku/python\"\n");
    for (files, buildpacks, words) in [
        (
            &[app_json, project][..],
            &[][..],
            "Using the buildpacks that app.json names\n-----> Using buildpacks:\n       1. file:///srv/buildpacks/a\n       2. file:///srv/buildpacks/b\n",
        ),
        (
            &[app_json][..],
            &[CLASSIC][..],
            "Building on the kigo-13 stack\n-----> Using buildpack: file:///srv/buildpacks/one\n",
        ),
        (
            &[project][..],
            &[][..],
            "Using the buildpacks that project.toml names\n-----> Using buildpack: heroku/python\n",
        ),
        (&[("app.json", "{}"), ("package.json", "{")][..], &[][..], "Using buildpack: heroku/nodejs\n"),
        (
            &[("app.json", "{\"expo\": 1}"), ("a", "")][..],
            &[CLASSIC][..],
            " !     app.json has keys without a meaning here: expo\n",
        ),
        (
            &[("app.json", "{"), ("a", "")][..],
            &[CLASSIC][..],
            " !     app.json is not valid: line 1, column 1: EOF while parsing an object.\n !     This build does not need it",
        ),
        (
            &[("app.json", "{\"env\": 1}"), ("package.json", "{")][..],
            &[][..],
            " !     app.json is not valid: line 1, column 9 (env): invalid type",
        ),
        (
            &[("project.toml", "[_]\nschema-version = \"9\"")][..],
            &[CLASSIC][..],
            " !     project.toml is not valid: line 2, column 18: schema-version",
        ),
    ] {
        let world = World::new();
        world.engine.script(|_| vec![Step::Exit(1)]);
        let text = world.fail(world.request(files, buildpacks)).await.1;
        assert!(text.contains(words), "{text}");
    }
}

#[tokio::test]
async fn the_app_json_of_a_source_is_read_and_nothing_is_left() {
    let world = World::new();
    let read = async |files: &[(&str, &str)]| {
        let source = world.request(files, &[]).source;
        world.builder.app_json(source).await.unwrap()
    };
    assert!(read(&[("a", "")]).await.is_none());
    assert_eq!(
        read(&[("app.json", "{\"name\": \"a\"}")]).await.unwrap().unwrap().app_json.name.unwrap(),
        "a"
    );
    assert_eq!(read(&[("app.json", "{")]).await.unwrap().unwrap_err().line, 1);
    let mut request = world.request(&[], &[]);
    let blob = world.builder.images.begin_blob(100).unwrap();
    request.source = blob.finish(None).unwrap().digest;
    let error = world.builder.app_json(request.source).await.unwrap_err();
    assert!(error.is_users(), "{error:?}");
    world.builder.sweep().await.unwrap();
    assert!(!world.data.path().join("builds").read_dir().is_ok_and(|mut left| left.next().is_some()));
}

#[tokio::test]
async fn project_toml_sets_variables_that_config_vars_do_not() {
    let world = World::new();
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let keep = Arc::clone(&seen);
    world.engine.script(move |spec| {
        let env = spec.mounts[0].source.join("env");
        let read = |name: &str| std::fs::read_to_string(env.join(name)).unwrap();
        *keep.lock().unwrap() = vec![read("SECRET"), read("MODE")];
        vec![Step::Exit(1)]
    });
    let project = "[[io.buildpacks.build.env]]\nname = \"MODE\"\nvalue = \"fast\"\n\n[[io.buildpacks.build.env]]\nname = \"SECRET\"\nvalue = \"no\"\n";
    world.fail(world.request(&[("project.toml", project), ("a", "")], &[CLASSIC])).await;
    assert_eq!(*seen.lock().unwrap(), ["s3cret", "fast"]);
}

#[tokio::test]
async fn a_failing_container_is_told_and_removed() {
    let exit = |code| Exit { code, out_of_memory: false, timed_out: false, killed: false, failure: None };
    for (step, words) in [
        (Step::Exit(3), "fetching buildpacks ended with status 3"),
        (Step::Fail(Exit { out_of_memory: true, ..exit(137) }), "The build used too much memory"),
        (Step::Fail(Exit { timed_out: true, ..exit(137) }), "A build may take 15 minutes."),
        (Step::Fail(Exit { failure: Some("no overlay".into()), ..exit(1) }), "no overlay"),
    ] {
        let world = World::new();
        world.engine.script(move |_| vec![Step::Print("10%\r100%".into()), step.clone()]);
        let request = world.request(&[("a", "")], &[CLASSIC]);
        let (_, text) = world.fail(request).await;
        assert!(text.contains(words), "{text}");
        assert!(text.contains("\n100%\n"), "{text}");
        assert_eq!(world.engine.specs().len(), 0);
    }
}

#[tokio::test]
async fn a_program_that_fills_its_disk_is_told_so() {
    let world = World::new();
    world.engine.script(|_| vec![Step::Print("npm error ENOSPC: no space".into()), Step::Exit(1)]);
    let (error, _) = world.fail(world.request(&[("a", "")], &[CLASSIC])).await;
    assert!(matches!(error, BuildError::DiskFull { .. }), "{error:?}");
}

#[tokio::test]
async fn success_without_a_result_is_none() {
    let world = World::new();
    world.engine.script(|_| vec![Step::Exit(0)]);
    let (error, text) = world.fail(world.request(&[("a", "")], &[CLASSIC])).await;
    assert!(matches!(error, BuildError::Container(_)), "{error:?}");
    assert!(!error.is_users() && text.contains("no fault of the app"), "{text}");
}

#[tokio::test]
async fn cancelling_stops_and_removes_the_container() {
    let world = World::new();
    world.engine.script(|_| vec![Step::Print("at work".into())]);
    let request = world.request(&[("a", "")], &[CLASSIC]);
    let cancel = request.cancel.clone();
    let (sender, mut lines) = tokio::sync::mpsc::channel(1000);
    let builder = world.builder.clone();
    let building = tokio::spawn(async move { build(&builder, request, Output::new(sender)).await });
    while lines.recv().await.unwrap() != "at work" {}
    cancel.cancel();
    while lines.recv().await.is_some() {}
    assert!(matches!(building.await.unwrap(), Err(BuildError::Cancelled)));
    assert!(
        world
            .engine
            .calls()
            .iter()
            .any(|call| matches!(call, Call::Stop(_, grace) if *grace == Duration::from_secs(5)))
    );
    assert_eq!(world.engine.specs().len(), 0);
}

#[tokio::test]
async fn containers_have_limits_and_no_secrets_in_their_spec() {
    let world = World::new();
    let seen = Arc::new(std::sync::Mutex::new(None::<ContainerSpec>));
    let keep = Arc::clone(&seen);
    world.engine.script(move |spec| {
        *keep.lock().unwrap() = Some(spec.clone());
        vec![Step::Exit(1)]
    });
    world.fail(world.request(&[("a", "")], &[CLASSIC])).await;
    let spec = seen.lock().unwrap().take().unwrap();
    assert_eq!(spec.limits, Settings::default().limits);
    assert!(spec.limits.cpu_weight < 100 && spec.user == 1000 && spec.time_limit.is_some());
    assert!(spec.mounts.iter().all(|mount| mount.read_only));
    assert!(!format!("{spec:?}").contains("s3cret"));
    assert_eq!(spec.env["HEROKU_BUILD_COMMIT"], "abc");
    assert_eq!((spec.env["STACK"].as_str(), spec.env["SOURCE_VERSION"].as_str()), ("heroku-24", "abc"));
}

#[tokio::test]
async fn what_an_earlier_attempt_left_is_removed() {
    let world = World::new();
    let request = world.request(&[("README", "")], &[]);
    let labels = |build: BuildId| {
        BTreeMap::from([("kind".into(), "build".into()), ("build".into(), build.to_string())])
    };
    let (mine, other) = (spec(labels(request.build)), spec(labels(BuildId::new())));
    let dyno = spec(BTreeMap::from([("kind".into(), "dyno".into())]));
    for spec in [&mine, &other, &dyno] {
        world.engine.start(spec.clone()).await.unwrap();
    }
    let left = || world.engine.specs().iter().map(|spec| spec.id).collect::<std::collections::BTreeSet<_>>();
    world.fail(request).await;
    assert_eq!(left(), [other.id, dyno.id].into());
    let work = world.data.path().join("builds").join(BuildId::new().to_string());
    std::fs::create_dir_all(work.join("work/kigo")).unwrap();
    std::fs::write(work.join("output"), "kept").unwrap();
    world.builder.sweep().await.unwrap();
    assert_eq!(left(), [dyno.id].into());
    assert!(!work.join("work").exists() && work.join("output").exists());
}

/// Any container with these labels.
fn spec(labels: BTreeMap<String, String>) -> ContainerSpec {
    ContainerSpec {
        id: uuid::Uuid::new_v4(),
        labels,
        image: Digest::from_bytes([0; 32]),
        command: vec!["sleep".into()],
        env: BTreeMap::new(),
        working_dir: "/".into(),
        hostname: "x".into(),
        user: 1000,
        group: None,
        power: Power::Plain,
        limits: Settings::default().limits,
        terminal: engine::Terminal::Log,
        mounts: Vec::new(),
        volumes: Vec::new(),
        address: None,
        reach: Vec::new(),
        watch_port: None,
        time_limit: None,
    }
}
