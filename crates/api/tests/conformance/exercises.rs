//! Each endpoint that Kigo has, called once in an order in which it has something to answer.

use super::walk::Walk;
use crate::support::{EMAIL, SSH_KEY};
use api::gaps::State;
use serde_json::{Value, json};

/// Calls everything that is listed as done.
pub async fn run(walk: &mut Walk) {
    account(walk).await;
    places(walk).await;
    let app = apps(walk).await;
    settings(walk, &app).await;
    source_and_build(walk, &app).await;
    slugs_and_releases(walk, &app).await;
    formation_and_dynos(walk, &app).await;
    logs(walk, &app).await;
    marketplace(walk).await;
    addons(walk, &app).await;
    let (addon, token) = partners(walk, &app).await;
    webhooks(walk, &walk.world.token.clone(), &app, "app", &format!("/apps/{app}")).await;
    webhooks(walk, &token, &app, "add-on", &format!("/addons/{addon}")).await;
    walk.call("app", "Delete", &format!("/apps/{app}"), Value::Null).await;
}

/// Calls everything that is listed as empty.
pub async fn empty_lists(walk: &mut Walk) {
    let app = walk.world.create_app().await;
    walk.call_all(State::Empty, |template| fill(template, &app)).await;
}

/// Calls everything that is listed as a gap.
pub async fn gaps(walk: &mut Walk) {
    let app = walk.world.create_app().await;
    walk.call_all(State::Gap, |template| fill(template, &app)).await;
}

/// Puts things that exist into a path where they do, so that a gap is not taken for one only
/// because nothing is there.
fn fill(template: &str, app: &str) -> String {
    let segment = |segment: &str| match segment {
        "{app}" | "{team-app}" => app.to_owned(),
        "{account}" | "{user-preferences}" => "~".to_owned(),
        "{region}" => "local".to_owned(),
        segment if segment.starts_with('{') => "01234567-89ab-4def-8123-456789abcdef".to_owned(),
        segment => segment.to_owned(),
    };
    template.split('/').map(segment).collect::<Vec<_>>().join("/")
}

async fn account(walk: &mut Walk) {
    walk.call("account", "Info", "/account", Value::Null).await;
    walk.call("account", "Update", "/account", json!({"name": "Ada"})).await;
    walk.call("account", "Info By User", &format!("/users/{EMAIL}"), Value::Null).await;
    walk.call("account", "Update By User", "/users/~", json!({"name": null})).await;
    walk.call("account-delinquency", "Info", "/account/delinquency", Value::Null).await;
    walk.call("rate-limit", "Info", "/account/rate-limits", Value::Null).await;

    let key = walk.world.request("POST", "/account/keys", json!({"public_key": SSH_KEY})).await.body;
    walk.call("key", "List", "/account/keys", Value::Null).await;
    walk.call("key", "Info", &path("/account/keys/", &key, "fingerprint"), Value::Null).await;

    let create = json!({"description": "a token", "scope": ["global"], "expires_in": "3600"});
    let made = walk.call("oauth-authorization", "Create", "/oauth/authorizations", create).await;
    let one = path("/oauth/authorizations/", &made, "id");
    walk.call("oauth-authorization", "List", "/oauth/authorizations", Value::Null).await;
    walk.call("oauth-authorization", "Info", &one, Value::Null).await;
    walk.call("oauth-authorization", "Update", &one, json!({"description": "renamed"})).await;
    let regenerate = format!("{one}/actions/regenerate-tokens");
    walk.call("oauth-authorization", "Regenerate", &regenerate, Value::Null).await;
    walk.call("oauth-authorization", "Delete", &one, Value::Null).await;
}

async fn places(walk: &mut Walk) {
    for (definition, list, one) in [
        ("region", "/regions", "/regions/local"),
        ("stack", "/stacks", "/stacks/kigo-13"),
        ("generation", "/generations", "/generations/cedar"),
        ("dyno-size", "/dyno-sizes", "/dyno-sizes/standard-1x"),
    ] {
        walk.call(definition, "List", list, Value::Null).await;
        walk.call(definition, "Info", one, Value::Null).await;
    }
}

