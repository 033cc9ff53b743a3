//! A partner's service with the official CLI: registered, ordered, used, made larger, opened, given up;
//! a partner that refuses; and a server that is killed while it waits for one.

use crate::kills::story;
use crate::run;
use anyhow::{Context, Result, ensure};
use e2e::{App, Asked, OtherSide, Reply, Server, until};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

const PASSWORD: &str = "geheim-1234";
const SALT: &str = "salz-12345";

fn manifest(name: &str, url: &str) -> String {
    let prefix = name.to_ascii_uppercase();
    json!({
        "id": name, "name": "Notes", "$base": 1,
        "api": {
            "config_vars_prefix": prefix, "config_vars": [format!("{prefix}_URL")],
            "password": PASSWORD, "sso_salt": SALT, "regions": ["*"], "requires": ["attachable"], "version": "3",
            "production": { "base_url": format!("{url}/heroku/resources"), "sso_url": format!("{url}/sso") },
        },
        "plans": [{ "name": "small" }, { "name": "large", "cents": 900 }],
    })
    .to_string()
}

/// What the partner keeps: the resources that it has made.
type Shelf = Arc<Mutex<BTreeSet<String>>>;

fn partner(shelf: &Shelf) -> impl FnMut(&Asked) -> Reply + Send + 'static {
    let shelf = shelf.clone();
    move |asked| {
        let mut shelf = shelf.lock().unwrap_or_else(PoisonError::into_inner);
        let order = asked.json();
        let id = order["uuid"].as_str().unwrap_or_default().to_owned();
        match asked.method.as_str() {
            "POST" if order["options"]["color"] == "pink" => {
                Reply::json(422, &json!({ "message": "Notes cannot be pink." }))
            }
            "POST" if order["options"]["when"] == "later" => {
                shelf.insert(id.clone());
                Reply::json(202, &json!({ "id": id, "message": "In a moment." }))
            }
            "POST" => {
                shelf.insert(id.clone());
                let config = json!({ "NOTES_URL": format!("notes://{id}") });
                Reply::json(200, &json!({ "id": id, "config": config, "message": "Take note." }))
            }
            "PUT" => {
                Reply::json(200, &json!({ "config": { "NOTES_URL": "notes://large" }, "message": "Grown." }))
            }
            _ if shelf.remove(asked.path.rsplit('/').next().unwrap_or_default()) => {
                Reply::With(204, String::new())
            }
            _ => Reply::With(404, String::new()),
        }
    }
}

fn register(server: &Server, name: &str, url: &str) -> Result<String> {
    let file = server.folder(&format!("{name}.json"));
    std::fs::write(&file, manifest(name, url))?;
    let said = server.kigo(&["addons:register", &file.display().to_string()])?.ok()?.stdout;
    let secret = said.lines().find_map(|line| line.strip_prefix("Client secret, for the partner: "));
    Ok(secret.with_context(|| said.clone())?.to_owned())
}

/// From the manifest to a dashboard and back.
pub(crate) fn a_service_that_others_run(server: &Server) -> Result<()> {
    run(async {
        let shelf = Shelf::default();
        let side = OtherSide::start(partner(&shelf)).await?;
        let file = server.folder("bad.json");
        std::fs::write(&file, manifest("notes", &side.url()).replace("NOTES_URL", "OTHER_URL"))?;
        let bad = server.kigo(&["addons:register", &file.display().to_string()])?.fails()?;
        bad.says("does not begin with the prefix \"NOTES_\" at line 1")?;
        let secret = register(server, "notes", &side.url())?;
        server.kigo(&["addons:partners"])?.ok()?.says("notes:small notes:large")?;
        server.heroku(&["addons:services"])?.ok()?.says("notes")?;
        server.heroku(&["addons:plans", "notes"])?.ok()?.says("notes:large")?.says("$9/month")?;

        let app = App::create(server, "scribe")?;
        let made = app.heroku(&["addons:create", "notes:small"])?.ok()?;
        made.says("Take note.")?.says("NOTES_URL")?;
        let order = side.asked()[0].json();
        let id = order["uuid"].as_str().context("no uuid")?.to_owned();
        app.heroku(&["config"])?.ok()?.says(&format!("notes://{id}"))?;
        app.heroku(&["addons"])?.ok()?.says("notes (notes-")?.says("NOTES")?;

        let code = order["oauth_grant"]["code"].as_str().context("no grant")?;
        let token = update_as_partner(server, &id, code, &secret).await?;
        ensure!(!token.is_empty(), "no token");
        app.heroku(&["config:get", "NOTES_URL"])?.ok()?.says("notes://moved")?;
        app.heroku(&["releases"])?.ok()?.says("Update NOTES by notes")?;

        app.heroku(&["addons:upgrade", "notes:large"])?.ok()?.says("Grown.")?;
        app.heroku(&["config:get", "NOTES_URL"])?.ok()?.says("notes://large")?;
        opened(server, &app, &side, &id).await?;

        app.heroku(&["addons:destroy", "NOTES", "--confirm", &app.name])?.ok()?;
        app.heroku(&["config"])?.ok()?.says_not("NOTES_URL")?;
        until("the partner to have taken it back", async || {
            let left = shelf.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if left.is_empty() { Ok(()) } else { Err(left) }
        })
        .await?;

        later(server, &app, &side, &secret).await?;
        let refused = app.heroku(&["addons:create", "notes", "--", "--color=pink"])?.fails()?;
        refused.says("Notes cannot be pink.")?;
        app.heroku(&["config"])?.ok()?.says_not("NOTES_URL")?;
        app.heroku(&["addons"])?.ok()?.says("No add-ons")?;
        app.heroku(&["apps:destroy", "--confirm", &app.name])?.ok()?;
        server.kigo(&["addons:unregister", "notes", "--force"])?.ok()?;
        server.heroku(&["addons:services"])?.ok()?.says_not("notes")?;
        Ok(())
    })
}

