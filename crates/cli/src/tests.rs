//! Commands as a user types them, against a stand-in for the API.

mod backups;
mod buildpacks;
mod ci;
mod containers;
mod scheduler;

use crate::settings::Settings;
use crate::{Ending, grammar, run_words};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream};
use tokio::net::TcpListener;

const ID: &str = "01234567-89ab-4def-8123-456789abcdef";
const TIME: &str = "2026-01-01T00:00:00Z";

/// Answers to `METHOD /path`; everything else is not found. Keeps the requests with their bodies.
struct Api {
    settings: Settings,
    requests: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Api {
    async fn start(answers: &[(&str, Value)]) -> Self {
        let answers: HashMap<String, Value> =
            answers.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::<Mutex<Vec<(String, Value)>>>::default();
        let seen = requests.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (answers, seen) = (answers.clone(), seen.clone());
                tokio::spawn(async move { serve(BufStream::new(stream), &answers, &seen).await });
            }
        });
        let variables = HashMap::from([("KIGO_API_URL", url.as_str()), ("KIGO_API_KEY", "token")]);
        let settings = Settings::from_variables(|name| variables.get(name).map(|value| (*value).to_owned()));
        Self { settings, requests }
    }

    /// Runs words that must succeed; gives standard output and standard error.
    async fn ok(&self, words: &[&str]) -> (String, String) {
        let (outcome, out, err) = run_words(words, self.settings.clone()).await;
        assert_eq!(outcome, Ok(Ending::Done), "{words:?}: {err}");
        (out, err)
    }

    /// Runs words that must fail; gives standard error.
    async fn fails(&self, words: &[&str]) -> String {
        let (outcome, _, err) = run_words(words, self.settings.clone()).await;
        outcome.expect_err("it fails") + &err
    }

    /// The body that was sent to `METHOD /path`, newest first.
    fn sent(&self, key: &str) -> Value {
        let requests = self.requests.lock().unwrap();
        requests.iter().rev().find(|(seen, _)| seen == key).expect("it was called").1.clone()
    }

    fn was_called(&self, key: &str) -> bool {
        self.requests.lock().unwrap().iter().any(|(seen, _)| seen == key)
    }
}

