//! Builds whose app is tested.

use super::*;
use crate::{TestError, TestRun, test};
use std::sync::Mutex;

/// What the programs in containers are given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Seen {
    /// Config vars, as `NAME=value`.
    vars: Vec<String>,
    files: BTreeMap<String, String>,
    env: BTreeMap<String, String>,
}

impl World {
    /// Sends files through a pipe.
    fn send(pipes: &std::path::Path, pipe: &str, files: &[(&str, &str)]) {
        let dir = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        let options = PackOptions { prefix: "".into(), ..PackOptions::app(1) };
        let pipe = std::fs::File::options().write(true).open(pipes.join(pipe)).unwrap();
        image::pack(dir.path(), pipe, &options, Compression::None).unwrap();
    }

    /// Has a classic buildpack succeed, and the tests tell these. What its program and the tests are given
    /// is noted.
    fn tests_tell(&self, told: &'static [(&'static str, &'static str)]) -> Arc<Mutex<Vec<Seen>>> {
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let keep = Arc::clone(&seen);
        self.engine.script(move |spec| {
            let inside = &spec.mounts[0].source;
            let program = spec.command[1].as_str();
            let pipes = inside.join("pipes");
            if program == "/kigo/fetch.sh" {
                Self::send(&pipes, "buildpacks", &[("0/bin/detect", ""), ("0/bin/compile", "")]);
                return vec![Step::Exit(0)];
            }
            let mut one = Seen { env: spec.env.clone(), ..Seen::default() };
            for entry in std::fs::read_dir(inside.join("env")).unwrap() {
                let entry = entry.unwrap();
                let value = std::fs::read_to_string(entry.path()).unwrap();
                one.vars.push(format!("{}={value}", entry.file_name().display()));
            }
            one.vars.sort();
            for name in ["tests", "test-setup", "test-script", "source/kept"] {
                let text = std::fs::read_to_string(inside.join(name)).ok();
                one.files.extend(text.map(|text| (name.to_owned(), text)));
            }
            keep.lock().unwrap().push(one);
            match program {
                "/kigo/test.sh" => Self::send(&pipes, "result", told),
                _ => Self::send(&pipes, "app", &[("kept", "of the build")]),
            }
            vec![Step::Print("said".into()), Step::Exit(0)]
        });
        seen
    }

    /// Tests an app; returns what came of it and everything the user read.
    async fn test(&self, request: BuildRequest) -> (Result<i32, BuildError>, String) {
        let (sender, mut lines) = tokio::sync::mpsc::channel(1000);
        let run = TestRun { id: uuid::Uuid::nil(), branch: Some("topic".into()) };
        let result = test(&self.builder, request, run, Output::new(sender)).await;
        let mut text = String::new();
        while let Some(line) = lines.recv().await {
            text.extend([line.as_str(), "\n"]);
        }
        (result, text)
    }
}

#[tokio::test]
async fn tests_run_on_what_was_built_with_an_environment_of_their_own() {
    let world = World::new();
    let seen = world.tests_tell(&[("step", "test"), ("status", "3")]);
    let app_json = r#"{"env": {"A": "all"}, "scripts": {"test-setup": "setup"}, "environments": {"test": {
        "env": {"SECRET": "app.json's", "KEY": {"generator": "secret"}, "MUST": {}},
        "scripts": {"test": "bin/all"}}}}"#;
    let files = [("test_it", ""), ("app.json", app_json), (".slugignore", "test_it\n!x")];
    let (result, text) = world.test(world.request(&files, &[CLASSIC])).await;
    assert_eq!(result.unwrap(), 3);
    assert!(text.ends_with("said\n"), "{text}");
    let seen = seen.lock().unwrap();
    let [built, tested] = &seen[..] else { panic!("{seen:?}") };
    // What is given is stronger, and what is said for all environments does not hold.
    assert_eq!(built.vars[0], "CI=true");
    assert_eq!(built.vars[2], "SECRET=s3cret");
    assert!(built.vars[1].starts_with("KEY=") && built.vars[1].len() == 68 && built.vars.len() == 3);
    assert_eq!((built.env["KIGO_TEST"].as_str(), &built.vars), ("1", &tested.vars));
    assert_eq!(tested.files["source/kept"], "of the build");
    assert_eq!(tested.files["tests"], "classic\t0\tfile:///srv/buildpacks/one\n");
    assert_eq!(
        (tested.files["test-setup"].as_str(), tested.files["test-script"].as_str()),
        ("setup", "bin/all")
    );
    for (name, value) in [
        ("HEROKU_TEST_RUN_ID", "00000000-0000-0000-0000-000000000000"),
        ("HEROKU_TEST_RUN_BRANCH", "topic"),
        ("HEROKU_TEST_RUN_COMMIT_VERSION", "abc"),
        ("DYNO", "test.1"),
        ("HOME", "/app"),
    ] {
        assert_eq!(tested.env[name], value);
    }
    assert_eq!(world.engine.specs().len(), 0);
}