async fn apps(walk: &mut Walk) -> String {
    let app = walk.call("app", "Create", "/apps", json!({"stack": "kigo-13", "region": "local"})).await;
    walk.call("app", "List", "/apps", Value::Null).await;
    walk.call("app", "List Owned and Collaborated", "/users/~/apps", Value::Null).await;
    walk.call("filter-apps", "Apps", "/filters/apps", json!({"in": {"id": [app["id"]]}})).await;
    walk.call("app", "Info", &path("/apps/", &app, "id"), Value::Null).await;
    let update = json!({"maintenance": true, "build_stack": "kigo-13"});
    let name = path("", &app, "name");
    walk.call("app", "Update", &format!("/apps/{name}"), update).await;
    walk.call("stack", "List", &format!("/apps/{name}/available-stacks"), Value::Null).await;
    walk.call("dyno-size", "List App Dyno Sizes", &format!("/apps/{name}/available-dyno-sizes"), Value::Null)
        .await;
    name
}

async fn settings(walk: &mut Walk, app: &str) {
    let at = |rest: &str| format!("/apps/{app}/{rest}");
    walk.call("config-var", "Update", &at("config-vars"), json!({"A": "1", "B": "2"})).await;
    walk.call("config-var", "Info for App", &at("config-vars"), Value::Null).await;

    walk.call("app-feature", "List", &at("features"), Value::Null).await;
    walk.call("app-feature", "Info", &at("features/runtime-dyno-metadata"), Value::Null).await;
    let on = json!({"enabled": true});
    walk.call("app-feature", "Update", &at("features/runtime-dyno-metadata"), on).await;

    let updates = json!({"updates": [{"buildpack": "heroku/nodejs"}]});
    walk.call("buildpack-installation", "Update", &at("buildpack-installations"), updates).await;
    walk.call("buildpack-installation", "List", &at("buildpack-installations"), Value::Null).await;

    let other = walk.world.other_account().await;
    let create = json!({"user": other, "silent": true});
    let collaborator = walk.call("collaborator", "Create", &at("collaborators"), create).await;
    walk.call("collaborator", "List", &at("collaborators"), Value::Null).await;
    walk.call("collaborator", "Info", &at(&format!("collaborators/{other}")), Value::Null).await;
    let one = path(&at("collaborators/"), &collaborator, "id");
    walk.call("collaborator", "Delete", &one, Value::Null).await;

    let create = json!({"hostname": format!("www.{app}.example.com"), "sni_endpoint": null});
    let domain = walk.call("domain", "Create", &at("domains"), create).await;
    walk.call("domain", "List", &at("domains"), Value::Null).await;
    walk.call("domain", "Info", &path(&at("domains/"), &domain, "hostname"), Value::Null).await;
    walk.call("domain", "Delete", &path(&at("domains/"), &domain, "id"), Value::Null).await;

    let create = json!({"url": "syslog+tls://logs.example.com:6514"});
    let drain = walk.call("log-drain", "Create", &at("log-drains"), create).await;
    walk.call("log-drain", "List", &at("log-drains"), Value::Null).await;
    walk.call("log-drain", "Info", &path(&at("log-drains/"), &drain, "token"), Value::Null).await;
    let by_url = at("log-drains/syslog%2Btls%3A%2F%2Flogs.example.com%3A6514");
    walk.call("log-drain", "Delete", &by_url, Value::Null).await;
}

async fn source_and_build(walk: &mut Walk, app: &str) {
    walk.call("source", "Create - Deprecated", &format!("/apps/{app}/sources"), Value::Null).await;
    let source = walk.call("source", "Create", "/sources", Value::Null).await;
    let put = source["source_blob"]["put_url"].as_str().unwrap_or_default().to_owned();
    walk.world.upload(&put, b"a tarball").await;
    let blob = json!({"url": source["source_blob"]["get_url"], "version": "v1"});
    let create = json!({
        "source_blob": {"url": source["source_blob"]["get_url"], "version": "v1"},
        "app": {"region": "local", "stack": "kigo-13"},
        "overrides": {"env": {"FOO": "bar"}, "buildpacks": [{"url": "heroku/nodejs"}]},
    });
    let setup = walk.call("app-setup", "Create", "/app-setups", create).await;
    walk.call("app-setup", "Info", &path("/app-setups/", &setup, "id"), Value::Null).await;

    let builds = format!("/apps/{app}/builds");
    let create = json!({"source_blob": blob, "buildpacks": [{"name": "heroku/nodejs"}]});
    let build = walk.call("build", "Create", &builds, create).await;
    walk.call("build", "List", &builds, Value::Null).await;
    let one = path(&format!("{builds}/"), &build, "id");
    walk.call("build", "Info", &one, Value::Null).await;
    walk.call("build", "Cancel", &one, Value::Null).await;
    walk.call("build", "Delete cache", &format!("/apps/{app}/build-cache"), Value::Null).await;
}