/// As a partner's program does: it trades its grant, and sets a config var.
async fn update_as_partner(server: &Server, id: &str, code: &str, secret: &str) -> Result<String> {
    let client = reqwest::Client::new();
    let form = format!("grant_type=authorization_code&code={code}&client_secret={secret}");
    let token: Value = client
        .post(format!("{}/oauth/token", server.api_url))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form)
        .send()
        .await?
        .json()
        .await?;
    let token = token["access_token"].as_str().with_context(|| token.to_string())?;
    let answer = client
        .patch(format!("{}/addons/{id}/config", server.api_url))
        .bearer_auth(token)
        .header("accept", "application/vnd.heroku+json; version=3")
        .json(&json!({ "config": [{ "name": "NOTES_URL", "value": "notes://moved" }] }))
        .send()
        .await?;
    ensure!(answer.status().is_success(), "{}", answer.text().await?);
    Ok(token.to_owned())
}

/// One that needs time: the CLI does not wait, `addons:wait` does, and the partner says when.
async fn later(server: &Server, app: &App<'_>, side: &OtherSide, secret: &str) -> Result<()> {
    let made = app.heroku(&["addons:create", "notes", "--", "--when=later"])?.ok()?;
    made.says("in the background")?;
    let order = side.asked().last().context("no order")?.json();
    let id = order["uuid"].as_str().context("no uuid")?.to_owned();
    app.heroku(&["addons"])?.ok()?.says("creating")?;
    let code = order["oauth_grant"]["code"].as_str().context("no grant")?;
    let token = update_as_partner(server, &id, code, secret).await?;
    app.heroku(&["config"])?.ok()?.says_not("NOTES_URL")?;
    let answer = reqwest::Client::new()
        .post(format!("{}/addons/{id}/actions/provision", server.api_url))
        .bearer_auth(token)
        .header("accept", "application/vnd.heroku+json; version=3")
        .send()
        .await?;
    ensure!(answer.status().is_success(), "{}", answer.text().await?);
    app.heroku(&["addons:wait"])?.ok()?;
    app.heroku(&["config:get", "NOTES_URL"])?.ok()?.says("notes://moved")?;
    app.heroku(&["addons:destroy", "NOTES", "--confirm", &app.name])?.ok()?;
    Ok(())
}

/// The address that the CLI would open sends the browser on to the partner.
async fn opened(server: &Server, app: &App<'_>, side: &OtherSide, id: &str) -> Result<()> {
    let url = app.heroku(&["addons:open", "NOTES", "--show-url"])?.ok()?.stdout;
    ensure!(url.trim().starts_with(&format!("{}/sso/", server.api_url)), "{url}");
    let page = reqwest::get(url.trim()).await?.text().await?;
    ensure!(page.contains(&format!("action=\"{}/sso\"", side.url())), "{page}");
    ensure!(page.contains(&format!("name=\"resource_id\" value=\"{id}\"")), "{page}");
    ensure!(page.contains("name=\"resource_token\""), "{page}");
    Ok(())
}

/// The partner does not answer, the server is killed, and the next one asks again: one resource, not two.
pub(crate) fn killed_while_a_partner_is_asked() -> Result<()> {
    run(story("kill-partner", async |server| {
        let side = OtherSide::start(|_| Reply::Never).await?;
        register(server, "notes", &side.url())?;
        let app = App::create(server, "scribe")?;
        let mut order = server.heroku_command(&["addons:create", "notes", "-a", "scribe"])?;
        let order = tokio::task::spawn_blocking(move || e2e::Output::of(&mut order));
        until("the partner to be asked", async || if side.asked().is_empty() { Err(()) } else { Ok(()) })
            .await?;
        let shelf = Shelf::default();
        server.kill()?;
        side.answers(partner(&shelf));
        server.start_again().await?;
        // The CLI lost its connection; what it then says is its own business.
        order.await??;
        app.heroku(&["addons:wait"])?.ok()?;
        app.heroku(&["config"])?.ok()?.says("notes://")?;
        let asked = side.asked();
        let uuids: BTreeSet<_> = asked.iter().map(|one| one.json()["uuid"].to_string()).collect();
        ensure!(asked.len() >= 2, "asked once only");
        let made = shelf.lock().unwrap_or_else(PoisonError::into_inner).len();
        ensure!(made == uuids.len(), "{made} resources for {uuids:?}");
        Ok(())
    }))
}
