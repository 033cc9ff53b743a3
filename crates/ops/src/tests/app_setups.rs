//! Setups: step by step, and whatever dies between two steps.

use super::*;
use crate::app_setups::{self, Create, Next};
use crate::{apps, dynos};
use domain::app_json::AppJson;
use domain::{AppSetup, BuildpackRef, DynoKind, SetupStatus};

const SOURCE: &str = "https://example.com/source.tgz?token=xyz";

impl World {
    async fn set_up(&self, env: &[(&str, &str)]) -> AppSetup {
        let input = Create {
            source_url: SOURCE.into(),
            version: Some("v1.3.0".into()),
            app: apps::Create { name: Some("shop".into()), ..Default::default() },
            env: env.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
            ..Default::default()
        };
        let setup = app_setups::create(&self.ops, &self.admin, input).await.unwrap().setup;
        self.said();
        setup
    }

    async fn begin(&self, setup: &AppSetup, app_json: &str) -> AppSetup {
        let app_json = AppJson::parse(app_json).unwrap().app_json;
        app_setups::begin(&self.ops, setup.id, digest(1), app_json).await.unwrap();
        self.setup(setup).await
    }

    async fn setup(&self, setup: &AppSetup) -> AppSetup {
        app_setups::info(&self.ops, &self.admin, &setup.id.to_string()).await.unwrap().setup
    }

    async fn built(&self, setup: &AppSetup, success: Success) -> Release {
        let outcome = Outcome::Succeeded(Box::new(success));
        let finished = crate::builds::finish(&self.ops, setup.build.unwrap(), outcome).await.unwrap();
        finished.unwrap().release.unwrap()
    }

    async fn advance(&self, setup: &AppSetup) -> Next {
        app_setups::advance(&self.ops, setup.id).await.unwrap()
    }
}

const APP_JSON: &str = r#"{
  "env": {"GREETING": "hello", "SECRET": {"generator": "secret"}, "MUST": {}},
  "buildpacks": [{"url": "heroku/nodejs"}],
  "formation": {"web": {"quantity": 2, "size": "standard-1x"}, "worker": {"quantity": 1}},
  "scripts": {"postdeploy": "bin/seed"},
  "features": ["runtime-dyno-metadata"],
  "success_url": "/welcome"
}"#;

#[tokio::test]
async fn an_app_is_set_up_as_it_says() {
    let world = World::new().await;
    let setup = world.set_up(&[("MUST", "here")]).await;
    assert_eq!((setup.status, setup.build, setup.source), (SetupStatus::Pending, None, None));
    assert_eq!(world.row("shop").await.id, setup.app, "the app is there at once");

    let setup = world.begin(&setup, APP_JSON).await;
    let vars = crate::config_vars::info(&world.ops, &world.admin, "shop").await.unwrap().0;
    let names: Vec<_> = vars.keys().map(String::as_str).collect();
    assert_eq!(names, ["GREETING", "MUST", "SECRET"]);
    assert_eq!((vars["MUST"].as_str(), vars["SECRET"].len()), ("here", 64));
    let buildpacks = crate::buildpacks::list(&world.ops, &world.admin, "shop").await.unwrap();
    assert_eq!(buildpacks, [BuildpackRef("heroku/nodejs".into())]);
    let build = crate::builds::list(&world.ops, &world.admin, "shop").await.unwrap().remove(0).build;
    assert_eq!(
        (build.id, build.source, build.source_url.as_str(), build.source_version.as_deref()),
        (setup.build.unwrap(), Some(digest(1)), SOURCE, Some("v1.3.0"))
    );
    assert_eq!(
        world.said(),
        [
            "Enable runtime-dyno-metadata feature by user admin@example.com",
            "Release v3 created by user admin@example.com",
            "Set GREETING, MUST, SECRET config vars by user admin@example.com",
            "Build started by user admin@example.com",
        ]
    );
    assert_eq!(world.advance(&setup).await, Next::Deploy);
    // Begun again by somebody who does not know: the secret stays, and there is one build.
    world.begin(&setup, APP_JSON).await;
    assert_eq!(crate::config_vars::info(&world.ops, &world.admin, "shop").await.unwrap().0, vars);
    assert_eq!(crate::builds::list(&world.ops, &world.admin, "shop").await.unwrap().len(), 1);

    world.built(&setup, success(&[("web", "x"), ("worker", "y")])).await;
    world.said();
    let Next::Postdeploy(dyno) = world.advance(&setup).await else { panic!("no dyno") };
    assert!(dyno.name.to_string().starts_with("postdeploy."), "{}", dyno.name);
    assert_eq!(
        (dyno.kind, dyno.command.as_str(), dyno.size.to_string().as_str()),
        (DynoKind::OneOff, "bin/seed", "Standard-1X")
    );
    assert_eq!(world.formation("shop").await, "web=2:Standard-1X worker=1:Basic");
    assert_eq!(
        world.said(),
        [
            "Scaled to web@2:Standard-1X worker@1:Basic by user admin@example.com",
            "Starting process with command `bin/seed` by user admin@example.com",
        ]
    );
    assert_eq!(world.advance(&setup).await, Next::Postdeploy(dyno), "the same one, and no other");
    assert_eq!(dynos::list(&world.ops, &world.admin, "shop").await.unwrap().len(), 1);

    app_setups::finish_postdeploy(&world.ops, setup.id, Some(0)).await.unwrap();
    app_setups::finish_postdeploy(&world.ops, setup.id, Some(1)).await.unwrap();
    app_setups::fail(&world.ops, setup.id, "late".into(), Vec::new()).await.unwrap();
    let setup = world.setup(&setup).await;
    assert_eq!(
        (setup.status, setup.exit_code, setup.failure_message),
        (SetupStatus::Succeeded, Some(0), None)
    );
    assert_eq!(setup.plan.unwrap().success_url.as_deref(), Some("/welcome"));
    assert_eq!(world.said(), ["App setup succeeded"]);
}

