//! One platform: a `kigo server` process with its own data directory, ports and network.

use crate::network::Network;
use crate::{Output, leftovers, until};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

/// The administrator of every test platform.
pub const EMAIL: &str = "admin@example.com";
pub const PASSWORD: &str = "correct horse battery staple";
pub const TOKEN: &str = "KIGO-0123456789abcdef0123456789abcdef";

/// A running platform. Dropping it stops the server, removes its dynos and its data.
pub struct Server {
    root: PathBuf,
    network: Network,
    settings: BTreeMap<String, String>,
    process: Mutex<Option<Child>>,
    pub api_url: String,
    pub router: String,
    purged: bool,
}

impl Server {
    /// Starts a platform with the prepared stack and waits until it is ready. `settings` are
    /// further `KIGO_*` variables.
    pub async fn start(name: &str, settings: &[(&str, &str)]) -> Result<Self> {
        let seed = seed()?;
        let root = PathBuf::from(format!("/var/tmp/kigo-e2e-{}-{name}", std::process::id()));
        let data = root.join("data");
        fs::create_dir_all(root.join("home"))?;
        fs::create_dir_all(&data)?;
        for part in ["blobs", "layers", "stacks"] {
            // Hard links: the images are read-only, and copying them would take most of the time.
            Output::of(Command::new("cp").arg("-al").arg(seed.join(part)).arg(&data))?.ok()?;
        }
        let network = Network::claim()?;
        let [api, router, rendezvous] = network.ports();
        let mut all: BTreeMap<String, String> = [
            ("KIGO_DATA_DIR", data.display().to_string()),
            ("KIGO_API_LISTEN", format!("127.0.0.1:{api}")),
            ("KIGO_ROUTER_LISTEN", format!("127.0.0.1:{router}")),
            ("KIGO_RENDEZVOUS_LISTEN", format!("127.0.0.1:{rendezvous}")),
            ("KIGO_SUBNET", format!("{}0.0/16", network.prefix())),
            ("KIGO_ADMIN_EMAIL", EMAIL.into()),
            ("KIGO_ADMIN_PASSWORD", PASSWORD.into()),
            ("KIGO_ADMIN_TOKEN", TOKEN.into()),
            // However old the prepared one has become.
            ("KIGO_STACK_AGE", "0".into()),
            ("RUST_LOG", "info".into()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        all.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let server = Self {
            root,
            network,
            settings: all,
            process: Mutex::new(None),
            api_url: format!("http://localhost:{api}"),
            router: format!("127.0.0.1:{router}"),
            purged: false,
        };
        server.spawn()?;
        server.ready().await?;
        Ok(server)
    }

    /// The platform's data directory.
    pub fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    /// A folder that is removed with the platform.
    pub fn folder(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// What all addresses of its containers begin with.
    pub fn network(&self) -> String {
        self.network.prefix()
    }

    /// The server's own log so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.root.join("server.log")).unwrap_or_default()
    }

    fn spawn(&self) -> Result<()> {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.root.join("server.log"))?;
        let child = Command::new(kigo()?)
            .arg("server")
            .envs(&self.settings)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("cannot start kigo server")?;
        *self.lock() = Some(child);
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Child>> {
        self.process.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Waits until `/readyz` says so.
    pub async fn ready(&self) -> Result<()> {
        let client = reqwest::Client::new();
        let outcome = until("the server to be ready", async || {
            if let Some(child) = self.lock().as_mut()
                && let Ok(Some(status)) = child.try_wait()
            {
                return Ok(Some(status));
            }
            let answer =
                client.get(format!("{}/readyz", self.api_url)).timeout(Duration::from_secs(5)).send().await;
            match answer {
                Ok(answer) if answer.status().is_success() => Ok(None),
                Ok(answer) => Err(format!("{} {}", answer.status(), answer.text().await.unwrap_or_default())),
                Err(error) => Err(error.to_string()),
            }
        })
        .await;
        match outcome {
            Ok(None) => Ok(()),
            Ok(Some(status)) => bail!("the server ended with {status}\n{}", self.log()),
            Err(error) => bail!("{error:#}\n{}", self.log()),
        }
    }

    /// Kills the server as a power cut would.
    pub fn kill(&self) -> Result<()> {
        let mut child = self.lock().take().context("the server is not running")?;
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// Kills the server and starts it again on the same data.
    pub async fn kill_and_restart(&self) -> Result<()> {
        self.kill()?;
        self.spawn()?;
        self.ready().await
    }

    /// Asks the server to end (SIGTERM) and waits for it.
    pub fn stop(&self) -> Result<()> {
        let Some(mut child) = self.lock().take() else { return Ok(()) };
        Output::of(Command::new("kill").args(["-TERM", &child.id().to_string()]))?.ok()?;
        let status = child.wait()?;
        if !status.success() {
            bail!("the server ended with {status}\n{}", self.log());
        }
        Ok(())
    }

    /// Stops a server that ended or was killed, and starts it again.
    pub async fn start_again(&self) -> Result<()> {
        self.spawn()?;
        self.ready().await
    }

    /// The server's process id.
    pub fn pid(&self) -> Result<u32> {
        Ok(self.lock().as_ref().context("the server is not running")?.id())
    }

    /// Resident memory of the server process, in bytes.
    pub fn resident(&self) -> Result<u64> {
        let pid = self.pid()?;
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).context("no VmRSS")?;
        let kib: u64 = line.split_whitespace().nth(1).context("no figure")?.parse()?;
        Ok(kib * 1024)
    }

    /// The environment that `kigo env` prints, with this platform's token and an empty home.
    pub fn client_env(&self) -> Result<BTreeMap<String, String>> {
        let printed = Output::of(Command::new(kigo()?).arg("env").envs(&self.settings))?.ok()?;
        let mut env: BTreeMap<String, String> = printed
            .stdout
            .lines()
            .filter_map(|line| line.strip_prefix("export ")?.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.trim_matches('\'').to_owned()))
            .collect();
        env.insert("HOME".into(), self.root.join("home").display().to_string());
        env.insert("HEROKU_API_KEY".into(), TOKEN.into());
        let path = std::env::var("PATH").unwrap_or_default();
        let folder = heroku()?.parent().map(|folder| folder.display().to_string()).unwrap_or_default();
        env.insert("PATH".into(), format!("{folder}:{path}"));
        env.insert("GIT_TERMINAL_PROMPT".into(), "0".into());
        for (name, value) in [
            ("GIT_AUTHOR_NAME", "Test"),
            ("GIT_AUTHOR_EMAIL", EMAIL),
            ("GIT_COMMITTER_NAME", "Test"),
            ("GIT_COMMITTER_EMAIL", EMAIL),
            ("HEROKU_SKIP_NEW_VERSION_CHECK", "true"),
            ("HEROKU_DISABLE_AUTOUPDATE", "1"),
            ("CI", "true"),
        ] {
            env.insert(name.into(), value.into());
        }
        Ok(env)
    }

    /// A command of the official CLI, ready to run.
    pub fn heroku_command(&self, words: &[&str]) -> Result<Command> {
        let mut command = Command::new(heroku()?);
        command.args(words).envs(self.client_env()?).env_remove("SSL_CERT_FILE").env_remove("SSL_CERT_DIR");
        Ok(command)
    }

    /// Runs the official CLI.
    pub fn heroku(&self, words: &[&str]) -> Result<Output> {
        Output::of(&mut self.heroku_command(words)?)
    }

    /// A command of the official CLI in a mount namespace whose `/etc/hosts` has the registry's name as
    /// the CLI makes it up: `registry.` and `HEROKU_HOST`, whatever that is.
    pub fn heroku_with_registry(&self, words: &[&str]) -> Result<Command> {
        let hosts = self.root.join("hosts");
        let known = fs::read_to_string("/etc/hosts")?;
        fs::write(&hosts, format!("{known}\n127.0.0.1 registry.{}\n", self.api_url))?;
        let script = r#"mount --bind "$0" /etc/hosts && exec "$@""#;
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", script]).arg(hosts).arg(heroku()?).args(words);
        command.envs(self.client_env()?).env_remove("SSL_CERT_FILE").env_remove("SSL_CERT_DIR");
        Ok(command)
    }

    /// A command of Kigo's own CLI, ready to run.
    pub fn kigo_command(&self, words: &[&str]) -> Result<Command> {
        let mut command = Command::new(kigo()?);
        command.args(words).envs(self.client_env()?).env("KIGO_API_KEY", TOKEN);
        Ok(command)
    }

    /// Runs Kigo's own CLI.
    pub fn kigo(&self, words: &[&str]) -> Result<Output> {
        Output::of(&mut self.kigo_command(words)?)
    }

    /// Calls the Platform API; returns the status and the body.
    pub async fn api(&self, method: &str, path: &str, body: Option<Value>) -> Result<(u16, Value)> {
        let method = method.parse::<reqwest::Method>()?;
        let mut request = reqwest::Client::new()
            .request(method, format!("{}{path}", self.api_url))
            .bearer_auth(TOKEN)
            .header("Accept", "application/vnd.heroku+json; version=3");
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        let text = answer.text().await?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }

    /// Stops the server, removes dynos and data, and fails if anything stays on the machine.
    pub fn purge(mut self) -> Result<()> {
        self.clean()?;
        leftovers::none(&self.root, &self.network.prefix())
    }

    fn clean(&mut self) -> Result<()> {
        if self.purged {
            return Ok(());
        }
        self.purged = true;
        let stopped = self.stop();
        let purged = Output::of(Command::new(kigo()?).args(["purge", "--yes"]).envs(&self.settings))?.ok();
        let removed = fs::remove_dir_all(&self.root);
        stopped?;
        purged?;
        removed.context("cannot remove the platform's folder")
    }
}

impl Drop for Server {
    #[expect(clippy::print_stderr, reason = "nobody else hears of it")]
    fn drop(&mut self) {
        if let Err(error) = self.clean() {
            eprintln!("cleaning up after the tests: {error:#}");
        }
    }
}

/// The binary under test: built beside this one, or named by `KIGO_TEST_BINARY`.
pub fn kigo() -> Result<PathBuf> {
    if let Some(named) = std::env::var_os("KIGO_TEST_BINARY") {
        return Ok(named.into());
    }
    let me = std::env::current_exe()?;
    let folder = me.ancestors().nth(2).context("the test binary lies in no folder")?;
    let kigo = folder.join("kigo");
    if !kigo.exists() {
        bail!("{} is missing; build it with `cargo build --workspace`", kigo.display());
    }
    Ok(kigo)
}

/// The official CLI, which `cargo xtask test` installs.
pub fn heroku() -> Result<PathBuf> {
    let named = std::env::var_os("KIGO_TEST_HEROKU").map(PathBuf::from);
    let usual = workspace().join("target/heroku-cli/node_modules/.bin/heroku");
    let program = named.unwrap_or(usual);
    if !program.exists() {
        bail!("the official CLI is not at {}; run the tests with `cargo xtask test`", program.display());
    }
    Ok(program)
}

/// The root of the workspace.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).map(Path::to_path_buf).unwrap_or_default()
}

/// A data directory that holds nothing but the stack's images, made once and kept in `target/`.
pub fn seed() -> Result<PathBuf> {
    static LOCK: Mutex<()> = Mutex::new(());
    let _guard = LOCK.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let seed = workspace().join("target/e2e-seed");
    fs::create_dir_all(&seed)?;
    let status = Command::new(kigo()?)
        .args(["stack", "prepare", "--data-dir"])
        .arg(&seed)
        .stdin(Stdio::null())
        .status()
        .context("cannot run kigo stack prepare")?;
    if !status.success() {
        bail!("kigo stack prepare ended with {status}");
    }
    Ok(seed)
}
