//! A machine for tests: a directory of containers, a control group of its own, and a root file
//! system of busybox. When dropped it removes everything and asserts that nothing was left.

#![allow(dead_code, unreachable_pub, reason = "every test file uses some of it")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

use container::cgroup::{Group, Hierarchies, remove_parent};
use container::{Host, HostConfig};
use engine::{ContainerId, ContainerSpec, Exit, Limits, OutputContent, Power, Status, Terminal};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// How long anything may take. Long, because the machine may be busy with other things.
pub const PATIENCE: Duration = Duration::from_mins(1);

pub struct Machine {
    pub host: Host,
    directory: Option<tempfile::TempDir>,
    parent: String,
}

impl Machine {
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    pub fn with(change: impl FnOnce(&mut HostConfig)) -> Self {
        let directory = tempfile::Builder::new().prefix("kigo-container-").tempdir_in("/var/tmp").unwrap();
        let tag = uuid::Uuid::new_v4().simple().to_string();
        let parent = format!("kigo-test-{}", &tag[..8]);
        let mut config = HostConfig::new(directory.path().join("containers"), parent.clone());
        config.shim = vec![env!("CARGO_BIN_EXE_container-shim").into()];
        change(&mut config);
        make_root(&directory.path().join("layer"));
        Self { host: Host::new(config).unwrap(), directory: Some(directory), parent }
    }

    pub fn path(&self) -> &Path {
        self.directory.as_ref().unwrap().path()
    }

    /// The busybox layer.
    pub fn layers(&self) -> Vec<PathBuf> {
        vec![self.path().join("layer")]
    }

    /// Another host over the same containers, as after a restart.
    pub fn restarted(&self) -> Host {
        Host::new(self.host.config().clone()).unwrap()
    }

    pub async fn spawn(&self, spec: &ContainerSpec) {
        self.host.spawn(spec.clone(), self.layers(), None).await.unwrap();
    }

    /// Starts `script` in a shell and waits for its end; what it printed comes with it.
    pub async fn run(&self, script: &str) -> (Exit, String) {
        self.run_spec(&shell(script)).await
    }

    pub async fn run_spec(&self, spec: &ContainerSpec) -> (Exit, String) {
        self.spawn(spec).await;
        let exit = self.wait(spec.id).await;
        (exit, self.printed(spec.id))
    }

    pub async fn wait(&self, id: ContainerId) -> Exit {
        let status = self.until(id, |status| matches!(status, Status::Exited { .. })).await;
        let Status::Exited { exit, .. } = status else { unreachable!() };
        exit
    }