#[tokio::test]
async fn without_a_script_the_first_release_is_the_end() {
    let world = World::new().await;
    let setup = world.set_up(&[]).await;
    let setup = world.begin(&setup, "{}").await;
    let release = world.built(&setup, success(&[("web", "x"), ("release", "migrate")])).await;
    assert_eq!(world.advance(&setup).await, Next::Deploy, "the release command comes first");
    crate::releases::finish_command(&world.ops, release.id, true).await.unwrap();
    assert_eq!(world.advance(&setup).await, Next::Nothing);
    assert_eq!(world.setup(&setup).await.status, SetupStatus::Succeeded);
}

#[tokio::test]
async fn the_build_waits_for_add_ons() {
    let catalog = ::addons::Catalog::load(None).unwrap();
    let world = World::with(Settings { catalog: Arc::new(catalog), ..Settings::default() }).await;
    let setup = world.set_up(&[]).await;
    let app_json = r#"{"addons": ["heroku-postgresql", {"plan": "heroku-redis:mini", "as": "cache"}],
                       "env": {"A": "1"}}"#;
    let setup = world.begin(&setup, app_json).await;
    assert_eq!((setup.build, world.advance(&setup).await), (None, Next::Addons));
    // Begun again by somebody who does not know: nothing is ordered twice.
    world.begin(&setup, app_json).await;
    let list = crate::addons::list_of_app(&world.ops, &world.admin, "shop").await.unwrap();
    let names: Vec<_> = list.iter().flat_map(|one| one.config_vars.clone()).collect();
    assert_eq!(names, ["DATABASE_URL", "CACHE_URL"]);
    crate::addons::provisioned(&world.ops, list[0].addon.id).await.unwrap();
    assert_eq!(world.advance(&setup).await, Next::Addons);
    crate::addons::provisioned(&world.ops, list[1].addon.id).await.unwrap();
    assert_eq!(world.advance(&setup).await, Next::Deploy);
    let setup = world.setup(&setup).await;
    let release = world.built(&setup, success(&[("web", "x"), ("release", "migrate")])).await;
    let mut tx = world.ops.store().read().await.unwrap();
    let vars = store::configs::of_release(&mut tx, release.id).await.unwrap();
    assert_eq!(vars.0.keys().collect::<Vec<_>>(), ["A", "CACHE_URL", "DATABASE_URL"]);
}

