//! Apps that are set up from their `app.json`.

use crate::run;
use anyhow::{Context, Result, ensure};
use e2e::{App, Output, Server, until};
use serde_json::{Value, json};
use std::process::Command;

/// A checkout with these files beside a tiny app's, packed as a code host packs it.
fn source(server: &Server, name: &str, app_json: &Value) -> Result<Vec<u8>> {
    let folder = server.folder(name);
    std::fs::create_dir_all(&folder)?;
    for (file, text) in [
        ("app.json", app_json.to_string()),
        ("package.json", r#"{"name":"tiny","version":"1.0.0","private":true}"#.into()),
        (
            "package-lock.json",
            r#"{"name":"tiny","version":"1.0.0","lockfileVersion":3,"requires":true,"packages":{"":{"name":"tiny","version":"1.0.0"}}}"#.into(),
        ),
        (
            "web.js",
            "require('http').createServer((_, answer) => answer.end(process.env.GREETING)).listen(process.env.PORT)\n".into(),
        ),
        ("Procfile", "web: node web.js\nworker: sleep 10000\n".into()),
    ] {
        let path = folder.join(file);
        // A story may have written its own.
        if !path.exists() {
            std::fs::write(path, text)?;
        }
    }
    let archive = server.folder(&format!("{name}.tgz"));
    let mut tar = Command::new("tar");
    tar.arg("-czf").arg(&archive).arg("-C").arg(server.folder("")).arg(name);
    Output::of(&mut tar)?.ok()?;
    Ok(std::fs::read(archive)?)
}

/// Uploads a source and asks for a setup of an app of this name.
async fn set_up(server: &Server, app: &str, app_json: &Value, overrides: Value) -> Result<String> {
    let tarball = source(server, app, app_json)?;
    let (status, source) = server.api("POST", "/sources", None).await?;
    ensure!(status == 201, "sources: {status} {source}");
    let put = source["source_blob"]["put_url"].as_str().context("a put_url")?;
    let sent = reqwest::Client::new().put(put).body(tarball).send().await?;
    ensure!(sent.status().is_success(), "upload: {}", sent.status());
    let body = json!({
        "source_blob": {"url": source["source_blob"]["get_url"], "version": "v1.0.0"},
        "app": {"name": app},
        "overrides": overrides,
    });
    let (status, setup) = server.api("POST", "/app-setups", Some(body)).await?;
    ensure!(status == 202 && setup["status"] == "pending", "app-setups: {status} {setup}");
    Ok(setup["id"].as_str().context("an id")?.to_owned())
}

async fn ended(server: &Server, id: &str) -> Result<Value> {
    until("the setup to end", async || {
        let asked = server.api("GET", &format!("/app-setups/{id}"), None).await;
        let (_, setup) = asked.map_err(|error| format!("{error:#}"))?;
        if setup["status"] == "pending" { Err(setup.to_string()) } else { Ok(setup) }
    })
    .await
}

/// The app as the rest of a story sees it.
fn app<'a>(server: &'a Server, name: &str) -> App<'a> {
    App { server, name: name.to_owned(), checkout: server.folder(name) }
}

fn greeting_app_json() -> Value {
    json!({
        "name": "Greeter",
        "env": {
            "GREETING": {"description": "What it says.", "value": "hello"},
            "SECRET": {"generator": "secret"},
            "NAME": {"required": true},
        },
        "buildpacks": [{"url": "heroku/nodejs"}],
        "formation": {"web": {"quantity": 2, "size": "standard-1x"}, "worker": {"quantity": 1}},
        "scripts": {"postdeploy": "echo seeding for $NAME in $DYNO; echo ${#SECRET}"},
        "success_url": "/welcome",
    })
}

/// Everything that `app.json` says is done, and the official CLI sees it.
pub(crate) fn an_app_is_set_up(server: &Server) -> Result<()> {
    run(async {
        let overrides = json!({"env": {"NAME": "Ada"}});
        let id = set_up(server, "set-up", &greeting_app_json(), overrides).await?;
        let setup = ended(server, &id).await?;
        ensure!(setup["status"] == "succeeded" && setup["build"]["status"] == "succeeded", "{setup}");
        let output = setup["postdeploy"]["output"].as_str().unwrap_or_default();
        ensure!(
            output.starts_with("seeding for Ada in postdeploy.") && output.ends_with("\n64\n"),
            "{setup}"
        );
        ensure!(setup["postdeploy"]["exit_code"] == 0, "{setup}");
        let url = setup["resolved_success_url"].as_str().unwrap_or_default();
        ensure!(url.ends_with("/welcome") && url.contains("set-up.localhost"), "{setup}");
        let app = app(server, "set-up");
        app.answers("hello").await?;
        app.up(&["web.1", "web.2", "worker.1"]).await?;
        server.heroku(&["buildpacks", "--app", "set-up"])?.ok()?.says("heroku/nodejs")?;
        server.heroku(&["config:get", "NAME", "--app", "set-up"])?.ok()?.says("Ada")?;
        server.heroku(&["ps", "--app", "set-up"])?.ok()?.says("web (Standard-1X)")?;
        let releases = server.heroku(&["releases", "--app", "set-up"])?.ok()?;
        releases.says("Set GREETING, NAME, SECRET config vars")?.says("Deploy v1.0.0")?;
        Ok(())
    })
}

