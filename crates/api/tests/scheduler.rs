//! The scheduler over the API, and its page.

#![expect(clippy::unwrap_used, reason = "a test that meets an error fails there and then")]
#![expect(unreachable_pub, reason = "nothing is reachable from a test; `pub` tells what a module is for")]

mod support;

use serde_json::json;
use support::{ACCEPT, Answer, EMAIL, PASSWORD, World};

/// An app with a scheduler that is there; their names.
async fn scheduler(world: &World) -> (String, String) {
    let app = world.create_app().await;
    let made = world.request("POST", &format!("/apps/{app}/addons"), json!({ "plan": "scheduler" })).await;
    assert!(made.status.is_success(), "{made:?}");
    let id = made.body["id"].as_str().unwrap().to_owned();
    ops::addons::provisioned(&world.ops, id.parse().unwrap()).await.unwrap();
    (app, id)
}

#[tokio::test]
async fn jobs_have_an_address() {
    let world = World::new().await;
    let (app, _) = scheduler(&world).await;
    let jobs = format!("/apps/{app}/scheduler/jobs");
    let body = json!({ "command": "rake", "frequency": "daily at 4:00", "overlap": false });
    let made = world.request("POST", &jobs, body).await;
    assert_eq!((made.status.as_u16(), &made.body["frequency"]), (201, &json!("daily at 04:00")), "{made:?}");
    assert_eq!((&made.body["size"], &made.body["last_run"]), (&json!(null), &json!(null)));
    assert!(made.body["next_run"].as_str().unwrap().ends_with("T04:00:00Z"), "{made:?}");
    let job = format!("{jobs}/{}", made.body["id"].as_str().unwrap());
    let changed = world.request("PATCH", &job, json!({ "size": "basic" })).await;
    assert_eq!((&changed.body["size"], &changed.body["overlap"]), (&json!("Basic"), &json!(false)));
    assert_eq!(world.request("GET", &job, json!(null)).await.body["command"], "rake");
    let refused = world.request("POST", &format!("{job}/actions/run"), json!({})).await;
    assert_eq!((refused.status.as_u16(), &refused.body["id"]), (422, &json!("invalid_params")));
    assert_eq!(
        world.request("GET", &format!("/apps/{app}/scheduler/runs"), json!(null)).await.body,
        json!([])
    );
    assert_eq!(world.request("GET", &format!("{job}/runs"), json!(null)).await.body, json!([]));
    assert_eq!(world.request("POST", &jobs, json!({ "command": "x" })).await.status.as_u16(), 422);
    assert_eq!(world.request("DELETE", &job, json!({})).await.status.as_u16(), 200);
    assert_eq!(world.request("GET", &jobs, json!(null)).await.body, json!([]));
}

/// Sends a form as a browser does.
async fn send(world: &World, path: &str, cookie: &str, form: &[(&str, &str)]) -> Answer {
    let mut body = url::form_urlencoded::Serializer::new(String::new());
    body.extend_pairs(form);
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("cookie", cookie)];
    world.send("POST", path, &headers, &body.finish()).await
}

async fn get(world: &World, path: &str, cookie: &str) -> String {
    let answer = world.send("GET", path, &[("cookie", cookie)], "").await;
    String::from_utf8(answer.bytes.to_vec()).unwrap()
}

/// Follows the link that the API gives; the page's path and the cookie.
async fn enter(world: &World, addon: &str) -> (String, String) {
    let sso = world.request("GET", &format!("/addons/{addon}/sso"), json!(null)).await;
    assert_eq!((sso.status.as_u16(), &sso.body["method"]), (200, &json!("get")), "{sso:?}");
    let link = World::path_of(sso.body["action"].as_str().unwrap());
    let entered = world.send("GET", &link, &[], "").await;
    assert_eq!(entered.status.as_u16(), 303);
    let cookie = entered.header("set-cookie");
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    assert!(cookie.contains(&format!("Path=/addon-pages/{addon};")), "{cookie}");
    (entered.header("location").to_owned(), cookie.split(';').next().unwrap().to_owned())
}