async fn serve(
    mut stream: BufStream<tokio::net::TcpStream>,
    answers: &HashMap<String, Value>,
    seen: &Mutex<Vec<(String, Value)>>,
) {
    loop {
        let (mut first, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                return;
            }
            if line == "\r\n" {
                break;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
                length = value.trim().parse().unwrap();
            }
            if first.is_empty() {
                first = line;
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.unwrap();
        let key = first.rsplit_once(" HTTP").unwrap().0.to_owned();
        seen.lock().unwrap().push((key.clone(), serde_json::from_slice(&body).unwrap_or(Value::Null)));
        let (status, body) = match answers.get(&key) {
            Some(answer) => (200, answer.clone()),
            None => {
                (404, json!({ "id": "not_found", "message": "Couldn't find that app.", "resource": "app" }))
            }
        };
        let body = body.to_string();
        // What a registry answers to HEAD is in a header.
        let digest = answers.get(&key).and_then(Value::as_str);
        let digest = digest.map(|digest| format!("Docker-Content-Digest: {digest}\r\n")).unwrap_or_default();
        let head = format!(
            "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n{digest}Content-Length: {}\r\n\r\n",
            body.len()
        );
        let body = if key.starts_with("HEAD ") { String::new() } else { body };
        let _ = stream.write_all((head + &body).as_bytes()).await;
        let _ = stream.flush().await;
    }
}

fn named(name: &str) -> Value {
    json!({ "id": ID, "name": name })
}

fn user() -> Value {
    json!({ "id": ID, "email": "me@example.com" })
}

fn app(name: &str) -> Value {
    json!({
        "id": ID, "name": name, "acm": false, "archived_at": null, "base_image_name": null,
        "build_stack": named("kigo-13"), "buildpack_provided_description": null, "buildpacks": null,
        "current_build_architecture": [], "created_at": TIME, "generation": "cedar",
        "git_url": format!("https://git.test/{name}.git"), "internal_routing": null, "maintenance": true,
        "owner": user(), "organization": null, "team": null, "region": named("home"), "released_at": null,
        "repo_size": 2048, "slug_size": null, "space": null, "stack": named("kigo-13"), "updated_at": TIME,
        "web_url": format!("http://{name}.localhost:8080/"),
    })
}

fn dyno(name: &str, state: &str, command: &str) -> Value {
    json!({
        "id": ID, "app": named("my-app"), "attach_url": null, "command": command, "name": name,
        "release": { "id": ID, "version": 3 }, "size": "Basic", "state": state,
        "type": name.split('.').next(), "created_at": TIME, "updated_at": TIME,
    })
}

fn release(version: u32, eligible: bool, current: bool, status: &str) -> Value {
    json!({
        "id": format!("01234567-89ab-4def-8123-4567{version:08}"), "addon_plan_names": [], "app": named("my-app"),
        "artifacts": [], "current": current, "description": format!("Deploy {version}"),
        "eligible_for_rollback": eligible, "oci_image": null, "output_stream_url": null, "slug": null,
        "status": status, "user": user(), "version": version, "created_at": TIME, "updated_at": TIME,
    })
}

fn formation(process_type: &str, quantity: u32) -> Value {
    json!({
        "id": ID, "app": named("my-app"), "command": "x", "dyno_size": named("Basic"), "quantity": quantity,
        "size": "Basic", "type": process_type, "created_at": TIME, "updated_at": TIME,
    })
}

fn buildpack(ordinal: u32, name: &str) -> Value {
    json!({ "ordinal": ordinal, "buildpack": { "url": name, "name": name } })
}

#[test]
fn the_grammar_holds_together() {
    grammar().debug_assert();
    let names: HashSet<_> = crate::commands::NAMES.iter().collect();
    assert_eq!(names.len(), crate::commands::NAMES.len(), "no name twice");
    for command in grammar().get_subcommands().filter(|command| !command.is_hide_set()) {
        assert!(command.get_about().is_some(), "{} says what it is for", command.get_name());
    }
}

#[tokio::test]
async fn both_spellings_do_the_same() {
    let api = Api::start(&[
        ("PATCH /apps/my-app/config-vars", json!({ "A": "1", "B": "x=y", "OLD": "kept" })),
        ("GET /apps/my-app/releases", json!([release(7, true, true, "succeeded")])),
    ])
    .await;
    for words in [
        &["config:set", "A=1", "B=x=y", "-a", "my-app"][..],
        &["config", "set", "--app", "my-app", "A=1", "B=x=y"],
    ] {
        let (out, err) = api.ok(words).await;
        assert_eq!(out, "A: 1\nB: x=y\n");
        assert_eq!(err, "Setting A, B and restarting ⬢ my-app... done, v7\n");
        assert_eq!(api.sent("PATCH /apps/my-app/config-vars"), json!({ "A": "1", "B": "x=y" }));
    }
    api.ok(&["config", "unset", "A", "-a", "my-app"]).await;
    assert_eq!(api.sent("PATCH /apps/my-app/config-vars"), json!({ "A": null }));
    assert!(
        api.fails(&["config:set", "A", "-a", "my-app"]).await.contains("A is not of the form KEY=value.")
    );
}

#[tokio::test]
async fn config_is_shown_for_people_shells_and_programs() {
    let api = Api::start(&[("GET /apps/my-app/config-vars", json!({ "A": "it's", "LONG_NAME": "v" }))]).await;
    let show = async |extra: &[&str]| api.ok(&[&["config", "-a", "my-app"], extra].concat()).await.0;
    assert_eq!(show(&[]).await, "=== my-app Config Vars\n\nA:         it's\nLONG_NAME: v\n");
    assert_eq!(show(&["--shell"]).await, "A='it'\\''s'\nLONG_NAME=v\n");
    assert_eq!(serde_json::from_str::<Value>(&show(&["--json"]).await).unwrap()["A"], "it's");
    assert_eq!(api.ok(&["config:get", "LONG_NAME", "-a", "my-app"]).await.0, "v\n");
    let (missing, out, _) = run_words(&["config:get", "NONE", "-a", "my-app"], api.settings.clone()).await;
    assert_eq!((missing, out.as_str()), (Ok(Ending::Status(1)), ""));
}

#[tokio::test]
async fn refusals_say_what_the_server_said() {
    let api = Api::start(&[]).await;
    let error = api.fails(&["ps:scale", "web=1", "-a", "no-such-app"]).await;
    assert!(error.contains("›   Error: Couldn't find that app.\n ›   Error ID: not_found\n"), "{error}");
    assert!(error.contains("Scaling dynos... !\n"), "{error}");
    let nameless = api.fails(&["ps"]).await;
    assert!(nameless.contains("--app"), "{nameless}");
    let mut stranger = api.settings.clone();
    stranger.token = None;
    let (outcome, ..) = run_words(&["whoami"], stranger).await;
    assert!(outcome.unwrap_err().contains("Run kigo login"));
    assert!(api.fails(&["frobnicate"]).await.contains("unrecognized subcommand"));
}

#[tokio::test]
async fn ps_lists_one_offs_first_and_dynos_in_order() {
    let dynos = json!([
        dyno("web.10", "up", "node web.js"),
        dyno("web.2", "crashed", "node web.js"),
        dyno("run.1234", "up", "bash"),
        dyno("worker.1", "starting", "node worker.js"),
    ]);
    let api = Api::start(&[("GET /apps/my-app/dynos", dynos)]).await;
    let (out, _) = api.ok(&["ps", "-a", "my-app"]).await;
    let lines: Vec<&str> = out.lines().filter(|line| !line.is_empty()).collect();
    let starts = [
        "=== run: one-off processes (1)",
        "run.1234 (Basic): up 20",
        "=== web (Basic): node web.js (2)",
        "web.2: crashed 20",
        "web.10: up 20",
        "=== worker (Basic): node worker.js (1)",
        "worker.1: starting 20",
    ];
    assert_eq!(lines.len(), starts.len(), "{out}");
    for (line, start) in lines.iter().zip(starts) {
        assert!(line.starts_with(start), "{line} begins with {start}");
    }
    assert!(lines[1].ends_with(": bash"));
    let (json, _) = api.ok(&["ps", "worker", "--json", "-a", "my-app"]).await;
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap()[0]["name"], "worker.1");
}

