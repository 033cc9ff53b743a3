//! Add-ons with the official CLI: ordered, used by an app, shared, promoted, given up.

use crate::{catalog, run};
use anyhow::{Context, Result, ensure};
use e2e::{App, Server, until};

/// Counts visits in both, a number in PostgreSQL and the same in the key-value store, and prints them.
const PROGRAM: &str = r#"
import http.server, os, psycopg, redis

def visit():
    with psycopg.connect(os.environ["DATABASE_URL"]) as database:
        database.execute("CREATE TABLE IF NOT EXISTS visits (at timestamptz DEFAULT now())")
        database.execute("INSERT INTO visits DEFAULT VALUES")
        rows = database.execute("SELECT count(*) FROM visits").fetchone()[0]
    store = redis.from_url(os.environ["REDIS_URL"], ssl_cert_reqs=None)
    text = f"rows {rows} hits {store.incr('hits')}"
    print("visited:", text, flush=True)
    return text

class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        try:
            status, text = 200, visit()
        except Exception as error:
            status, text = 500, repr(error)
        self.send_response(status)
        self.end_headers()
        self.wfile.write(text.encode())

http.server.ThreadingHTTPServer(("", int(os.environ["PORT"])), Page).serve_forever()
"#;

/// What a manifest says of such an app.
const APP_JSON: &str =
    r#"{"name": "shelf", "addons": ["heroku-postgresql:mini", "heroku-redis:mini", "papertrail:choklad"]}"#;

/// From an order to a page that uses all of them, and back.
pub(crate) fn postgres_and_redis(server: &Server) -> Result<()> {
    run(async {
        let app = App::create(server, "shelf")?;
        let made = app.heroku(&["addons:create", "heroku-postgresql:mini"])?.ok()?;
        let made = made.all();
        ensure!(made.contains("DATABASE_URL") || made.contains("in the background"), "{made}");
        app.heroku(&["addons:create", "heroku-redis:mini", "--name", "shelf-keys"])?.ok()?;
        app.heroku(&["addons:create", "papertrail:choklad"])?.ok()?;
        app.heroku(&["addons:wait"])?.ok()?;
        app.write("app.json", APP_JSON)?;
        app.write("app.py", PROGRAM)?;
        app.write("requirements.txt", "psycopg[binary]==3.2.9\nredis==6.4.0\n")?;
        app.write(".python-version", "3.13\n")?;
        app.write("Procfile", "web: python app.py\n")?;
        app.commit("uses both")?;
        app.push()?.ok()?;
        app.answers("rows 1 hits 1").await?;
        app.answers("rows 2 hits 2").await?;
        app.logs_say("visited: rows 2 hits 2").await?;
        let words = ["logs:search", "\"rows 2\" program:app/web.1", "--app", &app.name];
        let found = server.kigo(&words)?.ok()?.stdout;
        ensure!(found.contains("visited: rows 2 hits 2") && !found.contains("rows 1"), "{found}");

        let config = app.heroku(&["config"])?.ok()?.stdout;
        ensure!(config.contains("DATABASE_URL:") && config.contains("postgres://u"), "{config}");
        ensure!(config.contains("REDIS_URL:") && config.contains("rediss://:p"), "{config}");
        let refused = app.heroku(&["config:set", "DATABASE_URL=mine"])?;
        ensure!(
            refused.stderr.contains("Cannot overwrite attachment values DATABASE_URL"),
            "{}",
            refused.all()
        );

        let list = app.heroku(&["addons"])?.ok()?.stdout;
        for words in
            ["heroku-postgresql", "essential-0", "DATABASE", "shelf-keys", "REDIS", "papertrail", "created"]
        {
            ensure!(list.contains(words), "no {words:?} in {list}");
        }
        let info = app.heroku(&["addons:info", "REDIS"])?.ok()?.stdout;
        ensure!(info.contains("heroku-redis:mini") && info.contains("$3/month"), "{info}");
        let rows = app.heroku(&["pg:psql", "--command", "SELECT count(*) FROM visits"])?.ok()?.stdout;
        ensure!(rows.lines().any(|line| line.trim() == "2"), "{rows}");

        let log = app
            .logs_say("app[heroku-redis]: source=REDIS addon=shelf-keys sample#active-connections=")
            .await?;
        ensure!(log.contains("app[redis.") && log.contains("Ready to accept connections"), "{log}");
        let log = app.logs_say("app[heroku-postgresql]: source=DATABASE addon=").await?;
        ensure!(log.contains("sample#db_size=") && !log.contains("app[postgres."), "{log}");
        let query = "psql \"$DATABASE_URL\" --command 'SELECT count(*) FROM visits'";
        let words = ["addons:tunnel", "DATABASE_URL", "--app", &app.name, "--", "sh", "-c", query];
        let rows = server.kigo(&words)?.ok()?.stdout;
        ensure!(rows.lines().any(|line| line.trim() == "2"), "{rows}");

        shared(server, &app).await?;
        given_up(server, &app).await
    })
}