#[tokio::test]
async fn what_keeps_tests_from_running_is_told() {
    let app = [("a", "")];
    for (told, words) in [
        (&[("step", "none"), ("status", "0")][..], "No tests were found."),
        (&[("step", "setup"), ("status", "2")], "The script test-setup of app.json failed."),
        (&[("step", "copy")], "The build could not be carried out."),
    ] {
        let world = World::new();
        world.tests_tell(told);
        let (result, text) = world.test(world.request(&app, &[CLASSIC])).await;
        assert!(result.is_err() && text.contains(words), "{text}");
        assert!(text.ends_with("\n !     The tests did not run.\n"), "{text}");
    }
    let world = World::new();
    let bad = [("a", ""), ("app.json", "{")];
    let (result, _) = world.test(world.request(&bad, &[CLASSIC])).await;
    assert!(matches!(result, Err(BuildError::AppJson(_))), "{result:?}");
    let container = BuildRequest { stack: "container".into(), ..world.request(&app, &[]) };
    let (result, _) = world.test(container).await;
    assert!(matches!(result, Err(BuildError::Tests(TestError::Stack(_)))), "{result:?}");
    assert_eq!(world.starts(), 0);
}

#[tokio::test]
async fn buildpacks_are_those_for_tests_or_the_apps() {
    let named = |keys: &str| format!("{{{keys}}}");
    let one = r#""buildpacks": [{"url": "file:///srv/buildpacks/tested"}]"#;
    for (app_json, chosen, words) in [
        (named(&format!(r#""environments": {{"test": {{{one}}}}}"#)), &[CLASSIC][..], "tested\n"),
        (named(one), &[CLASSIC][..], "Using buildpack: file:///srv/buildpacks/one\n"),
        (named(one), &[][..], "tested\n"),
        (named(""), &[][..], "Using buildpack: heroku-community/static\n"),
    ] {
        let world = World::new();
        world.engine.script(|_| vec![Step::Exit(1)]);
        let files = [("index.html", ""), ("app.json", app_json.as_str())];
        let (_, text) = world.test(world.request(&files, chosen)).await;
        assert!(text.contains(words), "{app_json}: {text}");
    }
}

#[tokio::test]
async fn languages_are_built_as_tests_want_them_and_apart() {
    let world = World::new();
    let seen = Arc::<Mutex<Vec<String>>>::default();
    let keep = Arc::clone(&seen);
    world.engine.script(move |spec| {
        let env = spec.mounts[0].source.join("env");
        *keep.lock().unwrap() = ["RACK_ENV", "BUNDLE_WITHOUT"]
            .map(|name| std::fs::read_to_string(env.join(name)).unwrap_or_default())
            .into();
        vec![Step::Exit(1)]
    });
    let files = [("Gemfile", ""), ("Gemfile.lock", "GEM\n  specs:\n")];
    let mut request = world.request(&files, &["heroku/ruby"]);
    request.config_vars.0.insert("RACK_ENV".into(), "mine".into());
    world.test(request.clone()).await.0.unwrap_err();
    assert_eq!(*seen.lock().unwrap(), ["mine", "development"]);

    let output = waiting::silent();
    let mut context = world.context(&request, &output);
    let slug = context.cache();
    let run = TestRun { id: uuid::Uuid::nil(), branch: None };
    context.test = Some(&run);
    assert_ne!(context.cache(), slug);
}
