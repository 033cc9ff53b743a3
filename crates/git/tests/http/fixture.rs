//! The endpoint on a port of its own, its backend's script, and working copies that push to it.

use async_trait::async_trait;
use bytes::Bytes;
use domain::{AccountId, AppId, AppName, BuildId};
use git::{Backend, BackendError, Config, Known, NewBuild, Progress, Pusher, Target};
use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::{mpsc, oneshot};

pub(crate) const TOKEN: &str = "right-token";
/// Nothing here takes that long unless it hangs.
const DEADLINE: Duration = Duration::from_mins(1);

/// A build that the backend was asked for, with the files of its source.
pub(crate) struct Started {
    pub(crate) build: NewBuild,
    pub(crate) files: HashMap<String, String>,
    /// What it does, step by step; dropping it ends the stream.
    pub(crate) steps: mpsc::Sender<Progress>,
}

#[derive(Default)]
struct Script {
    live: Option<String>,
    building: Option<(String, BuildId)>,
    refuse: Option<String>,
    close: Option<String>,
    outputs: HashMap<BuildId, mpsc::Receiver<Progress>>,
    sizes: Vec<u64>,
}

pub(crate) struct FakeBackend {
    app: AppId,
    script: Mutex<Script>,
    started: mpsc::UnboundedSender<Started>,
}

#[async_trait]
impl Backend for FakeBackend {
    async fn authenticate(&self, token: &str) -> Result<Pusher, BackendError> {
        if token != TOKEN {
            return Err(BackendError::Unauthenticated);
        }
        Ok(Pusher { account: AccountId::new(), email: "me@example.com".into() })
    }

    async fn app(&self, _: &Pusher, name: &AppName) -> Result<Target, BackendError> {
        if name.as_str() != "my-app" {
            return Err(BackendError::NotFound);
        }
        Ok(Target { app: self.app, name: name.clone() })
    }

    async fn ready(&self) -> Result<(), BackendError> {
        match self.script.lock().unwrap().close.clone() {
            Some(words) => Err(BackendError::Refused(words)),
            None => Ok(()),
        }
    }

    async fn known(&self, _: &Target, commit: &str) -> Result<Known, BackendError> {
        let script = self.script.lock().unwrap();
        Ok(match &script.building {
            Some((building, id)) if building == commit => Known::Building(*id),
            _ if script.live.as_deref() == Some(commit) => Known::Live,
            _ => Known::Nothing,
        })
    }

    async fn start_build(
        &self,
        build: NewBuild,
        mut source: Box<dyn AsyncRead + Send + Unpin>,
    ) -> Result<BuildId, BackendError> {
        if let Some(words) = self.script.lock().unwrap().refuse.clone() {
            return Err(BackendError::Refused(words));
        }
        let mut archive = Vec::new();
        source.read_to_end(&mut archive).await.map_err(|error| BackendError::Internal(Box::new(error)))?;
        let mut files = HashMap::new();
        for entry in tar::Archive::new(archive.as_slice()).entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut content = String::new();
            entry.read_to_string(&mut content).unwrap();
            files.insert(entry.path().unwrap().display().to_string(), content);
        }
        let id = BuildId::new();
        let (steps, output) = mpsc::channel(100);
        self.script.lock().unwrap().outputs.insert(id, output);
        let _ = self.started.send(Started { build, files, steps });
        Ok(id)
    }

    async fn follow(&self, build: BuildId) -> Result<mpsc::Receiver<Progress>, BackendError> {
        self.script.lock().unwrap().outputs.remove(&build).ok_or(BackendError::NotFound)
    }

    async fn repository_changed(&self, _: &Target, size: u64) {
        self.script.lock().unwrap().sizes.push(size);
    }
}

pub(crate) struct Server {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) address: std::net::SocketAddr,
    backend: Arc<FakeBackend>,
    started: mpsc::UnboundedReceiver<Started>,
    stop: Option<oneshot::Sender<()>>,
    running: Option<tokio::task::JoinHandle<()>>,
}

