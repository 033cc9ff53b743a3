//! Searching logs: ordered with the official CLI, searched and followed with kigo's, alerts over a kill of the
//! server, the page.

use crate::run;
use anyhow::{Context, Result, ensure};
use e2e::{App, Output, Server, until};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

fn kigo(app: &App<'_>, words: &[&str]) -> Result<Output> {
    app.server.kigo(&[words, &["--app", &app.name]].concat())
}

/// A deployed app whose log can be searched.
async fn searched<'a>(server: &'a Server, name: &str) -> Result<App<'a>> {
    let app = App::tiny(server, name, name)?;
    app.heroku(&["addons:create", "papertrail:choklad"])?.ok()?;
    app.push()?.ok()?;
    app.answers(name).await?;
    Ok(app)
}

/// Makes the app print a word.
async fn print(app: &App<'_>, word: &str) -> Result<()> {
    app.request("GET", "/print")?.header("x-word", word).send().await?.error_for_status()?;
    app.logs_say(&format!("printed {word}")).await?;
    Ok(())
}

/// From an order to lines that are found as they come.
pub(crate) fn logs_are_searched_and_followed(server: &Server) -> Result<()> {
    run(async {
        let app = searched(server, "trail").await?;
        let token = app.heroku(&["config:get", "PAPERTRAIL_API_TOKEN"])?.ok()?.stdout;
        ensure!(token.trim().len() == 20, "{token}");
        let plans = app.heroku(&["addons:plans", "papertrail"])?.ok()?.stdout;
        ensure!(plans.contains("papertrail:choklad") && plans.contains("papertrail:fixa"), "{plans}");
        let moved = app.heroku(&["addons:upgrade", "papertrail", "papertrail:fixa"])?;
        moved.ok()?;
        let info = app.heroku(&["addons:info", "PAPERTRAIL"])?.ok()?.stdout;
        ensure!(info.contains("papertrail:fixa"), "{info}");

        print(&app, "red apple").await?;
        print(&app, "green apple").await?;
        let found = kigo(&app, &["logs:search", "apple -\"red apple\" program:app/web.1"])?.ok()?.stdout;
        let lines: Vec<_> = found.lines().collect();
        ensure!(lines.len() == 1 && lines[0].ends_with("app[web.1]: printed green apple"), "{found}");
        let found = kigo(&app, &["logs:search", "(RED OR yellow) printed", "--since", "1h"])?.ok()?.stdout;
        ensure!(found.contains("printed red apple") && !found.contains("green"), "{found}");
        let found = kigo(&app, &["logs:search", "path=\"/print\" program:heroku/router"])?.ok()?.stdout;
        ensure!(found.lines().count() == 2, "{found}");
        let refused = kigo(&app, &["logs:search", "(red"])?;
        ensure!(refused.code == 1 && refused.stderr.contains("can't be read"), "{}", refused.all());

        let mut tail =
            server.kigo_command(&["logs:search", "apple", "--tail", "-n", "0", "--app", &app.name])?;
        let mut tail = tail.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let out = tail.stdout.take().context("no output")?;
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        // Again and again, because nobody tells when the tail has begun.
        let seen = until("a line to be followed", async || {
            print(&app, "late apple").await.map_err(|error| format!("{error:#}"))?;
            print(&app, "late pear").await.map_err(|error| format!("{error:#}"))?;
            receiver.try_recv().map_err(|error| error.to_string())
        })
        .await;
        tail.kill()?;
        tail.wait()?;
        ensure!(seen?.ends_with("printed late apple"));
        ensure!(receiver.iter().all(|line| line.ends_with("late apple")));

        page(&app).await?;
        app.heroku(&["addons:destroy", "papertrail", "--confirm", &app.name])?.ok()?;
        let gone = kigo(&app, &["logs:search", "apple"])?;
        ensure!(gone.code == 1 && gone.stderr.contains("can't be searched"), "{}", gone.all());
        Ok(())
    })
}

