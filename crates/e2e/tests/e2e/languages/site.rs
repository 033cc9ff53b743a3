//! Static sites: nginx, with and without a static.json.

use super::{first_push, refused};
use crate::run;
use anyhow::{Result, ensure};
use e2e::app::Answer;
use e2e::{App, Server};

/// A path of the app, without following redirects.
async fn asked(app: &App<'_>, path: &str) -> Result<Answer> {
    Answer::of(request(app, path)?.send().await?).await
}

fn request(app: &App<'_>, path: &str) -> Result<reqwest::RequestBuilder> {
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
    let (_, request) = app.request("GET", path)?.build_split();
    Ok(reqwest::RequestBuilder::from_parts(client, request?))
}

fn header<'a>(answer: &'a Answer, name: &str) -> &'a str {
    answer.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// A site with a static.json, and then with what needs config vars and passwords.
pub(crate) fn described(server: &Server) -> Result<()> {
    run(async {
        let app = first_push(server, "static-site")?;
        let home = app.answers("Hello from nginx").await?;
        ensure!(header(&home, "x-frame-options") == "DENY", "{home:?}");
        for (path, status, words) in [
            ("/about", 200, "About this site"),
            ("/about.html", 200, "About this site"),
            ("/app/any/thing", 200, "reads the path itself"),
            ("/nothing", 404, "There is nothing here"),
            ("/nothing.html", 404, "There is nothing here"),
        ] {
            let answer = asked(&app, path).await?;
            ensure!(answer.status == status && answer.body.contains(words), "{path}: {answer:?}");
        }
        let style = asked(&app, "/assets/style.css").await?;
        ensure!(header(&style, "cache-control") == "public, max-age=31536000", "{style:?}");
        ensure!(header(&style, "x-frame-options").is_empty(), "{style:?}");
        let old = asked(&app, "/old/").await?;
        ensure!(old.status == 302 && header(&old, "location").ends_with("/about"), "{old:?}");
        app.logs_say("static.json mentions ${ELSEWHERE}, which is not set").await?;
        app.logs_say("GET /app/any/thing HTTP/1.1").await?;

        app.heroku(&["config:set", "ELSEWHERE=https://b.example/\"x\\", "BASIC_AUTH_USERNAME=me"])?.ok()?;
        // Of `secret`.
        app.heroku(&["config:set", "BASIC_AUTH_PASSWORD=$apr1$gZCXi8ZP$UI/Tv7iXMUSeuO5CFO6q00"])?.ok()?;
        app.write(
            "static.json",
            r#"{
                "root": "public",
                "redirects": { "/elsewhere": { "url": "${ELSEWHERE}/here" } },
                "proxies": { "/api/": { "origin": "http://127.0.0.1:${PORT}/assets" } }
            }"#,
        )?;
        app.commit("passwords")?;
        app.push()?.ok()?;
        // The one before it asks for the password as well: what only the new one has tells.
        e2e::until("the new site to serve", async || {
            let style = request(&app, "/api/style.css").map_err(|error| format!("{error:#}"))?;
            let answer = style.basic_auth("me", Some("secret")).send().await;
            match Answer::of(answer.map_err(|error| error.to_string())?).await {
                Ok(answer) if answer.status == 200 && answer.body.contains("sans-serif") => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await?;
        let stranger = asked(&app, "/").await?;
        ensure!(stranger.status == 401, "{stranger:?}");
        let away = request(&app, "/elsewhere")?.basic_auth("me", Some("secret"));
        let away = Answer::of(away.send().await?).await?;
        ensure!(header(&away, "location") == "https://b.example/\"x\\/here", "{away:?}");
        Ok(())
    })
}

/// Files in the root of the repository, and nothing else.
pub(crate) fn plain(server: &Server) -> Result<()> {
    run(async {
        let app = App::create(server, "plain-site")?;
        app.write("index.html", "<p>Hello, plainly</p>")?;
        app.write("docs/index.html", "<p>Documents</p>")?;
        app.write("app.json", "{}")?;
        app.commit("plain")?;
        super::snapshot("site-plain", &app.push()?.ok()?);
        app.answers("Hello, plainly").await?;
        let docs = asked(&app, "/docs").await?;
        ensure!(docs.status == 301 && header(&docs, "location") == "/docs/", "{docs:?}");
        for path in ["/.heroku/static/nginx.conf", "/bin/boot", "/app.json"] {
            ensure!(asked(&app, path).await?.status == 404, "{path} is shown");
        }
        app.heroku(&["run", "--no-tty", "--exit-code", "nginx -v"])?.ok()?.says("nginx/1.26")?;
        Ok(())
    })
}

/// What a user can get wrong.
pub(crate) fn mistakes(server: &Server) -> Result<()> {
    refused(
        server,
        "site",
        &[
            ("not-json", &[("static.json", "{ \"root\": \"public\", }")]),
            ("no-root", &[("static.json", "{ \"root\": \"dist/\" }"), ("index.html", "")]),
            (
                "bad-setting",
                &[("static.json", r#"{ "redirects": { "/a": { "url": "/b", "status": 200 } } }"#)],
            ),
        ],
    )
}