/// The hook's program, which cargo builds beside the tests.
fn hook_program() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    tests.parent().unwrap().parent().unwrap().join("examples/git-hook")
}

impl Server {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        // Longer than what fits into the address of a Unix socket.
        let data = dir.path().join("data with a 'quote' and ".to_owned() + &"x".repeat(100));
        let mut config = Config::new(data, vec![hook_program().into()]);
        change(&mut config);
        let (sender, started) = mpsc::unbounded_channel();
        let backend = Arc::new(FakeBackend { app: AppId::new(), script: Mutex::default(), started: sender });
        let bound = config.bind(backend.clone()).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = bound.router();
        tokio::spawn(async move { axum::serve(listener, router).await });
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(bound.run(async {
            let _ = stopped.await;
        }));
        Self { dir, address, backend, started, stop: Some(stop), running: Some(running) }
    }

    pub(crate) fn url(&self, user: &str, app: &str) -> String {
        format!("http://{user}@{}/{app}.git", self.address)
    }

    /// A working copy with one commit on `main`.
    pub(crate) async fn work(&self, name: &str) -> Work {
        let work = Work { path: self.dir.path().join(name) };
        std::fs::create_dir(&work.path).unwrap();
        work.git(&["init", "--quiet", "--initial-branch=main"]).await.ok();
        work.git(&["remote", "add", "kigo", &self.url(&format!("any:{TOKEN}"), "my-app")]).await.ok();
        work.commit("Procfile", "web: a").await;
        work
    }

    /// Waits for a build to be asked for.
    pub(crate) async fn build(&mut self) -> Started {
        tokio::time::timeout(DEADLINE, self.started.recv()).await.expect("no build began").unwrap()
    }

    /// No build was asked for that nobody took.
    pub(crate) fn assert_no_build(&mut self) {
        assert!(self.started.try_recv().is_err(), "a build began");
    }

    pub(crate) fn set_live(&self, commit: &str) {
        self.backend.script.lock().unwrap().live = Some(commit.into());
    }

    /// Pretends that a build of `commit` goes on.
    pub(crate) fn set_building(&self, commit: &str) -> mpsc::Sender<Progress> {
        let (steps, output) = mpsc::channel(100);
        let id = BuildId::new();
        let mut script = self.backend.script.lock().unwrap();
        script.building = Some((commit.into(), id));
        script.outputs.insert(id, output);
        steps
    }

    pub(crate) fn refuse(&self, words: &str) {
        self.backend.script.lock().unwrap().refuse = Some(words.into());
    }

    /// Takes no pushes from now on.
    pub(crate) fn close(&self, words: &str) {
        self.backend.script.lock().unwrap().close = Some(words.into());
    }

    /// The repository on the server.
    pub(crate) fn repository(&self) -> PathBuf {
        let data = std::fs::read_dir(self.dir.path()).unwrap().map(|entry| entry.unwrap().path());
        let data = data.into_iter().find(|path| path.join("git").is_dir()).unwrap();
        data.join("git").join(format!("{}.git", self.backend.app))
    }

    /// What a ref of the server's is, `None` when it does not exist.
    pub(crate) async fn remote_ref(&self, name: &str) -> Option<String> {
        let mut command = tokio::process::Command::new("git");
        command.arg("--git-dir").arg(self.repository()).args(["rev-parse", "--verify", "--quiet", name]);
        let output = command.output().await.unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap().trim().to_owned())
    }

    /// Waits until the last push has wholly ended, `count` of them since the start.
    pub(crate) async fn settled(&self, count: usize) {
        wait_until("the pushes have not ended", || self.backend.script.lock().unwrap().sizes.len() >= count)
            .await;
    }

    /// Begins to stop the server, and gives what to wait for.
    pub(crate) fn stop(&mut self) -> tokio::task::JoinHandle<()> {
        self.stop.take().unwrap().send(()).unwrap();
        self.running.take().unwrap()
    }
}

