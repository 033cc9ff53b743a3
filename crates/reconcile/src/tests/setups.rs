//! Setups as stories, and killed anywhere.

use super::harness::World;
use super::kills::harass;
use crate::OutputId;
use domain::{AppSetup, Digest, SetupStatus};

const APP_JSON: &str = r#"{
  "env": {"LINES": "50", "SECRET": {"generator": "secret"}},
  "formation": {"web": {"quantity": 2}},
  "scripts": {"postdeploy": "bin/seed"}
}"#;

impl World {
    /// Asks for a setup of a source that was uploaded.
    async fn set_up(&self, app_json: Option<&str>) -> AppSetup {
        *self.builder.app_json.lock().unwrap() = app_json.map(str::to_owned);
        let source = ops::sources::create(&self.ops, &self.actor, None).await.unwrap();
        ops::sources::uploaded(&self.ops, &source.upload_key, Digest::from_bytes([1; 32])).await.unwrap();
        self.set_up_from(&format!("http://localhost/uploads/sources/{}", source.download_key)).await
    }

    async fn set_up_from(&self, url: &str) -> AppSetup {
        let input = ops::app_setups::Create {
            source_url: url.into(),
            app: ops::apps::Create { name: Some("blog".into()), ..ops::apps::Create::default() },
            ..ops::app_setups::Create::default()
        };
        ops::app_setups::create(&self.ops, &self.actor, input).await.unwrap().setup
    }

    async fn setup(&self, setup: &AppSetup) -> AppSetup {
        store::app_setups::by_id(&mut self.ops.store().read().await.unwrap(), setup.id)
            .await
            .unwrap()
            .unwrap()
    }

    async fn ended(&self, setup: &AppSetup) -> AppSetup {
        self.until("the setup ends", async || self.setup(setup).await.status != SetupStatus::Pending).await;
        self.setup(setup).await
    }

    async fn app_of(&self, setup: &AppSetup) -> domain::App {
        store::apps::by_id(&mut self.ops.store().read().await.unwrap(), setup.app).await.unwrap().unwrap()
    }
}

fn printed(lines: usize) -> Vec<String> {
    (1..=lines).map(|line| format!("line {line}")).collect()
}

#[tokio::test]
async fn an_app_is_set_up() {
    let mut world = World::new().await;
    world.start();
    let setup = world.set_up(Some(APP_JSON)).await;
    let ended = world.ended(&setup).await;
    assert_eq!((ended.status, ended.exit_code), (SetupStatus::Succeeded, Some(0)), "{ended:?}");
    let app = world.app_of(&setup).await;
    world.up(&app, &["web.1", "web.2"]).await;
    let output = world.output(OutputId::Setup(setup.id)).await;
    assert_eq!(output.lines().skip(1).collect::<Vec<_>>(), printed(50));
    let log = world.log(&app).await;
    for line in [
        "app[api]: App setup succeeded",
        "app[api]: Starting process with command `bin/seed` by user ada@example.com",
    ] {
        assert!(log.contains(&line.to_owned()), "{line}: {log:#?}");
    }
}

#[tokio::test]
async fn a_script_that_fails_fails_the_setup_and_what_it_printed_is_kept() {
    let mut world = World::new().await;
    world.start();
    let app_json = r#"{"env": {"EXIT": "3", "LINES": "2"}, "scripts": {"postdeploy": "bin/seed"}}"#;
    let setup = world.set_up(Some(app_json)).await;
    let ended = world.ended(&setup).await;
    assert_eq!((ended.status, ended.exit_code), (SetupStatus::Failed, Some(3)));
    assert_eq!(ended.failure_message.as_deref(), Some("the postdeploy script exited with code 3"));
    assert!(world.output(OutputId::Setup(setup.id)).await.ends_with("line 1\nline 2\n"));
    // The app stays, and serves.
    world.up(&world.app_of(&setup).await, &["web.1"]).await;
}