/// The page, by the link that the API gives.
async fn page(app: &App<'_>) -> Result<()> {
    let path = format!("/apps/{}/addons/papertrail-none/sso", app.name);
    ensure!(app.server.api("GET", &path, None).await?.0 == 404);
    let path = format!("/apps/{}/addons/PAPERTRAIL/sso", app.name);
    let (status, sso) = app.server.api("GET", &path, None).await?;
    ensure!(status == 200 && sso["method"] == "get", "{sso}");
    let browser = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
    let entered = browser.get(sso["action"].as_str().context("a link")?).send().await?;
    ensure!(entered.status() == 303, "{}", entered.status());
    let header = |name: &str| entered.headers().get(name).and_then(|value| value.to_str().ok());
    let cookie = header("set-cookie").and_then(|value| value.split(';').next()).context("a cookie")?;
    let page = format!("{}{}?q=green", app.server.api_url, header("location").context("a place")?);
    let page = browser.get(page).header("cookie", cookie).send().await?.text().await?;
    ensure!(page.contains("printed green apple") && !page.contains("red apple"), "{page}");
    Ok(())
}

/// What was posted.
#[derive(Clone, Default)]
struct Posts(Arc<Mutex<Vec<Value>>>);

impl Posts {
    /// Listens on loopback, for as long as the test runs.
    fn listen() -> Result<(String, Self)> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = format!("http://{}/hook", listener.local_addr()?);
        let posts = Self::default();
        let seen = posts.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if let Some(payload) = take(stream) {
                    seen.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(payload);
                }
            }
        });
        Ok((address, posts))
    }

    fn all(&self) -> Vec<Value> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    fn messages(&self) -> Vec<String> {
        let all = self.all();
        let events = all.iter().filter_map(|post| post["events"].as_array()).flatten();
        events.filter_map(|event| event["message"].as_str()).map(str::to_owned).collect()
    }
}

fn take(stream: std::net::TcpStream) -> Option<Value> {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    reader
        .into_inner()
        .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        .ok()?;
    let form = reqwest::Url::parse(&format!("http://form/?{}", String::from_utf8(body).ok()?)).ok()?;
    let payload = form.query_pairs().find(|(name, _)| name == "payload")?.1.into_owned();
    serde_json::from_str(&payload).ok()
}

/// Alerts each minute, each line in one of them, also when the server is killed in between.
pub(crate) fn alerts_are_sent_once() -> Result<()> {
    run(async {
        let server = Server::start("papertrail", &[("KIGO_ALERT_NETWORKS", "127.0.0.1/32")]).await?;
        let app = searched(&server, "alarm").await?;
        let (address, posts) = Posts::listen()?;
        print(&app, "smoke before").await?;
        let words = ["logs:searches:add", "smoke", "smoke -joke", "--every", "minute", "--webhook", &address];
        let added = kigo(&app, &words)?.ok()?;
        ensure!(
            added.stdout.contains("smoke: smoke -joke, every minute to http://127.0.0.1"),
            "{}",
            added.all()
        );
        let refused =
            kigo(&app, &["logs:searches:add", "x", "x", "--every", "hour", "--email", "a@example.com"])?;
        ensure!(refused.code == 1 && refused.stderr.contains("can't send e-mail"), "{}", refused.all());
        print(&app, "smoke one").await?;
        print(&app, "smoke joke").await?;
        print(&app, "smoke two").await?;
        server.kill_and_restart().await?;
        app.answers("alarm").await?;
        until("the alert", async || match posts.all().as_slice() {
            [] => Err("nothing was posted"),
            _ => Ok(()),
        })
        .await?;
        print(&app, "smoke three").await?;
        until("another alert", async || match posts.all().len() {
            0 | 1 => Err(posts.all()),
            _ => Ok(()),
        })
        .await?;
        let messages = posts.messages();
        let printed =
            |words: &str| messages.iter().filter(|text| text.as_str() == format!("printed {words}")).count();
        let counts = ["smoke before", "smoke joke", "smoke one", "smoke two", "smoke three"].map(printed);
        ensure!(counts == [0, 0, 1, 1, 1], "{messages:?}");
        let listed = kigo(&app, &["logs:searches", "--json"])?.ok()?.stdout;
        let listed: Vec<Value> = serde_json::from_str(&listed)?;
        ensure!(
            listed[0]["alert"]["sent_at"].is_string() && listed[0]["alert"]["failure"].is_null(),
            "{listed:?}"
        );
        kigo(&app, &["logs:searches:remove", "smoke"])?.ok()?;
        drop(app);
        server.purge()
    })
}