/// The word that a page's forms carry.
fn word(page: &str) -> String {
    let (_, rest) = page.split_once("name=\"form\" value=\"").unwrap();
    rest.split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn the_page_lists_adds_edits_and_removes() {
    let world = World::new().await;
    let (app, addon) = scheduler(&world).await;
    let (path, cookie) = enter(&world, &addon).await;
    let page = get(&world, &path, &cookie).await;
    assert!(page.contains(&format!("Scheduler of {app}")) && page.contains("no jobs yet"), "{page}");
    let form = word(&page);
    let set = |command: &'static str, frequency: &'static str| {
        vec![("action", "set"), ("command", command), ("frequency", frequency), ("no_overlap", "on")]
    };
    let mut fields = set("rake <tidy>", "hourly at :20");
    fields.push(("form", &form));
    assert_eq!(send(&world, &path, &cookie, &fields).await.status.as_u16(), 303);
    let page = get(&world, &path, &cookie).await;
    assert!(page.contains("rake &lt;tidy&gt;") && page.contains("hourly at :20</td>"), "{page}");
    assert!(page.contains("Remove rake &lt;tidy&gt;"), "buttons have names: {page}");

    let jobs = world.request("GET", &format!("/apps/{app}/scheduler/jobs"), json!(null)).await;
    assert_eq!((&jobs.body[0]["command"], &jobs.body[0]["overlap"]), (&json!("rake <tidy>"), &json!(false)));
    let id = jobs.body[0]["id"].as_str().unwrap();
    let editor = get(&world, &format!("{path}?edit={id}"), &cookie).await;
    assert!(editor.contains("Edit a job") && editor.contains("value=\"hourly at :20\""), "{editor}");
    // What is refused stays in the form.
    let mut fields = set("rake", "at noon");
    fields.extend([("form", form.as_str()), ("job", id)]);
    let refused = send(&world, &path, &cookie, &fields).await;
    let text = String::from_utf8_lossy(&refused.bytes).into_owned();
    assert_eq!(refused.status.as_u16(), 422);
    assert!(text.contains("role=\"alert\"") && text.contains("value=\"at noon\""), "{text}");
    let refused = send(&world, &path, &cookie, &[("action", "run"), ("job", id), ("form", &form)]).await;
    assert!(String::from_utf8_lossy(&refused.bytes).contains("has no code to run"), "{refused:?}");
    let removed = send(&world, &path, &cookie, &[("action", "remove"), ("job", id), ("form", &form)]).await;
    assert_eq!(removed.status.as_u16(), 303);
    assert!(get(&world, &path, &cookie).await.contains("no jobs yet"));
}

#[tokio::test]
async fn the_page_is_safe_from_others() {
    let world = World::new().await;
    let (_, addon) = scheduler(&world).await;
    let (other_app, other) = scheduler(&world).await;
    let (path, cookie) = enter(&world, &addon).await;
    let (other_path, other_cookie) = enter(&world, &other).await;
    let shown = world.send("GET", &path, &[("cookie", &cookie)], "").await;
    let policy = shown.header("content-security-policy");
    for words in ["default-src 'none'", "frame-ancestors 'none'", "form-action 'self'"] {
        assert!(policy.contains(words), "{policy}");
    }
    assert_eq!(shown.header("cache-control"), "no-store");
    let form = word(&String::from_utf8_lossy(&shown.bytes));
    let other_form = word(&get(&world, &other_path, &other_cookie).await);
    let fields =
        |form: &'static str| [("action", "set"), ("command", "x"), ("frequency", "@daily"), ("form", form)];
    // Neither without the page's word nor with that of another one.
    let leaked: &'static str = other_form.clone().leak();
    for word in ["", "x", leaked] {
        assert_eq!(send(&world, &path, &cookie, &fields(word)).await.status.as_u16(), 403, "{word}");
    }
    // A session is good for one add-on.
    assert!(get(&world, &other_path, &cookie).await.contains("Log in to Kigo"));
    assert_eq!(send(&world, &other_path, &cookie, &fields(leaked)).await.status.as_u16(), 401);
    let own: &'static str = form.leak();
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("cookie", cookie.as_str()),
        ("sec-fetch-site", "cross-site"),
    ];
    let body = format!("action=set&command=x&frequency=@daily&form={own}");
    assert_eq!(world.send("POST", &path, &headers, &body).await.status.as_u16(), 403);
    assert_eq!(world.send("POST", &path, &headers[..2], &body).await.status.as_u16(), 303, "the control");
    let jobs = world.request("GET", &format!("/apps/{other_app}/scheduler/jobs"), json!(null)).await;
    assert_eq!(jobs.body, json!([]));
    // Who may not work on the app gets neither link nor page.
    let (email, token) = world.other_login().await;
    let bearer = format!("Bearer {token}");
    let headers = [("accept", ACCEPT), ("authorization", bearer.as_str())];
    let sso = world.send("GET", &format!("/addons/{addon}/sso"), &headers, "").await;
    assert_eq!(sso.status.as_u16(), 404, "{sso:?}");
    let login = |email: &'static str| [("action", "login"), ("email", email), ("password", PASSWORD)];
    let refused = send(&world, &path, "", &login(email.leak())).await;
    assert_eq!((refused.status.as_u16(), refused.header("set-cookie")), (404, ""));
    let entered = send(&world, &path, "", &login(EMAIL)).await;
    assert_eq!(entered.status.as_u16(), 303, "the control");
}

#[tokio::test]
async fn the_page_s_address_is_where_the_cli_looks() {
    let world = World::new().await;
    let (app, addon) = scheduler(&world).await;
    let info = world.request("GET", &format!("/apps/{app}/addons/{addon}"), json!(null)).await;
    let url = info.body["web_url"].as_str().unwrap();
    assert!(url.ends_with(&format!("/addon-pages/{addon}")), "{url}");
    let attached =
        world.request("GET", &format!("/apps/{app}/addon-attachments/SCHEDULER"), json!(null)).await;
    assert_eq!(attached.body["web_url"], url);
    let body = json!({ "plan": "heroku-redis:mini" });
    let made = world.request("POST", &format!("/apps/{app}/addons"), body).await;
    assert_eq!(made.body["web_url"], json!(null));
    let id = made.body["id"].as_str().unwrap();
    let sso = world.request("GET", &format!("/addons/{id}/sso"), json!(null)).await;
    assert_eq!(sso.status.as_u16(), 422, "{sso:?}");
    // A scope that may not run commands lets nobody in.
    let body = json!({ "scope": ["read"] });
    let reader = world.request("POST", "/oauth/authorizations", body).await;
    let bearer = format!("Bearer {}", reader.body["access_token"]["token"].as_str().unwrap());
    let headers = [("accept", ACCEPT), ("authorization", bearer.as_str())];
    let refused = world.send("GET", &format!("/apps/{app}/addons/{addon}/sso"), &headers, "").await;
    assert_eq!(refused.status.as_u16(), 403, "{refused:?}");
}