#[tokio::test]
async fn what_cannot_be_read_fails_the_setup() {
    for (app_json, message, error) in [
        (None, "the source has no app.json", "there is no app.json at the root of the source"),
        (
            Some("{\n\"env\": 1}"),
            "invalid app.json",
            "app.json line 2, column 8 (env): invalid type: integer `1`, expected a map",
        ),
        (
            Some(r#"{"addons": ["heroku-nothing"]}"#),
            "invalid app.json",
            "addons[0].plan: Couldn't find either the add-on service or the add-on plan of",
        ),
    ] {
        let mut world = World::new().await;
        world.start();
        let setup = world.set_up(app_json).await;
        let ended = world.ended(&setup).await;
        assert_eq!(ended.failure_message.as_deref(), Some(message));
        assert!(ended.manifest_errors[0].starts_with(error), "{:?}", ended.manifest_errors);
        assert!(world.builder.begun.lock().unwrap().is_empty(), "nothing is built");
    }
    let mut world = World::new().await;
    world.start();
    let setup = world.set_up_from("http://127.0.0.1:1/a.tgz").await;
    let message = world.ended(&setup).await.failure_message.unwrap();
    assert!(message.starts_with("Nothing is downloaded from 127.0.0.1"), "{message}");
}

#[tokio::test]
async fn what_the_machine_fails_at_is_tried_again_but_not_for_ever() {
    for (failures, ends) in [(4, SetupStatus::Succeeded), (5, SetupStatus::Failed)] {
        let mut world = World::new().await;
        world.settings.setup_rest = std::time::Duration::from_millis(1);
        *world.builder.unreadable.lock().unwrap() = failures;
        world.start();
        let setup = world.set_up(Some("{}")).await;
        let ended = world.ended(&setup).await;
        assert_eq!((ended.status, *world.builder.unreadable.lock().unwrap()), (ends, 0), "{ended:?}");
        if ends == SetupStatus::Failed {
            let message = ended.failure_message.unwrap();
            let start = "the server could not read the source (5 attempts): the builder failed: unpacking: ";
            assert!(message.starts_with(start) && message.contains("operator"), "{message}");
        }
    }
}

#[tokio::test]
async fn a_build_that_fails_fails_the_setup() {
    let mut world = World::new().await;
    *world.builder.fail.lock().unwrap() = true;
    world.start();
    let setup = world.set_up(Some("{}")).await;
    assert_eq!(world.ended(&setup).await.failure_message.as_deref(), Some("the build failed"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_setup_survives_any_kill() {
    let mut world = World::new().await;
    world.types(&[("web", "node web.js"), ("release", "rake migrate")]);
    let setup = world.set_up(Some(APP_JSON)).await;
    harass(&mut world, "the build is asked for", async |world| world.setup(&setup).await.build.is_some())
        .await;
    // Builds are begun again when they are cut off, but not for ever.
    world.start();
    let begun = world.setup(&setup).await;
    world.build_ended(begun.build.unwrap()).await;
    world.kill().await;
    harass(&mut world, "the setup ends", async |world| {
        world.setup(&setup).await.status != SetupStatus::Pending
    })
    .await;
    let ended = world.setup(&setup).await;
    assert_eq!((ended.status, ended.exit_code), (SetupStatus::Succeeded, Some(0)), "{ended:?}");
    world.start();
    let app = world.app_of(&setup).await;
    world.up(&app, &["web.1", "web.2"]).await;
    assert_eq!(
        world.builder.begun.lock().unwrap().iter().collect::<std::collections::BTreeSet<_>>().len(),
        1
    );
    let output = world.output(OutputId::Setup(setup.id)).await;
    assert_eq!(output.lines().skip(1).collect::<Vec<_>>(), printed(50), "each line once and in order");
    let log = world.log(&app).await;
    let scripts = log.iter().filter(|line| line.contains("command `bin/seed` by user")).count();
    assert_eq!(scripts, 1, "{log:#?}");
}