async fn slugs_and_releases(walk: &mut Walk, app: &str) {
    let at = |rest: &str| format!("/apps/{app}/{rest}");
    let create = json!({"process_types": {"web": "serve", "worker": "work"}, "commit": "0123abc"});
    let slug = walk.call("slug", "Create", &at("slugs"), create).await;
    walk.world.upload(slug["blob"]["url"].as_str().unwrap_or_default(), b"a slug").await;
    walk.call("slug", "Info", &path(&at("slugs/"), &slug, "id"), Value::Null).await;

    let create = json!({"slug": slug["id"], "description": "Deploy 0123abc"});
    let release = walk.call("release", "Create", &at("releases"), create).await;
    walk.call("release", "List", &at("releases"), Value::Null).await;
    walk.call("release", "Info", &path(&at("releases/"), &release, "version"), Value::Null).await;
    let vars = format!("{}/config-vars", path(&at("releases/"), &release, "id"));
    walk.call("config-var", "Info for App Release", &vars, Value::Null).await;
    walk.world.request("PATCH", &at("config-vars"), json!({"A": "3"})).await;
    walk.call("release", "Rollback", &at("releases"), json!({"release": release["id"]})).await;
}

async fn formation_and_dynos(walk: &mut Walk, app: &str) {
    let at = |rest: &str| format!("/apps/{app}/{rest}");
    let updates = json!({"updates": [{"type": "web", "quantity": "+1", "size": "standard-1x"}]});
    walk.call("formation", "Batch Update", &at("formation"), updates).await;
    walk.call("formation", "List", &at("formation"), Value::Null).await;
    walk.call("formation", "Info", &at("formation/web"), Value::Null).await;
    walk.call("formation", "Update", &at("formation/worker"), json!({"quantity": 1})).await;

    let create = json!({"command": "bash", "attach": true, "env": {"TERM": "xterm", "COLUMNS": 80}});
    let dyno = walk.call("dyno", "Create", &at("dynos"), create).await;
    let url = dyno["attach_url"].as_str().unwrap_or_default();
    assert!(url.starts_with("rendezvous://"), "an attached dyno has an address: {dyno}");
    walk.call("dyno", "List", &at("dynos"), Value::Null).await;
    let one = path(&at("dynos/"), &dyno, "name");
    walk.call("dyno", "Info", &one, Value::Null).await;
    walk.call("dyno", "Stop", &format!("{one}/actions/stop"), Value::Null).await;
    walk.call("dyno", "Stop formation", &at("formations/web/actions/stop"), Value::Null).await;
    walk.call("dyno", "Restart formation", &at("formations/web"), Value::Null).await;
    walk.call("dyno", "Restart", &one, Value::Null).await;
    walk.call("dyno", "Restart all", &at("dynos"), Value::Null).await;
}

async fn marketplace(walk: &mut Walk) {
    let service = "/addon-services/heroku-postgresql";
    walk.call("add-on-service", "List", "/addon-services", Value::Null).await;
    walk.call("add-on-service", "Info", service, Value::Null).await;
    let plans = walk.call("plan", "List By Add-on", &format!("{service}/plans"), Value::Null).await;
    let id = path("", &plans[0], "id");
    walk.call("plan", "Info By Add-on", &format!("{service}/plans/{id}"), Value::Null).await;
    walk.call("plan", "Info", &path("/plans/", &plans[0], "name"), Value::Null).await;
    let capability = "add-on-region-capability";
    walk.call(capability, "List", "/addon-region-capabilities", Value::Null).await;
    let of_service = format!("{service}/region-capabilities");
    walk.call(capability, "List by Add-on Service", &of_service, Value::Null).await;
    walk.call(capability, "List By Region", "/regions/local/addon-region-capabilities", Value::Null).await;
}