#[tokio::test]
async fn scaling_sends_what_was_typed() {
    let all = json!([formation("web", 2), formation("worker", 0)]);
    let api =
        Api::start(&[("PATCH /apps/my-app/formation", all.clone()), ("GET /apps/my-app/formation", all)])
            .await;
    let (_, err) = api.ok(&["ps:scale", "web+1", "-a", "my-app"]).await;
    assert_eq!(err, "Scaling dynos... done, now running web at 2:Basic\n");
    let sent = json!({ "updates": [{ "type": "web", "quantity": "+1" }] });
    assert_eq!(api.sent("PATCH /apps/my-app/formation"), sent);
    assert_eq!(api.ok(&["ps:scale", "-a", "my-app"]).await.0, "web=2:Basic worker=0:Basic\n");
    api.ok(&["ps:type", "standard-1x", "-a", "my-app"]).await;
    let sent = json!({ "updates": [{ "type": "web", "size": "standard-1x" }, { "type": "worker", "size": "standard-1x" }] });
    assert_eq!(api.sent("PATCH /apps/my-app/formation"), sent);
}

#[tokio::test]
async fn restart_and_stop_tell_dynos_from_process_types() {
    let api = Api::start(&[
        ("DELETE /apps/my-app/dynos", json!({})),
        ("DELETE /apps/my-app/dynos/web.1", json!({})),
        ("DELETE /apps/my-app/formations/web", json!({})),
        ("POST /apps/my-app/dynos/run.1234/actions/stop", json!({})),
        ("POST /apps/my-app/formations/worker/actions/stop", json!({})),
    ])
    .await;
    for words in
        ["restart", "ps:restart web.1", "ps restart web", "ps:stop run.1234", "ps:stop --process-type worker"]
    {
        let words: Vec<&str> = words.split(' ').chain(["-a", "my-app"]).collect();
        let (_, err) = api.ok(&words).await;
        assert!(err.ends_with("... done\n"), "{err}");
    }
    assert_eq!(api.requests.lock().unwrap().len(), 5);
}