#[tokio::test]
async fn an_add_on_that_cannot_be_had_fails_the_setup() {
    for destroyed in [false, true] {
        let catalog = ::addons::Catalog::load(None).unwrap();
        let world = World::with(Settings { catalog: Arc::new(catalog), ..Settings::default() }).await;
        let setup = world.set_up(&[]).await;
        let setup = world.begin(&setup, r#"{"addons": ["heroku-postgresql"]}"#).await;
        let addon =
            crate::addons::list_of_app(&world.ops, &world.admin, "shop").await.unwrap().remove(0).addon;
        let why = if destroyed {
            crate::addons::destroy(&world.ops, &world.admin, "shop", &addon.name, false).await.unwrap();
            "it was destroyed before the build began"
        } else {
            crate::addons::failed(&world.ops, addon.id, "no room").await.unwrap();
            "no room"
        };
        assert_eq!(world.advance(&setup).await, Next::Nothing);
        let setup = world.setup(&setup).await;
        let message = format!("the add-on {} could not be provisioned: {why}", addon.name);
        assert_eq!((setup.status, setup.failure_message), (SetupStatus::Failed, Some(message)));
    }
}

#[tokio::test]
async fn what_fails_says_why_and_keeps_the_app() {
    let ended = async |app_json: &str, step: Option<bool>| {
        let world = World::new().await;
        let setup = world.set_up(&[]).await;
        let setup = world.begin(&setup, app_json).await;
        if let Some(builds) = step {
            if builds {
                let release = world.built(&setup, success(&[("web", "x"), ("release", "migrate")])).await;
                let ends = !app_json.contains("never");
                crate::releases::finish_command(&world.ops, release.id, ends).await.unwrap();
            } else {
                crate::builds::finish(&world.ops, setup.build.unwrap(), Outcome::Failed).await.unwrap();
            }
            if let Next::Postdeploy(dyno) = world.advance(&setup).await {
                let code = if dyno.command == "bin/lost" { None } else { Some(3) };
                app_setups::finish_postdeploy(&world.ops, setup.id, code).await.unwrap();
            }
        }
        let setup = world.setup(&setup).await;
        assert_eq!(setup.status, SetupStatus::Failed, "{app_json}");
        assert!(world.said().last().unwrap().starts_with("App setup"));
        assert!(apps::info(&world.ops, &world.admin, "shop").await.is_ok());
        (setup.failure_message.unwrap(), setup.manifest_errors)
    };
    let message = |text: &str| (text.to_owned(), Vec::new());
    assert_eq!(
        ended(r#"{"env": {"FOO": {"required": true}}}"#, None).await,
        ("invalid app.json".into(), vec!["config var FOO is required".into()])
    );
    assert_eq!(ended("{}", Some(false)).await, message("the build failed"));
    assert_eq!(ended(r#"{"name": "never"}"#, Some(true)).await, message("the release command failed"));
    assert_eq!(
        ended(r#"{"formation": {"worker": {"quantity": 1}}}"#, Some(true)).await,
        message("app.json: formation: the app has no process type worker. It has: release, web.")
    );
    assert_eq!(
        ended(r#"{"scripts": {"postdeploy": "bin/lost"}}"#, Some(true)).await,
        message("the dyno that ran the postdeploy script was lost")
    );
    assert_eq!(
        ended(r#"{"scripts": {"postdeploy": {"command": "bin/seed", "size": "eco"}}}"#, Some(true)).await,
        message("the postdeploy script exited with code 3")
    );
}

#[tokio::test]
async fn a_dyno_that_is_gone_is_not_run_again() {
    let world = World::new().await;
    let setup = world.set_up(&[("MUST", "x")]).await;
    let setup = world.begin(&setup, APP_JSON).await;
    world.built(&setup, success(&[("web", "x"), ("worker", "y")])).await;
    let Next::Postdeploy(dyno) = world.advance(&setup).await else { panic!("no dyno") };
    let world = world.restart().await;
    let mut write = world.ops.store().write().await.unwrap();
    assert_eq!(store::app_setups::awaited_dynos(&mut write).await.unwrap(), [dyno.id]);
    assert_eq!(store::app_setups::id_by_dyno(&mut write, dyno.id).await.unwrap(), Some(setup.id));
    store::dynos::delete(&mut write, dyno.id).await.unwrap();
    write.commit().await.unwrap();
    assert_eq!(world.advance(&setup).await, Next::Lost);
}

#[tokio::test]
async fn bad_wishes_make_no_app() {
    let world = World::new().await;
    let try_with = async |change: &dyn Fn(&mut Create)| {
        let mut input = Create { source_url: SOURCE.into(), ..Default::default() };
        change(&mut input);
        refusal(app_setups::create(&world.ops, &world.admin, input).await)
    };
    for (change, words) in [
        (
            (&|input: &mut Create| input.source_url = "file:///etc/passwd".into()) as &dyn Fn(&mut Create),
            "422 invalid_params source_blob.url must be",
        ),
        (&|input| input.checksum = Some("MD5:1".into()), "Checksum must be SHA256"),
        (&|input| input.app.name = Some("X".into()), "Name must be"),
        (&|input| input.app.stack = Some("heroku-99".into()), "Stack \"heroku-99\" does not exist"),
        (&|input| input.buildpacks = vec!["nonsense".into()], "Buildpack \"nonsense\" is not valid"),
        (&|input| input.env = [("A-B".into(), "1".into())].into(), "Config var name \"A-B\" is not valid"),
    ] {
        let said = try_with(change).await;
        assert!(said.contains(words), "{said}");
    }
    assert_eq!(apps::list(&world.ops, &world.admin).await.unwrap().len(), 0);
}

#[tokio::test]
async fn others_do_not_learn_of_a_setup() {
    let world = World::new().await;
    let setup = world.set_up(&[]).await;
    let bob = world.person("bob").await;
    let seen = refusal(app_setups::info(&world.ops, &bob, &setup.id.to_string()).await);
    assert_eq!(seen, "404 not_found Couldn't find that app setup.");
    assert_eq!(refusal(app_setups::info(&world.ops, &world.admin, "nonsense").await), seen);
    let reader = world.token(&world.admin, &["read"]).await;
    let input = Create { source_url: SOURCE.into(), ..Default::default() };
    assert!(refusal(app_setups::create(&world.ops, &reader, input).await).starts_with("403 forbidden"));
    apps::destroy(&world.ops, &world.admin, "shop").await.unwrap();
    assert_eq!(world.advance(&setup).await, Next::Nothing);
    assert_eq!(refusal(app_setups::info(&world.ops, &world.admin, &setup.id.to_string()).await), seen);
}