async fn addons(walk: &mut Walk, app: &str) {
    let at = |rest: &str| format!("/apps/{app}/{rest}");
    provision_all(&walk.world.ops);
    let create = json!({"plan": {"name": "heroku-postgresql:mini"}, "attachment": {}, "config": {}});
    let addon = walk.call("add-on", "Create", &at("addons"), create).await;
    assert_eq!((&addon["state"], &addon["config_vars"]), (&json!("provisioned"), &json!(["DATABASE_URL"])));
    walk.call("add-on", "List", "/addons", Value::Null).await;
    walk.call("add-on", "List By App", &at("addons"), Value::Null).await;
    walk.call("add-on", "List By User", "/users/~/addons", Value::Null).await;
    walk.call("add-on", "Info", &path("/addons/", &addon, "name"), Value::Null).await;
    walk.call("add-on", "Info By App", &at("addons/DATABASE"), Value::Null).await;
    let resolve = json!({"addon": "DATABASE_URL", "app": app, "addon_service": "heroku-postgresql"});
    walk.call("add-on", "Resolution", "/actions/addons/resolve", resolve).await;
    let update = json!({"plan": "heroku-postgresql:essential-1", "name": "acme-primary"});
    walk.call("add-on", "Update", &path(&at("addons/"), &addon, "id"), update).await;

    let create = json!({"addon": "acme-primary", "app": app, "name": "REPORTING"});
    let attachment = walk.call("add-on-attachment", "Create", "/addon-attachments", create).await;
    let one = path("/addon-attachments/", &attachment, "id");
    walk.call("add-on-attachment", "List", "/addon-attachments", Value::Null).await;
    walk.call("add-on-attachment", "List by App", &at("addon-attachments"), Value::Null).await;
    let of_addon = "/addons/acme-primary/addon-attachments";
    walk.call("add-on-attachment", "List by Add-on", of_addon, Value::Null).await;
    walk.call("add-on-attachment", "Info", &one, Value::Null).await;
    walk.call("add-on-attachment", "Info by App", &at("addon-attachments/REPORTING"), Value::Null).await;
    let resolve = json!({"addon_attachment": "REPORTING", "app": app});
    walk.call("add-on-attachment", "Resolution", "/actions/addon-attachments/resolve", resolve).await;
    walk.call("add-on-attachment", "Delete", &one, Value::Null).await;
    walk.call("add-on", "Delete", &at("addons/acme-primary"), json!({"force": false})).await;

    let scheduler = walk.call("add-on", "Create", &at("addons"), json!({"plan": "scheduler"})).await;
    let sso = format!("{}/sso", path("/addons/", &scheduler, "id"));
    walk.call("add-on-sso", "Add-on SSO", &sso, Value::Null).await;
    walk.call("add-on-sso", "Add-on SSO by App", &at("addons/SCHEDULER/sso"), Value::Null).await;
}

/// A partner's service, an add-on of it, and a token for that.
async fn partners(walk: &mut Walk, app: &str) -> (String, String) {
    let manifest = json!({
        "id": "memo",
        "api": {
            "config_vars": ["MEMO_URL"], "password": "geheim-1234", "sso_salt": "salz-1234", "version": "3",
            "requires": ["syslog_drain"],
            "production": { "base_url": "https://memo.test/r", "sso_url": "https://memo.test/sso" },
        },
    });
    let body = json!({ "manifest": manifest.to_string() });
    let secret = path("", &walk.world.request("POST", "/partners", body).await.body, "client_secret");
    let create = json!({ "plan": "memo" });
    let ops = walk.world.ops.clone();
    // In the place of the partner, while the request waits for its answer.
    let answered = tokio::spawn(async move {
        loop {
            let list = store::resources::list(&mut ops.store().read().await.unwrap()).await.unwrap();
            if let Some(one) = list.first() {
                let config = Some([("URL".to_owned(), "memo://1".to_owned())].into());
                let given = addons::partner::Given {
                    id: Some("r1".into()),
                    config,
                    log_drain_url: Some("https://memo.test/logs".into()),
                    later: true,
                    ..Default::default()
                };
                ops::partners::ordered(&ops, one.addon, given).await.unwrap().unwrap();
                return (one.addon, ops::partners::grant(&ops, one.addon).await.unwrap().code);
            }
            tokio::task::yield_now().await;
        }
    });
    let made = walk.call("add-on", "Create", &format!("/apps/{app}/addons"), create).await;
    let (_, code) = answered.await.unwrap();
    let body =
        json!({ "grant_type": "authorization_code", "code": code, "client_secret": secret }).to_string();
    let kind = [("content-type", "application/json")];
    let token = path("", &walk.world.send("POST", "/oauth/token", &kind, &body).await.body, "access_token");
    let addon = path("", &made, "id");
    let at = |rest: &str| format!("/addons/{addon}/{rest}");
    walk.call_as(&token, "add-on-action", "Provision", &at("actions/provision"), Value::Null).await;
    walk.call_as(&token, "add-on-config", "List", &at("config"), Value::Null).await;
    let update = json!({ "config": [{ "name": "MEMO_URL", "value": "memo://2" }] });
    walk.call_as(&token, "add-on-config", "Update", &at("config"), update).await;
    let drains = walk.call_as(&token, "log-drain", "List By Add-on", &at("log-drains"), Value::Null).await;
    let drain = path(&at("log-drains/"), &drains[0], "token");
    walk.call_as(&token, "log-drain", "Update", &drain, json!({ "url": "https://memo.test/2" })).await;
    walk.call("add-on-sso", "Add-on SSO", &at("sso"), Value::Null).await;
    let of_app = format!("/apps/{app}/addons/{addon}/sso");
    walk.call("add-on-sso", "Add-on SSO by App", &of_app, Value::Null).await;

    let other = walk.world.create_app().await;
    let ops = walk.world.ops.clone();
    let admin = ops::authorizations::authenticate(&ops, &walk.world.token).await.unwrap();
    let create = ops::addons::Create { plan: "memo".into(), ..Default::default() };
    let second = ops::addons::create(&ops, &admin, &other, create).await.unwrap();
    let code = ops::partners::grant(&ops, second.addon.id).await.unwrap().code;
    let body =
        json!({ "grant_type": "authorization_code", "code": code, "client_secret": secret }).to_string();
    let other = path("", &walk.world.send("POST", "/oauth/token", &kind, &body).await.body, "access_token");
    let one = format!("/addons/{}/actions/deprovision", second.addon.id);
    walk.call_as(&other, "add-on-action", "Deprovision", &one, Value::Null).await;
    (addon, token)
}

