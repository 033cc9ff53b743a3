//! A machine for one test.

use domain::Digest;
use engine::{ContainerId, ContainerSpec, Engine, Limits, OutputContent, OutputLine, Power, Terminal};
use engine_local::{Local, LocalConfig, Runtime};
use image::{Compression, ImageSpec, ImageStore, PackOptions};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

pub(crate) struct Machine {
    pub(crate) image: Digest,
    data: PathBuf,
    runtime: Runtime,
}

/// Runs a test on a machine with the own launcher.
pub(crate) fn on_machine<T>(test: T)
where
    T: AsyncFnOnce(Arc<Machine>) + Send + 'static,
{
    on_machine_with(Runtime::Own, test);
}

/// Runs a test on a machine.
pub(crate) fn on_machine_with<T>(runtime: Runtime, test: T)
where
    T: AsyncFnOnce(Arc<Machine>) + Send + 'static,
{
    let play = move || {
        unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS).expect("needs root");
        let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        mount(None::<&str>, "/", None::<&str>, private, None::<&str>).expect("private mounts");
        assert!(run("ip", &["link", "set", "lo", "up"]).is_empty());
        let directory =
            tempfile::Builder::new().prefix("kigo-local-").tempdir_in("/var/tmp").expect("directory");
        let data = directory.path().canonicalize().expect("path");
        let images = ImageStore::open(&data).expect("image store");
        let machine = Arc::new(Machine { image: busybox(&images), data, runtime });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
        runtime.block_on(async {
            let local = tokio::task::LocalSet::new();
            let played = Arc::clone(&machine);
            let result = local.run_until(async { tokio::task::spawn_local(test(played)).await }).await;
            let left = machine.open().await.destroy().await;
            if let Err(error) = result {
                std::panic::resume_unwind(error.into_panic());
            }
            left.expect("destroy");
        });
    };
    if let Err(panic) = std::thread::spawn(play).join() {
        std::panic::resume_unwind(panic);
    }
}

/// An engine over a data directory.
pub(crate) async fn open(data: &Path, runtime: Runtime) -> Local {
    let config = LocalConfig {
        resolvers: Some(vec![Ipv4Addr::new(10, 53, 0, 53)]),
        runtime,
        shim: vec![env!("CARGO_BIN_EXE_engine-local-shim").into()],
        ..LocalConfig::new(data.to_owned())
    };
    Local::open(config, ImageStore::open(data).expect("image store")).await.expect("open")
}

impl Machine {
    /// An engine, as a server that starts has it.
    pub(crate) async fn open(&self) -> Local {
        open(&self.data, self.runtime.clone()).await
    }

    /// A container that runs a script.
    pub(crate) fn shell(&self, script: &str) -> ContainerSpec {
        ContainerSpec {
            id: Uuid::new_v4(),
            labels: BTreeMap::new(),
            image: self.image,
            command: ["sh", "-c", script].map(str::to_owned).to_vec(),
            env: BTreeMap::from([("PATH".to_owned(), "/bin".to_owned())]),
            working_dir: "/app".to_owned(),
            hostname: "dyno".to_owned(),
            user: 1000,
            group: None,
            power: Power::Plain,
            limits: Limits {
                memory: 32 << 20,
                memory_max: 64 << 20,
                cpu_weight: 100,
                cpu_millis: None,
                pids: 64,
                disk: 64 << 20,
            },
            terminal: Terminal::Log,
            mounts: Vec::new(),
            volumes: Vec::new(),
            address: None,
            reach: Vec::new(),
            watch_port: None,
            time_limit: Some(Duration::from_mins(5)),
        }
    }

    pub(crate) async fn start(&self, engine: &Local, spec: ContainerSpec) -> ContainerId {
        let id = spec.id;
        engine.start(spec).await.expect("start");
        id
    }

    pub(crate) fn data_dir(&self) -> &Path {
        &self.data
    }

    /// The containers that have a directory.
    pub(crate) fn containers(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.data.join("containers")).expect("containers");
        let names = entries.map(|entry| entry.expect("entry").file_name().to_string_lossy().into_owned());
        let mut ids: Vec<_> = names.filter(|name| name.parse::<ContainerId>().is_ok()).collect();
        ids.sort();
        ids
    }

    /// Mounts below the data directory.
    pub(crate) fn mounts(&self) -> Vec<String> {
        let all = std::fs::read_to_string("/proc/thread-self/mountinfo").expect("mounts");
        let ours = self.data.to_string_lossy();
        all.lines().filter(|line| line.contains(&*ours)).map(str::to_owned).collect()
    }
}

pub(crate) fn interfaces() -> Vec<String> {
    let listing = run("ip", &["-o", "link"]);
    listing.lines().filter_map(|line| line.split(": ").nth(1)).map(str::to_owned).collect()
}

/// Control groups that name one of these containers.
pub(crate) fn control_groups_of(ids: &[ContainerId]) -> Vec<String> {
    let names: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let listing = run("find", &["/sys/fs/cgroup", "-type", "d"]);
    listing.lines().filter(|line| names.iter().any(|name| line.contains(name))).map(str::to_owned).collect()
}

/// What a line says.
pub(crate) fn text_of(line: Option<OutputLine>) -> String {
    match line.expect("a line").content {
        OutputContent::Line(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        OutputContent::Dropped(count) => panic!("{count} lines were dropped"),
    }
}

/// An image with busybox and an empty `/app`.
fn busybox(images: &ImageStore) -> Digest {
    let program = ["/bin/busybox", "/usr/bin/busybox"].into_iter().find(|path| Path::new(path).exists());
    let program = program.expect("install the package busybox-static");
    let root = tempfile::tempdir_in("/var/tmp").expect("directory");
    for directory in ["bin", "etc", "tmp", "proc", "sys", "dev"] {
        std::fs::create_dir(root.path().join(directory)).expect("directory");
    }
    std::fs::copy(program, root.path().join("bin/busybox")).expect("copy");
    for applet in run(program, &["--list"]).lines().filter(|applet| *applet != "busybox") {
        std::os::unix::fs::symlink("busybox", root.path().join("bin").join(applet)).expect("link");
    }
    std::fs::write(root.path().join("etc/passwd"), "root:x:0:0::/:/bin/sh\ndyno:x:1000:1000::/app:/bin/sh\n")
        .expect("passwd");
    let base = PackOptions { prefix: PathBuf::new(), owner: Some((0, 0)), modified: Some(0) };
    let app = tempfile::tempdir_in("/var/tmp").expect("directory");
    std::fs::write(app.path().join("Procfile"), "web: true\n").expect("file");
    let layers = [(root.path(), base), (app.path(), PackOptions::app(0))].map(|(path, options)| {
        images.add_layer_from_directory(path, &options, Compression::Zstd).expect("layer")
    });
    images.put_image(&ImageSpec { layers: layers.to_vec(), ..ImageSpec::default() }).expect("image")
}

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().expect(program);
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
