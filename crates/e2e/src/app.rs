//! One app of a test: its checkout, its name, its address.

use crate::{Output, Server, server, until};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// An app that was made with the official CLI, and the git checkout it is pushed from.
pub struct App<'a> {
    pub server: &'a Server,
    pub name: String,
    pub checkout: PathBuf,
}

/// What a web request was answered with.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: String,
}

impl<'a> App<'a> {
    /// `git init`, `heroku create NAME`: an app with nothing in it.
    pub fn create(server: &'a Server, name: &str) -> Result<Self> {
        let checkout = server.folder(name);
        fs::create_dir_all(&checkout)?;
        let app = Self { server, name: name.to_owned(), checkout };
        app.git(&["init", "--quiet", "--initial-branch=main"])?.ok()?;
        app.heroku(&["create", name])?.ok()?;
        Ok(app)
    }

    /// A created app with a copy of an example's files, committed.
    pub fn example(server: &'a Server, name: &str, example: &str) -> Result<Self> {
        let app = Self::create(server, name)?;
        let files = server::workspace().join("examples").join(example);
        Output::of(Command::new("cp").args(["-r", "-T"]).arg(files).arg(&app.checkout))?.ok()?;
        app.commit("first")?;
        Ok(app)
    }

    /// A created Node.js app without dependencies: `web` answers with `text` and the dyno's name.
    pub fn tiny(server: &'a Server, name: &str, text: &str) -> Result<Self> {
        let app = Self::create(server, name)?;
        app.write(
            "package.json",
            r#"{"name":"tiny","version":"1.0.0","private":true,"scripts":{"start":"node web.js"}}"#,
        )?;
        app.write(
            "package-lock.json",
            r#"{"name":"tiny","version":"1.0.0","lockfileVersion":3,"requires":true,"packages":{"":{"name":"tiny","version":"1.0.0"}}}"#,
        )?;
        app.write_web(text)?;
        app.write("Procfile", "web: node web.js\n")?;
        app.commit("first")?;
        Ok(app)
    }

    /// Writes the tiny app's program so that it answers with `text`.
    pub fn write_web(&self, text: &str) -> Result<()> {
        self.write(
            "web.js",
            &format!(
                "const http = require('http');
const server = http.createServer((req, res) => {{
  if (req.url === '/exit') process.exit(3);
  if (req.url === '/where') {{
    const all = Object.values(require('os').networkInterfaces()).flat();
    const address = all.find((one) => one.family === 'IPv4' && !one.internal).address;
    return res.end(JSON.stringify({{ address, port: process.env.PORT }}));
  }}
  if (req.url === '/print') console.log('printed ' + req.headers['x-word']);
  if (req.method === 'POST') {{
    let n = 0;
    req.on('data', (part) => n += part.length);
    req.on('end', () => res.end('got ' + n + ' in {text}'));
    return;
  }}
  res.end('{text} from ' + process.env.DYNO + ' ' + JSON.stringify(process.env.WORD || null));
}});
server.keepAliveTimeout = 95000;
server.listen(process.env.PORT, () => console.log('listening'));
process.on('SIGTERM', () => server.close(() => process.exit(0)));
"
            ),
        )
    }

    /// Writes a file of the checkout.
    pub fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.checkout.join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Commits everything.
    pub fn commit(&self, message: &str) -> Result<()> {
        self.git(&["add", "--all"])?.ok()?;
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message])?.ok()?;
        Ok(())
    }

    /// The commit that is checked out.
    pub fn head(&self) -> Result<String> {
        Ok(self.git(&["rev-parse", "HEAD"])?.ok()?.stdout.trim().to_owned())
    }

    /// Runs git in the checkout.
    pub fn git(&self, words: &[&str]) -> Result<Output> {
        Output::of(
            Command::new("git").args(words).current_dir(&self.checkout).envs(self.server.client_env()?),
        )
    }

    /// `git push heroku main`.
    pub fn push(&self) -> Result<Output> {
        self.git(&["push", "heroku", "main"])
    }

    /// Runs the official CLI in the checkout, so that it finds the app by the git remote.
    pub fn heroku(&self, words: &[&str]) -> Result<Output> {
        Output::of(self.server.heroku_command(words)?.current_dir(&self.checkout))
    }

    /// A request to the app through the router.
    pub fn request(&self, method: &str, path: &str) -> Result<reqwest::RequestBuilder> {
        Ok(reqwest::Client::new()
            .request(method.parse()?, format!("http://{}{path}", self.server.router))
            .timeout(Duration::from_secs(90))
            .header("Host", format!("{}.localhost", self.name)))
    }

    /// GETs a page of the app.
    pub async fn get(&self, path: &str) -> Result<Answer> {
        Answer::of(self.request("GET", path)?.send().await?).await
    }

    /// Asks until the app answers with these words.
    pub async fn answers(&self, words: &str) -> Result<Answer> {
        until(&format!("{} to answer {words:?}", self.name), async || match self.get("/").await {
            Ok(answer) if answer.body.contains(words) => Ok(answer),
            Ok(answer) => Err(format!("{} {}", answer.status, answer.body)),
            Err(error) => Err(format!("{error:#}")),
        })
        .await
    }

    /// The dynos as the API tells them: `(name, state, release version)`, in name order.
    pub async fn dynos(&self) -> Result<Vec<(String, String, u64)>> {
        let (status, body) = self.server.api("GET", &format!("/apps/{}/dynos", self.name), None).await?;
        if status != 200 {
            bail!("listing dynos: {status} {body}");
        }
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let mut dynos: Vec<_> = body
            .as_array()
            .context("dynos are no list")?
            .iter()
            .map(|dyno| {
                (text(&dyno["name"]), text(&dyno["state"]), dyno["release"]["version"].as_u64().unwrap_or(0))
            })
            .collect();
        dynos.sort();
        Ok(dynos)
    }

    /// Waits until exactly these dynos are there and up.
    pub async fn up(&self, names: &[&str]) -> Result<()> {
        until(&format!("{names:?} to be up"), async || {
            let dynos = self.dynos().await.map_err(|error| format!("{error:#}"))?;
            let all_up = dynos.iter().all(|(_, state, _)| state == "up");
            let same = dynos.iter().map(|(name, ..)| name.as_str()).eq(names.iter().copied());
            if all_up && same { Ok(()) } else { Err(format!("{dynos:?}")) }
        })
        .await
    }

    /// Waits until the app's log, as the official CLI prints it, has these words.
    pub async fn logs_say(&self, words: &str) -> Result<String> {
        until(&format!("the log of {} to say {words:?}", self.name), async || {
            let printed = self.heroku(&["logs", "--num", "1500"]).map_err(|error| format!("{error:#}"))?;
            if printed.stdout.contains(words) { Ok(printed.stdout) } else { Err(printed.all()) }
        })
        .await
    }
}

impl Answer {
    /// Reads an answer to its end.
    pub async fn of(answer: reqwest::Response) -> Result<Self> {
        Ok(Self {
            status: answer.status().as_u16(),
            headers: answer.headers().clone(),
            body: answer.text().await?,
        })
    }
}

/// A file of the checkout, for tests that look at it.
pub fn path_in(app: &App<'_>, name: &str) -> PathBuf {
    Path::new(&app.checkout).join(name)
}
