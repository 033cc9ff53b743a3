//! Log drains with the official CLI: added, fed with what the app, the router and the platform say, over HTTP
//! and over TCP, also after a kill of the server; a partner's, which it moves; removed.

use crate::run;
use anyhow::{Context, Result, ensure};
use e2e::{App, Asked, OtherSide, Reply, Server, until};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

/// Prints a number after the other, each once, whether or not a server runs.
const TICKER: &str = "let n = 0; setInterval(() => console.log('tick ' + ++n), 100);\n";

/// What an app says reaches its drains.
pub(crate) fn what_an_app_says_is_sent_on() -> Result<()> {
    run(async {
        let server = Server::start("drains", &[("KIGO_DRAIN_NETWORKS", "127.0.0.1/32")]).await?;
        let done = async {
            of_the_user(&server).await?;
            of_a_partner(&server).await
        };
        let done = done.await;
        let purged = server.purge();
        done.and(purged)
    })
}

/// The lines of all batches for a path, without lengths and times.
fn lines(side: &OtherSide, path: &str) -> Vec<String> {
    let bodies = side.asked().into_iter().filter(|one| one.path == path).map(|one| one.body);
    bodies.flat_map(|body| unframed(body.as_bytes()).0).collect()
}

/// Whole frames as `<190>1 host app web.1 - words`, and how many bytes they took.
fn unframed(bytes: &[u8]) -> (Vec<String>, usize) {
    let (mut lines, mut used) = (Vec::new(), 0);
    while let Some(space) = bytes[used..].iter().position(|byte| *byte == b' ') {
        let length = String::from_utf8_lossy(&bytes[used..used + space]).parse().unwrap_or(usize::MAX);
        let start = used + space + 1;
        let Some(frame) = start.checked_add(length).and_then(|end| bytes.get(start..end)) else { break };
        let text = String::from_utf8_lossy(frame).into_owned();
        let mut words = text.trim_end_matches('\n').splitn(3, ' ');
        let (head, _time, rest) = (words.next(), words.next(), words.next());
        lines.push(format!("{} {}", head.unwrap_or_default(), rest.unwrap_or_default()));
        used = start + length;
    }
    (lines, used)
}

async fn comes(what: &str, mut lines: impl FnMut() -> Vec<String>) -> Result<()> {
    until(&format!("a drain to get {what:?}"), async || {
        let lines = lines();
        if lines.iter().any(|line| line.contains(what)) { Ok(()) } else { Err(lines) }
    })
    .await
}

/// A receiver of syslog over TCP.
async fn syslog() -> Result<(String, Arc<Mutex<Vec<String>>>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("syslog://{}", listener.local_addr()?);
    let lines = Arc::<Mutex<Vec<String>>>::default();
    let seen = lines.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let seen = seen.clone();
            tokio::spawn(async move {
                let mut kept = Vec::new();
                while matches!(stream.read_buf(&mut kept).await, Ok(count) if count > 0) {
                    let (lines, used) = unframed(&kept);
                    seen.lock().unwrap_or_else(PoisonError::into_inner).extend(lines);
                    kept.drain(..used);
                }
            });
        }
    });
    Ok((url, lines))
}

async fn of_the_user(server: &Server) -> Result<()> {
    let side = OtherSide::start(|_| Reply::With(204, String::new())).await?;
    let (syslog_url, syslog_lines) = syslog().await?;
    let by_syslog = || syslog_lines.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let app = App::tiny(server, "piper", "hello")?;
    app.write("ticker.js", TICKER)?;
    app.write("Procfile", "web: node web.js\nticker: node ticker.js\n")?;
    app.commit("something that prints")?;
    let url = side.url().replace("http://", "http://me:geheim@") + "/in";
    let added = app.heroku(&["drains:add", &url])?.ok()?;
    added.says("Successfully added drain")?.says_not("Warning")?;
    app.heroku(&["drains:add", &syslog_url])?.ok()?;
    app.heroku(&["drains"])?.ok()?.says(&url)?.says(&syslog_url)?.says("(d.")?;

    app.push()?.ok()?;
    app.answers("hello").await?;
    let (_, list) = server.api("GET", "/apps/piper/log-drains", None).await?;
    let token = |url: &str| {
        let drains = list.as_array().map(Vec::as_slice).unwrap_or_default();
        let drain = drains.iter().find(|drain| drain["url"] == url);
        drain.and_then(|drain| drain["token"].as_str()).unwrap_or_default().to_owned()
    };
    let (http_token, syslog_token) = (token(&url), token(&syslog_url));
    for (priority, words) in [
        (190, "app web.1 - listening"),
        (158, "heroku router - at=info method=GET path=\"/\""),
        (45, "heroku web.1 - State changed from starting to up"),
        (134, "app api - Deploy"),
    ] {
        comes(&format!("<{priority}>1 host {words}"), || lines(&side, "/in")).await?;
        let words = words.replacen(" - ", " - - ", 1);
        comes(&format!("<{priority}>1 {syslog_token} {words}"), by_syslog).await?;
    }
    let first = side.asked().first().cloned().context("nothing came")?;
    ensure!(first.header("authorization") == "Basic bWU6Z2VoZWlt", "{first:?}");
    ensure!(first.header("content-type") == "application/logplex-1", "{first:?}");
    ensure!(first.header("logplex-drain-token") == http_token, "{first:?}");
    ensure!(first.header("logplex-frame-id").len() == 32, "{first:?}");
    ensure!(
        first.header("logplex-msg-count") == unframed(first.body.as_bytes()).0.len().to_string(),
        "{first:?}"
    );
    killed(server, &app, &side).await?;

    app.heroku(&["drains:remove", &url])?.ok()?.says("Successfully removed drain")?;
    app.request("GET", "/print")?.header("x-word", "afterwards").send().await?;
    comes("printed afterwards", by_syslog).await?;
    ensure!(!lines(&side, "/in").iter().any(|line| line.contains("afterwards")), "it went on");
    ensure!(!server.log().contains("geheim"), "a drain's address stands in the server's log");
    app.heroku(&["apps:destroy", "--confirm", &app.name])?.ok()?;
    Ok(())
}

