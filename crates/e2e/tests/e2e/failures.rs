//! What goes wrong, and what the person is told.

use crate::run;
use anyhow::{Context, Result, ensure};
use e2e::{App, Output, Server, until};
use serde_json::{Value, json};
use std::process::Command;

/// A build that fails rejects the push, keeps the release and moves no ref.
pub(crate) fn a_failing_build_moves_nothing(server: &Server) -> Result<()> {
    run(async {
        let app = App::tiny(server, "failing-build", "fine")?;
        app.push()?.ok()?;
        app.answers("fine from web.1").await?;
        let good = app.head()?;
        for (file, text, words) in [
            ("Procfile", "web node web.js\n", "Procfile line 1"),
            (
                "package.json",
                r#"{"name":"tiny","version":"1.0.0","scripts":{"build":"echo broken on purpose; exit 4"}}"#,
                "broken on purpose",
            ),
            ("package.json", r#"{"name":"tiny","version":"1.0.0","engines":{"node":"99.x"}}"#, "99.x"),
            ("package.json", "{ not json", "package.json"),
        ] {
            app.write(file, text)?;
            app.commit("a bad idea")?;
            let push = app.push()?.fails()?.says(words)?;
            push.says("Push rejected")?.says("pre-receive hook declined")?;
            let refs = app.git(&["ls-remote", "heroku", "refs/heads/main"])?.ok()?;
            ensure!(refs.stdout.starts_with(&good), "the ref moved: {}", refs.stdout);
            app.git(&["reset", "--quiet", "--hard", &good])?.ok()?;
        }
        app.git(&["rm", "--quiet", "package.json", "package-lock.json"])?.ok()?;
        app.commit("nothing to detect")?;
        app.push()?.fails()?.says("App not compatible with buildpack: heroku/nodejs")?;
        app.heroku(&["buildpacks:clear"])?.ok()?;
        app.push()?.fails()?.says("No default language could be detected for this app.")?;
        app.answers("fine from web.1").await?;
        app.heroku(&["releases"])?.ok()?.says("Current: v3")?;
        Ok(())
    })
}

/// A release command that fails leaves the old release running; the push itself stands.
pub(crate) fn a_failing_release_command_keeps_the_old_release(server: &Server) -> Result<()> {
    run(async {
        let app = App::tiny(server, "failing-release", "old")?;
        app.push()?.ok()?;
        app.answers("old from web.1").await?;
        app.write_web("new")?;
        app.write("Procfile", "web: node web.js\nrelease: echo migrating; exit 3\n")?;
        app.commit("bad migration")?;
        app.push()?.ok()?.says("migrating")?.says("Waiting for release.... failed.")?;
        app.heroku(&["releases"])?.ok()?.says("release command failed")?.says("Current: v3")?;
        app.heroku(&["releases:output", "v4"])?.ok()?.says("migrating")?;
        app.answers("old from web.1").await?;
        app.write("Procfile", "web: node web.js\nrelease: echo migrated $WORD\n")?;
        app.commit("good migration")?;
        app.push()?.ok()?.says("migrated")?.says("Waiting for release.... done.")?;
        app.answers("new from web.1").await?;
        Ok(())
    })
}

/// A row of the table below: method, path, body, status, error id, words of the message.
type Refusal = (&'static str, &'static str, Value, u16, &'static str, &'static str);

/// The API refuses nonsense in Heroku's form and changes nothing.
pub(crate) fn bad_input_is_answered_clearly(server: &Server) -> Result<()> {
    run(async {
        let app = App::tiny(server, "bad-input", "bad")?;
        app.push()?.ok()?;
        let long = "x".repeat(70_000);
        let table: Vec<Refusal> = vec![
            ("POST", "/apps", json!({"name": "X"}), 422, "invalid_params", "3 and 30"),
            ("POST", "/apps", json!({"name": "bad_name"}), 422, "invalid_params", "Name"),
            ("POST", "/apps", json!({"name": "bad-input"}), 422, "invalid_params", "already taken"),
            ("GET", "/apps/no-such-app", Value::Null, 404, "not_found", "Couldn't find that app."),
            ("PATCH", "/apps/bad-input/config-vars", json!({"1A": "b"}), 422, "invalid_params", "1A"),
            (
                "PATCH",
                "/apps/bad-input/config-vars",
                json!({"HEROKU_X": "b"}),
                422,
                "invalid_params",
                "HEROKU_",
            ),
            ("PATCH", "/apps/bad-input/config-vars", json!({"A": long}), 422, "invalid_params", "65536"),
            (
                "PATCH",
                "/apps/bad-input/formation",
                json!({"updates": [{"type": "nope", "quantity": 1}]}),
                404,
                "not_found",
                "nope",
            ),
            (
                "PATCH",
                "/apps/bad-input/formation",
                json!({"updates": [{"type": "web", "quantity": -1}]}),
                422,
                "invalid_params",
                "",
            ),
            (
                "PATCH",
                "/apps/bad-input/formation",
                json!({"updates": [{"type": "web", "quantity": 4_000_000_000_u32}]}),
                422,
                "invalid_params",
                "",
            ),
            (
                "PATCH",
                "/apps/bad-input/formation",
                json!({"updates": [{"type": "web", "size": "gigantic"}]}),
                422,
                "invalid_params",
                "gigantic",
            ),
            ("GET", "/apps/bad-input/releases/999", Value::Null, 404, "not_found", "release"),
            ("GET", "/nothing-here", Value::Null, 404, "not_found", ""),
        ];
        for (method, path, body, status, id, words) in table {
            let sent = (!body.is_null()).then_some(body.clone());
            let (got, answer) = server.api(method, path, sent).await?;
            ensure!(
                got == status
                    && answer["id"] == id
                    && answer["message"].as_str().unwrap_or("").contains(words),
                "{method} {path} should be {status} {id} {words:?}, was {got} {answer}"
            );
        }
        let client = reqwest::Client::new();
        let url = format!("{}/apps/bad-input/config-vars", server.api_url);
        let accept = "application/vnd.heroku+json; version=3";
        let broken =
            client.patch(&url).header("Accept", accept).bearer_auth(e2e::server::TOKEN).body("{oops");
        let broken = broken.header("Content-Type", "application/json").send().await?;
        ensure!(broken.status() == 400, "a body that is no JSON is 400, not {}", broken.status());
        let stranger = client.get(&url).header("Accept", accept).bearer_auth("nonsense").send().await?;
        ensure!(stranger.status() == 401, "an unknown token is 401, not {}", stranger.status());
        ensure!(stranger.json::<Value>().await?["id"] == "unauthorized", "with Heroku's id");
        app.heroku(&["releases"])?.ok()?.says("Current: v3")?;
        Ok(())
    })
}

/// A dyno that ends is a crash, is started again, and the router says H10.
pub(crate) fn a_crashing_dyno_is_told_and_retried(server: &Server) -> Result<()> {
    run(async {
        let app = App::tiny(server, "crashing-app", "crash")?;
        app.push()?.ok()?;
        app.answers("crash from web.1").await?;
        let answer = app.get("/exit").await?;
        ensure!(answer.status == 503, "a dyno that dies gives no answer: {answer:?}");
        app.logs_say("code=H13 desc=\"Connection closed without response\"").await?;
        app.logs_say("heroku[web.1]: Process exited with status 3").await?;
        app.logs_say("heroku[web.1]: State changed from up to crashed").await?;
        app.answers("crash from web.1").await?;
        app.write("web.js", "console.log('no'); process.exit(1)\n")?;
        app.commit("always crashes")?;
        app.push()?.ok()?;
        app.logs_say("heroku[web.1]: Process exited with status 1").await?;
        // The release before it goes on serving.
        app.answers("crash from web.1").await?;
        Ok(())
    })
}

/// Archives that no one may send, as a source and as a slug, and what is said of them.
const ARCHIVES: &[(&str, &str)] = &[
    ("dots", "its path contains `..`"),
    ("absolute", "its path is absolute"),
    ("symlink", "out"),
    ("hardlink", "it is a hard link to"),
    ("device", "it is a device"),
    ("fifo", "it is a named pipe"),
    ("sparse", "it unpacks to more than"),
    ("bomb", "it unpacks to more than"),
    ("many", "it has more than 500000 entries"),
    ("deep", "it has more than 128 nested directories"),
    ("broken", "cannot be read"),
];

/// An archive that wants out of its folder, or to grow without end, fails its build or its upload
/// and nothing else.
pub(crate) fn hostile_tarballs_are_refused(server: &Server) -> Result<()> {
    run(async {
        let app = App::tiny(server, "hostile-app", "hostile")?;
        let folder = server.folder("hostile");
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join("make.py"), include_str!("archives.py"))?;
        Output::of(Command::new("python3").arg("make.py").current_dir(&folder))?.ok()?;
        for (name, words) in ARCHIVES {
            let body = std::fs::read(folder.join(format!("{name}.tgz")))?;
            let failed = failed_build(server, &app, name, body.clone()).await?;
            ensure!(failed.contains(words), "the build of {name} should say {words:?}: {failed}");
            let refused = refused_slug(server, &app, name, body).await?;
            ensure!(refused.contains(words), "the slug {name} should be refused for {words:?}: {refused}");
        }
        ensure!(!std::path::Path::new("/etc/evil").exists(), "a tarball wrote to the host");
        let (_, releases) = server.api("GET", "/apps/hostile-app/releases", None).await?;
        ensure!(releases.as_array().is_some_and(|list| list.len() == 2), "no release was made: {releases}");
        app.push()?.ok()?;
        app.answers("hostile from web.1").await?;
        Ok(())
    })
}