    /// Waits until the container's status is as wanted.
    pub async fn until(&self, id: ContainerId, wanted: impl Fn(&Status) -> bool) -> Status {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let status = self.host.observe(id).unwrap().status;
            if wanted(&status) {
                return status;
            }
            assert!(Instant::now() < deadline, "container {id} is still {status:?}: {}", self.log(id));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until the container has printed `wanted`.
    pub async fn until_printed(&self, id: ContainerId, wanted: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.printed(id).contains(wanted) {
            let status = self.host.observe(id).unwrap().status;
            assert!(Instant::now() < deadline, "no {wanted:?} in {:?}, {status:?}", self.printed(id));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// All lines, each with its line break; dropped ones as `<N dropped>`.
    pub fn printed(&self, id: ContainerId) -> String {
        let mut reader = self.host.output(id, 0);
        let mut text = String::new();
        while let Some(line) = reader.next_line().unwrap() {
            match line.content {
                OutputContent::Line(bytes) => text += &String::from_utf8_lossy(&bytes),
                OutputContent::Dropped(count) => write!(text, "<{count} dropped>").unwrap(),
            }
            text.push('\n');
        }
        text
    }

    pub fn group(&self, id: ContainerId) -> Group {
        Group::new(Hierarchies::detect().unwrap(), &self.parent, &id.to_string())
    }

    /// The process that shims are forked from.
    pub fn stem(&self) -> Option<rustix::process::Pid> {
        let processes = fs::read_dir("/proc").unwrap().flatten();
        let mut numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        let found = numbers.find(|number| {
            let arguments = fs::read_to_string(format!("/proc/{number}/cmdline")).unwrap_or_default();
            arguments.trim_end_matches('\0').ends_with(&self.parent)
        });
        rustix::process::Pid::from_raw(found?)
    }

    /// What the shim said about itself.
    pub fn log(&self, id: ContainerId) -> String {
        fs::read_to_string(self.host.paths(id).log()).unwrap_or_default()
    }

    /// Removes every container, and asserts that nothing of any is left on the machine.
    pub async fn clean(mut self) {
        for id in self.host.ids().unwrap() {
            self.host.cleanup(id).await.unwrap();
            self.host.cleanup(id).await.unwrap();
        }
        let hierarchies = Hierarchies::detect().unwrap();
        remove_parent(&hierarchies, &self.parent).unwrap();
        let directory = self.directory.take().unwrap();
        let path = directory.path().to_str().unwrap().to_owned();
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        assert!(!mounts.contains(&path), "mounts are left");
        let groups =
            Command::new("find").args(["/sys/fs/cgroup", "-maxdepth", "2", "-name", &self.parent]).output();
        assert_eq!(String::from_utf8_lossy(&groups.unwrap().stdout), "", "control groups are left");
        // A loop device is freed by the kernel a moment after its last user is gone.
        let deadline = Instant::now() + PATIENCE;
        while loop_files().contains(&path) {
            assert!(Instant::now() < deadline, "loop devices are left: {}", loop_files());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Machine {
    /// After a failed test: ends what it started, asserting nothing.
    fn drop(&mut self) {
        if self.directory.is_none() {
            return;
        }
        for id in self.host.ids().unwrap_or_default() {
            let state = fs::read_to_string(self.host.paths(id).state()).unwrap_or_default();
            let state: Option<container::state::State> = serde_json::from_str(&state).ok();
            if let Some(pid) = state.and_then(|state| rustix::process::Pid::from_raw(state.shim))
                && !self.host.paths(id).exit().exists()
            {
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
            let directory = self.host.paths(id).directory().to_owned();
            let group = self.group(id);
            let _ = group.kill_all(PATIENCE);
            let _ = group.remove(PATIENCE);
            let _ = fs::remove_dir_all(directory);
        }
        let _ = remove_parent(&Hierarchies::detect().unwrap(), &self.parent);
    }
}

fn loop_files() -> String {
    let mut text = String::new();
    for entry in fs::read_dir("/sys/block").unwrap().flatten() {
        text += &fs::read_to_string(entry.path().join("loop/backing_file")).unwrap_or_default();
    }
    text
}

/// A root file system of busybox and nothing else.
fn make_root(root: &Path) {
    for directory in ["bin", "app", "etc", "proc", "tmp", "var"] {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
    fs::set_permissions(root, fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(root.join("tmp"), fs::Permissions::from_mode(0o1777)).unwrap();
    std::os::unix::fs::chown(root.join("app"), Some(1000), Some(1000)).unwrap();
    fs::write(root.join("etc/passwd"), "root:x:0:0::/root:/bin/sh\ndyno:x:1000:1000::/app:/bin/sh\n")
        .unwrap();
    fs::copy("/bin/busybox", root.join("bin/busybox")).expect("busybox-static has to be installed");
    let list = Command::new("/bin/busybox").arg("--list").output().unwrap();
    for applet in String::from_utf8(list.stdout).unwrap().lines().filter(|applet| *applet != "busybox") {
        symlink("busybox", root.join("bin").join(applet)).unwrap();
    }
}

/// A spec that runs `script` in a shell.
pub fn shell(script: &str) -> ContainerSpec {
    let digest = format!("sha256:{}", "0".repeat(64));
    ContainerSpec {
        id: uuid::Uuid::new_v4(),
        labels: BTreeMap::from([("kind".to_owned(), "test".to_owned())]),
        image: digest.parse().unwrap(),
        command: vec!["sh".into(), "-c".into(), script.into()],
        env: BTreeMap::from([("PATH".to_owned(), "/bin".to_owned()), ("HOME".to_owned(), "/app".to_owned())]),
        working_dir: "/app".into(),
        hostname: "test-host".into(),
        user: 1000,
        group: None,
        power: Power::Plain,
        limits: Limits {
            memory: 64 << 20,
            memory_max: 128 << 20,
            cpu_weight: 100,
            cpu_millis: None,
            pids: 64,
            disk: 64 << 20,
        },
        terminal: Terminal::Log,
        mounts: vec![],
        volumes: Vec::new(),
        address: None,
        reach: Vec::new(),
        watch_port: None,
        time_limit: None,
    }
}