/// Polls for an event, with a deadline.
pub(crate) async fn wait_until(why: &str, condition: impl Fn() -> bool) {
    let wait = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(DEADLINE, wait).await.expect(why);
}

impl Started {
    pub(crate) async fn step(&self, step: Progress) {
        self.steps.send(step).await.unwrap();
    }

    pub(crate) async fn print(&self, text: &'static str) {
        self.step(Progress::Output(Bytes::from_static(text.as_bytes()))).await;
    }

    pub(crate) async fn succeed(self) {
        self.step(Progress::Built { succeeded: true }).await;
    }
}

/// A working copy.
pub(crate) struct Work {
    pub(crate) path: PathBuf,
}

/// What a git command did.
pub(crate) struct Outcome(Output);

impl Outcome {
    pub(crate) fn words(&self) -> String {
        // Sideband pads its lines to overwrite progress.
        let text = String::from_utf8_lossy(&self.0.stderr).into_owned();
        text.replace("\x1b[K", "").lines().map(|line| line.trim_end().to_owned() + "\n").collect()
    }

    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert!(self.0.status.success(), "{}", self.words());
        self.words()
    }

    #[track_caller]
    pub(crate) fn fails(self) -> String {
        assert!(!self.0.status.success(), "{}", self.words());
        self.words()
    }

    /// The lines of the server alone.
    pub(crate) fn remote(words: &str) -> String {
        let line = |line: &str| {
            line.strip_prefix("remote:").map(|line| line.strip_prefix(' ').unwrap_or(line).to_owned())
        };
        words.lines().filter_map(line).flat_map(|line| [line, "\n".to_owned()]).collect()
    }
}

impl Work {
    pub(crate) fn command(&self, arguments: &[&str]) -> tokio::process::Command {
        command_in(&self.path, arguments)
    }

    pub(crate) async fn git(&self, arguments: &[&str]) -> Outcome {
        git_in(&self.path, arguments).await
    }

    /// Starts a command whose end is awaited later.
    pub(crate) fn begin(&self, arguments: &[&str]) -> tokio::task::JoinHandle<Outcome> {
        let (path, arguments) = (self.path.clone(), arguments.iter().map(ToString::to_string));
        let arguments: Vec<String> = arguments.collect();
        tokio::spawn(async move {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            git_in(&path, &arguments).await
        })
    }

    pub(crate) fn push(&self) -> tokio::task::JoinHandle<Outcome> {
        self.begin(&["push", "kigo", "main"])
    }

    /// Writes a file and commits it; the commit's id.
    pub(crate) async fn commit(&self, file: &str, content: &str) -> String {
        let path = self.path.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
        self.git(&["add", "--all"]).await.ok();
        self.git(&["commit", "--quiet", "--message", &format!("Write {file}\n\nBody.")]).await.ok();
        self.head().await
    }

    pub(crate) async fn head(&self) -> String {
        let output = self.git(&["rev-parse", "HEAD"]).await.0;
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

pub(crate) async fn git_in(path: &Path, arguments: &[&str]) -> Outcome {
    let output = command_in(path, arguments).output();
    Outcome(tokio::time::timeout(DEADLINE, output).await.expect("git hangs").unwrap())
}

fn command_in(path: &Path, arguments: &[&str]) -> tokio::process::Command {
    let mut command = tokio::process::Command::new("git");
    command.args(["-c", "user.name=Me", "-c", "user.email=me@example.com", "-c", "commit.gpgSign=false"]);
    command.args(["-c", "credential.helper=", "-c", "protocol.file.allow=always"]);
    command.args(arguments).current_dir(path).kill_on_drop(true);
    command.envs([("GIT_TERMINAL_PROMPT", "0"), ("GIT_ASKPASS", "/bin/false"), ("LC_ALL", "C")]);
    command.envs([
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("HOME", "/nonexistent"),
    ]);
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "http_proxy", "HTTP_PROXY", "all_proxy"] {
        command.env_remove(name);
    }
    command
}