#[tokio::test]
async fn rollback_goes_to_the_release_before_the_current_one() {
    let releases = json!([
        release(6, false, false, "failed"),
        release(5, true, true, "succeeded"),
        release(4, true, false, "succeeded"),
    ]);
    let api = Api::start(&[
        ("GET /apps/my-app/releases", releases),
        ("POST /apps/my-app/releases", release(7, true, true, "succeeded")),
    ])
    .await;
    let (_, err) = api.ok(&["rollback", "-a", "my-app"]).await;
    assert!(err.starts_with("Rolling back ⬢ my-app to v4... done, v7\n"), "{err}");
    assert_eq!(api.sent("POST /apps/my-app/releases")["release"], "01234567-89ab-4def-8123-456700000004");
    let (out, _) = api.ok(&["releases", "-a", "my-app"]).await;
    assert!(
        out.starts_with("=== my-app Releases - Current: v5\n\nv6  Deploy 6 release command failed  me@"),
        "{out}"
    );
}

#[tokio::test]
async fn nothing_is_destroyed_without_its_name() {
    let api =
        Api::start(&[("GET /apps/my-app", app("my-app")), ("DELETE /apps/my-app", app("my-app"))]).await;
    let error = api.fails(&["destroy", "-a", "my-app", "--confirm", "other"]).await;
    assert!(error.contains("did not match my-app. Aborted."), "{error}");
    assert!(!api.was_called("DELETE /apps/my-app"));
    api.ok(&["apps:destroy", "my-app", "--confirm", "my-app"]).await;
    assert!(api.was_called("DELETE /apps/my-app"));
}

#[tokio::test]
async fn an_app_folder_names_its_app() {
    let directory = tempfile::tempdir().unwrap();
    let folder = |path: &Path| Some(path.to_owned());
    crate::git::git(Some(directory.path()), &["init", "-q"]).unwrap();
    let mut api = Api::start(&[
        ("POST /apps", app("my-app")),
        ("GET /apps/my-app", app("my-app")),
        ("PATCH /apps/my-app", app("renamed")),
    ])
    .await;
    api.settings.directory = folder(directory.path());
    api.settings.git_host = "git.test".into();
    let (out, err) = api.ok(&["create", "my-app"]).await;
    assert_eq!(err, "Creating ⬢ my-app... done, ⬢ my-app\n");
    assert!(out.ends_with("http://my-app.localhost:8080/ | https://git.test/my-app.git\n"), "{out}");
    assert_eq!(api.sent("POST /apps"), json!({ "name": "my-app" }));
    assert_eq!(api.ok(&["maintenance"]).await.0, "on\n");
    api.ok(&["rename", "renamed"]).await;
    let url = crate::git::git(Some(directory.path()), &["remote", "get-url", "heroku"]).unwrap();
    assert_eq!(url.trim(), "https://git.test/renamed.git");
    let helper = ["config", "--get", "credential.https://git.test.helper"];
    assert_eq!(crate::git::git(Some(directory.path()), &helper).unwrap().trim(), "!kigo git:credentials");
}

#[tokio::test]
async fn a_one_off_gets_its_command_as_one_line() {
    let api = Api::start(&[("POST /apps/my-app/dynos", dyno("run.1234", "starting", "ls"))]).await;
    let words = ["run:detached", "-a", "my-app", "-e", "A=1;B=2", "--", "ls", "-l", "my dir"];
    let (_, err) = api.ok(&words).await;
    assert_eq!(err, "Running ls -l 'my dir' on ⬢ my-app... done, run.1234\n");
    let sent = json!({ "command": "ls -l 'my dir'", "attach": false, "env": { "A": "1", "B": "2" } });
    assert_eq!(api.sent("POST /apps/my-app/dynos"), sent);
    api.ok(&["run", "detached", "echo $HOME | wc", "-a", "my-app"]).await;
    assert_eq!(api.sent("POST /apps/my-app/dynos")["command"], "echo $HOME | wc");
}

#[tokio::test]
async fn completions_know_the_commands() {
    let api = Api::start(&[]).await;
    for shell in ["bash", "zsh", "fish"] {
        let (script, _) = api.ok(&["completions", shell]).await;
        assert!(
            script.contains("config:set")
                || script.contains("config__set")
                || script.contains("config\\:set")
        );
    }
}