/// Add-ons are there before the build: a release command and `postdeploy` use them.
pub(crate) fn add_ons_come_first(server: &Server) -> Result<()> {
    run(async {
        let folder = server.folder("equipped");
        std::fs::create_dir_all(&folder)?;
        let knock =
            "bash -c 'where=${DATABASE_URL##*@}; where=${where%%/*}; </dev/tcp/${where%:*}/${where#*:}'";
        std::fs::write(folder.join("Procfile"), format!("web: node web.js\nrelease: {knock}\n"))?;
        let app_json = json!({
            "addons": ["heroku-postgresql:mini", {"plan": "heroku-redis:mini", "as": "CACHE"}],
            "env": {"GREETING": "equipped"},
            "scripts": {"postdeploy": "echo ${DATABASE_URL%%:*} ${CACHE_URL%%:*}"},
        });
        let id = set_up(server, "equipped", &app_json, json!({})).await?;
        let setup = ended(server, &id).await?;
        ensure!(setup["status"] == "succeeded", "{setup}");
        ensure!(setup["postdeploy"]["output"] == "postgres rediss\n", "{setup}");
        let app = app(server, "equipped");
        app.answers("equipped").await?;
        let list = server.heroku(&["addons", "--app", "equipped"])?.ok()?;
        list.says("heroku-postgresql")?.says("DATABASE")?.says("CACHE")?;
        server.heroku(&["apps:destroy", "--app", "equipped", "--confirm", "equipped"])?.ok()?;
        Ok(())
    })
}

/// What is missing, wrong or fails is told, and the app stays.
pub(crate) fn what_fails_is_told(server: &Server) -> Result<()> {
    run(async {
        let wanting = json!({"env": {"TOKEN": {}}, "addons": ["heroku-postgresql:huge"]});
        let id = set_up(server, "wanting", &wanting, json!({})).await?;
        let setup = ended(server, &id).await?;
        let errors = setup["manifest_errors"].to_string();
        ensure!(errors.contains("config var TOKEN is required"), "{setup}");
        ensure!(errors.contains("addons[0].plan: Couldn't find"), "{setup}");
        let failing = json!({"scripts": {"postdeploy": "echo no luck; exit 3"}});
        let id = set_up(server, "luckless", &failing, json!({})).await?;
        let setup = ended(server, &id).await?;
        ensure!(setup["status"] == "failed", "{setup}");
        ensure!(setup["postdeploy"] == json!({"output": "no luck\n", "exit_code": 3}), "{setup}");
        // A heroku.yml has a say as well.
        std::fs::create_dir_all(server.folder("manifest"))?;
        std::fs::write(
            server.folder("manifest").join("heroku.yml"),
            "setup: {addons: [{plan: heroku-pigeons}]}",
        )?;
        let id = set_up(server, "manifest", &json!({}), json!({})).await?;
        let setup = ended(server, &id).await?;
        ensure!(setup["manifest_errors"].to_string().contains("heroku-pigeons"), "{setup}");
        for name in ["wanting", "luckless", "manifest"] {
            server.heroku(&["info", "--app", name])?.ok()?;
        }
        Ok(())
    })
}

/// A push of an app that has no buildpacks chosen follows its `app.json`, and tells what is wrong
/// with it.
pub(crate) fn a_push_follows_app_json(server: &Server) -> Result<()> {
    run(async {
        let app = App::tiny(server, "named-packs", "named")?;
        app.write("app.json", "{\n  \"buildpacks\": [{\"url\": 5}]\n}\n")?;
        app.commit("broken")?;
        let push = app.push()?.fails()?;
        push.says("The app.json of this app is not valid.")?.says("Line 2, column 26 (buildpacks[0].url)")?;
        app.write("app.json", r#"{"buildpacks": [{"url": "heroku/nodejs"}]}"#)?;
        app.commit("named")?;
        app.push()?.ok()?.says("Using the buildpacks that app.json names")?;
        app.answers("named from web.1").await?;
        app.heroku(&["buildpacks"])?.ok()?.says("heroku/nodejs")?;
        Ok(())
    })
}

/// The server dies while `postdeploy` runs; it runs on, and its setup ends.
pub(crate) async fn killed_during_postdeploy(server: &Server) -> Result<()> {
    let app_json = json!({"scripts": {"postdeploy": "echo begun; sleep 6; echo over"}});
    let id = set_up(server, "killed-setup", &app_json, json!({})).await?;
    let app = app(server, "killed-setup");
    until("the script to run", async || {
        let dynos = app.dynos().await.map_err(|error| format!("{error:#}"))?;
        let runs = dynos.iter().any(|(name, state, _)| name.starts_with("postdeploy.") && state == "up");
        if runs { Ok(()) } else { Err(format!("{dynos:?}")) }
    })
    .await?;
    server.kill_and_restart().await?;
    let setup = ended(server, &id).await?;
    ensure!(setup["status"] == "succeeded", "{setup}");
    ensure!(setup["postdeploy"]["output"] == "begun\nover\n", "once, and all of it: {setup}");
    Ok(())
}