/// The app prints on while there is no server; the next one sends that.
async fn killed(server: &Server, app: &App<'_>, side: &OtherSide) -> Result<()> {
    app.heroku(&["ps:scale", "ticker=1"])?.ok()?;
    let ticks = || -> BTreeSet<u64> {
        let number = |line: String| line.split("app ticker.1 - tick ").nth(1)?.parse().ok();
        lines(side, "/in").into_iter().filter_map(number).collect()
    };
    let last = || ticks().last().copied().unwrap_or_default();
    for _ in 0..3 {
        let seen = last();
        until("ticks to come", async || if last() > seen + 5 { Ok(()) } else { Err(last()) }).await?;
        server.kill()?;
        server.start_again().await?;
    }
    let seen = last();
    until("ticks to come", async || if last() > seen + 5 { Ok(()) } else { Err(last()) }).await?;
    app.heroku(&["ps:scale", "ticker=0"])?.ok()?;
    let all = ticks();
    ensure!(all.len() as u64 == last(), "of {} ticks {} came", last(), all.len());
    Ok(())
}

/// What the partner has been sent as orders.
fn order(side: &OtherSide) -> Option<Value> {
    side.asked().iter().find(|one| one.path == "/heroku/resources").map(Asked::json)
}

async fn of_a_partner(server: &Server) -> Result<()> {
    let side = OtherSide::start(|_| Reply::With(503, String::new())).await?;
    let logs = format!("{}/logs", side.url());
    side.answers(move |asked| match (asked.method.as_str(), asked.path.as_str()) {
        ("POST", "/heroku/resources") => {
            let config = json!({ "PIPES_URL": "pipes://1" });
            Reply::json(200, &json!({ "id": "p1", "config": config, "log_drain_url": logs }))
        }
        _ => Reply::With(204, String::new()),
    });
    let manifest = json!({
        "id": "pipes", "name": "Pipes", "$base": 1,
        "api": {
            "config_vars": ["PIPES_URL"], "password": "geheim-1234", "sso_salt": "salz-12345",
            "requires": ["syslog_drain"], "version": "3",
            "production": {
                "base_url": format!("{}/heroku/resources", side.url()), "sso_url": format!("{}/sso", side.url()),
            },
        },
        "plans": [{ "name": "small" }],
    });
    let file = server.folder("pipes.json");
    std::fs::write(&file, manifest.to_string())?;
    server.kigo(&["addons:register", &file.display().to_string()])?.ok()?;
    let (app, other) = (App::create(server, "piped")?, App::create(server, "unpiped")?);
    app.heroku(&["addons:create", "pipes"])?.ok()?;
    app.heroku(&["drains"])?.ok()?.says("pipes-")?;
    other.heroku(&["config:set", "OTHER=1"])?.ok()?;
    app.heroku(&["config:set", "OWN=1"])?.ok()?;
    comes("<134>1 host app api - Set OWN config vars", || lines(&side, "/logs")).await?;
    let token = order(&side).context("no order")?["log_drain_token"].as_str().unwrap_or_default().to_owned();
    let sent: Vec<_> = side.asked().into_iter().filter(|one| one.path == "/logs").collect();
    ensure!(sent.iter().all(|one| one.header("logplex-drain-token") == token), "{sent:?}");
    ensure!(!lines(&side, "/logs").iter().any(|line| line.contains("OTHER")), "another app's lines");

    let moved = reqwest::Client::new()
        .put(format!("{}/addons/p1/log-drains/{token}", server.api_url))
        .basic_auth("pipes", Some("geheim-1234"))
        .header("accept", "application/vnd.heroku+json; version=3")
        .json(&json!({ "url": format!("{}/moved", side.url()) }))
        .send()
        .await?;
    ensure!(moved.status().is_success(), "{}", moved.text().await?);
    app.heroku(&["config:set", "AGAIN=1"])?.ok()?;
    comes("Set AGAIN config vars", || lines(&side, "/moved")).await?;
    ensure!(!lines(&side, "/logs").iter().any(|line| line.contains("AGAIN")), "to the old address");

    let witness = format!("{}/witness", side.url());
    app.heroku(&["drains:add", &witness])?.ok()?;
    app.heroku(&["addons:destroy", "pipes", "--confirm", &app.name])?.ok()?;
    app.heroku(&["config:set", "LAST=1"])?.ok()?;
    comes("Set LAST config vars", || lines(&side, "/witness")).await?;
    ensure!(
        !lines(&side, "/moved").iter().any(|line| line.contains("LAST")),
        "after the add-on was destroyed"
    );
    for app in [&app, &other] {
        app.heroku(&["apps:destroy", "--confirm", &app.name])?.ok()?;
    }
    Ok(())
}