/// Webhooks of an app or of an add-on, something that happens, and what is told of it.
async fn webhooks(walk: &mut Walk, token: &str, app: &str, kind: &str, at: &str) {
    let (webhook, delivery, event) =
        (format!("{kind}-webhook"), format!("{kind}-webhook-delivery"), format!("{kind}-webhook-event"));
    let create = json!({ "include": ["api:app"], "level": "notify", "url": "https://example.com/hooks" });
    let made = walk.call_as(token, &webhook, "Create", &format!("{at}/webhooks"), create).await;
    let one = path(&format!("{at}/webhooks/"), &made, "id");
    walk.call_as(token, &webhook, "List", &format!("{at}/webhooks"), Value::Null).await;
    walk.call_as(token, &webhook, "Info", &one, Value::Null).await;
    walk.call_as(token, &webhook, "Update", &one, json!({ "level": "sync" })).await;

    let id = walk.world.app_id(app).await;
    let on =
        walk.world.request("GET", &format!("/apps/{app}"), Value::Null).await.body["maintenance"] == true;
    walk.world.request("PATCH", &format!("/apps/{app}"), json!({ "maintenance": !on })).await;
    let seen = api::snapshot(&walk.world.ops, &api::Config::default(), id).await.unwrap();
    assert!(ops::webhooks::observed(&walk.world.ops, id, &seen).await.unwrap() > 0);

    for (definition, list) in [(&delivery, "webhook-deliveries"), (&event, "webhook-events")] {
        let list = format!("{at}/{list}");
        let all = walk.call_as(token, definition, "List", &list, Value::Null).await;
        let one = path(&format!("{list}/"), &all[0], "id");
        walk.call_as(token, definition, "Info", &one, Value::Null).await;
    }
    walk.call_as(token, &webhook, "Delete", &one, Value::Null).await;
}

/// What the loop that makes add-ons says in the end, without what it does.
fn provision_all(ops: &ops::Ops) {
    let ops = ops.clone();
    let mut changes = ops.store().changes();
    tokio::spawn(async move {
        while changes.changed().await.is_ok() {
            let addons = store::addons::list(&mut ops.store().read().await.unwrap()).await.unwrap();
            // Partners make theirs.
            for addon in addons.iter().filter(|addon| addon.service != "memo") {
                ops::addons::provisioned(&ops, addon.id).await.unwrap();
            }
        }
    });
}

async fn logs(walk: &mut Walk, app: &str) {
    let create = json!({"lines": 10, "tail": false, "dyno": "web.1", "source": "app"});
    walk.call("log-session", "Create", &format!("/apps/{app}/log-sessions"), create).await;
}

/// `prefix` and a property of `value`, text or number.
fn path(prefix: &str, value: &Value, property: &str) -> String {
    match &value[property] {
        Value::String(text) => format!("{prefix}{text}"),
        other => format!("{prefix}{other}"),
    }
}