/// What a build that has to fail prints.
async fn failed_build(server: &Server, app: &App<'_>, name: &str, body: Vec<u8>) -> Result<String> {
    let build = build_from(server, &app.name, body).await?;
    let path = format!("/apps/{}/builds/{}", app.name, build["id"].as_str().context("a build id")?);
    let failed = until(&format!("the build of {name} to end"), async || {
        let (_, build) = server.api("GET", &path, None).await.map_err(|error| format!("{error:#}"))?;
        if build["status"] == "pending" { Err(build.to_string()) } else { Ok(build) }
    })
    .await?;
    ensure!(failed["status"] == "failed", "{name} should fail: {failed}");
    let output = build["output_stream_url"].as_str().context("an output address")?;
    Ok(reqwest::get(output).await?.text().await?)
}

/// What is said of a slug that has to be refused; it cannot be released.
async fn refused_slug(server: &Server, app: &App<'_>, name: &str, body: Vec<u8>) -> Result<String> {
    let slugs = format!("/apps/{}/slugs", app.name);
    let (status, slug) =
        server.api("POST", &slugs, Some(json!({"process_types": {"web": "sleep 1"}}))).await?;
    ensure!(status == 201, "slugs: {status} {slug}");
    let put = slug["blob"]["url"].as_str().context("an address")?;
    let answer = reqwest::Client::new().put(put).body(body).send().await?;
    let (status, refused) = (answer.status(), answer.text().await?);
    ensure!(status == 422, "the slug {name} should be refused: {status} {refused}");
    let release = json!({"slug": slug["id"]});
    let releases = format!("/apps/{}/releases", app.name);
    let (status, early) = server.api("POST", &releases, Some(release)).await?;
    ensure!(status == 422, "the slug {name} was released: {early}");
    Ok(refused)
}

/// Uploads a tarball as a source and starts a build of it.
pub(crate) async fn build_from(server: &Server, app: &str, tarball: Vec<u8>) -> Result<Value> {
    let (status, source) = server.api("POST", &format!("/apps/{app}/sources"), None).await?;
    ensure!(status == 201, "sources: {status} {source}");
    let blob = &source["source_blob"];
    let put = blob["put_url"].as_str().context("a put_url")?;
    let sent = reqwest::Client::new().put(put).body(tarball).send().await?;
    ensure!(sent.status().is_success(), "upload: {}", sent.status());
    let body = json!({"source_blob": {"url": blob["get_url"], "version": "tarball"}});
    let (status, build) = server.api("POST", &format!("/apps/{app}/builds"), Some(body)).await?;
    ensure!(status == 201, "builds: {status} {build}");
    Ok(build)
}