/// Another app is attached, and one that is not does not get through.
async fn shared(server: &Server, app: &App<'_>) -> Result<()> {
    let other = App::tiny(server, "shelf-reader", "reader")?;
    other.push()?.ok()?;
    other.answers("reader").await?;
    let url = app.heroku(&["config:get", "REDIS_URL"])?.ok()?.stdout;
    let place = url.trim().rsplit_once('@').context("no host")?.1.to_owned();
    let (host, port) = place.split_once(':').context("no port")?;
    let knock = format!("timeout 3 bash -c '</dev/tcp/{host}/{port}' && echo open || echo shut");
    let before = other.heroku(&["run", "--no-tty", &knock])?.all();
    ensure!(before.contains("shut"), "a stranger gets through: {before}");
    other.heroku(&["addons:attach", "shelf-keys", "--as", "SHARED"])?.ok()?;
    let after = other.heroku(&["run", "--no-tty", &knock])?.all();
    ensure!(after.contains("open"), "who is attached does not get through: {after}");
    let env = other.heroku(&["run", "--no-tty", "echo $SHARED_URL"])?.all();
    ensure!(env.contains(&place), "{env}");

    let refused = app.heroku(&["addons:destroy", "shelf-keys", "--confirm", &app.name])?;
    ensure!(refused.code != 0 && refused.all().contains("shelf-reader"), "{}", refused.all());
    other.heroku(&["addons:detach", "SHARED"])?.ok()?;
    let gone = other.heroku(&["config"])?.ok()?.stdout;
    ensure!(!gone.contains("SHARED_URL"), "{gone}");
    Ok(())
}

/// Nothing is left of what is destroyed.
async fn given_up(server: &Server, app: &App<'_>) -> Result<()> {
    let url = app.heroku(&["config:get", "REDIS_URL"])?.ok()?.stdout;
    let volume = catalog::volume("valkey-server", catalog::host(&url)?)?;
    ensure!(volume.exists(), "{}", volume.display());
    app.heroku(&["addons:destroy", "shelf-keys", "--confirm", &app.name])?.ok()?;
    let config = app.heroku(&["config"])?.ok()?.stdout;
    ensure!(!config.contains("REDIS_URL"), "{config}");
    until(
        "the volume to be gone",
        async || {
            if volume.exists() { Err(volume.display().to_string()) } else { Ok(()) }
        },
    )
    .await?;
    let database = app.heroku(&["addons:info", "DATABASE"])?.ok()?.stdout;
    let named = database.split_whitespace().find(|word| word.starts_with("postgresql-"));
    let named = named.with_context(|| database.clone())?.to_owned();
    app.heroku(&["apps:destroy", "--confirm", &app.name])?.ok()?;
    let list = server.heroku_command(&["addons", "--all"])?.output()?;
    let list = String::from_utf8_lossy(&list.stdout).into_owned();
    ensure!(!list.contains(&named), "{list}");
    Ok(())
}
