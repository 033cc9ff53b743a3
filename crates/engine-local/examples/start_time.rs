//! How long a container takes from being asked for to its first line, by the engine and by `crun`:
//! `cargo run --release -p engine-local --example start_time -- ROUNDS CRUN SHIM…`.
//!
//! They take turns, and each is measured to the program's first line, in the same root, with the same
//! limits, system call filter, namespaces and mapping of ids. Where they are not alike:
//!
//! - The engine does all of its work within the measured time: the layers' overlay, the limited
//!   disk, address, network interface and namespace with routes, control groups, shim; and the line
//!   comes by way of shim, spool and engine. `crun run` finds its root mounted, gets a network
//!   namespace with nothing in it, and writes the line into a pipe that is read here.
//! - The engine's stem runs already, as in a server that has started one dyno before; a program that
//!   nobody keeps, as crun is, has to be loaded each time.
//! - With control groups of version 1 crun moves its process into them, for which the kernel makes
//!   every processor come by: 6 to 16 ms, half of crun's time or more. The engine's processes are born
//!   in their groups or enter by themselves (`container::cgroup`, `Door`). So that part of the
//!   difference is the engine's merit only where version 1 is mounted. crun is started where no mixed
//!   tree is in its way.
//!
//! crun's configuration is what the engine itself writes for an OCI runtime.
//!
//! Everything happens in network and mount namespaces of this process's own. Prints two rows of
//! milliseconds, one figure for each round.

use domain::Digest;
use engine::{ContainerSpec, Engine, Limits, OutputContent, Power, Terminal};
use engine_local::{Local, LocalConfig, Runtime};
use image::{Compression, ImageSpec, ImageStore, PackOptions};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::error::Error;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use uuid::Uuid;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// What the program says, and then it ends.
const WORD: &str = "begun";
/// Where the root for crun is mounted.
const ROOT: &str = "bundle/root";
/// Rounds before the first that counts: caches of both sides fill.
const WARM_UP: usize = 3;

fn main() -> Result<()> {
    let mut words = std::env::args_os().skip(1);
    let usage = "usage: ROUNDS CRUN SHIM…";
    let rounds: usize = words.next().and_then(|word| word.to_str()?.parse().ok()).ok_or(usage)?;
    let crun = PathBuf::from(words.next().ok_or(usage)?);
    let shim: Vec<OsString> = words.collect();
    // Before there is a second thread: the namespaces are the whole process's.
    unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS)?;
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)?;
    run("ip", &["link", "set", "lo", "up"])?;
    let directory = tempfile::Builder::new().prefix("kigo-start-").tempdir_in("/var/tmp")?;
    let data = directory.path().canonicalize()?;
    let (ours, theirs) =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(
            async {
                let bench = Bench { image: busybox(&ImageStore::open(&data)?)?, data, shim };
                let result = bench.measure(rounds, &crun).await;
                bench.engine(Runtime::Own).await?.destroy().await?;
                // Or the directory could not be removed.
                let _ = umount2(&bench.data.join(ROOT), MntFlags::MNT_DETACH);
                result
            },
        )?;
    let mut out = io::stdout().lock();
    for (name, figures) in [("kigo", ours), ("crun", theirs)] {
        write!(out, "{name}")?;
        for figure in figures {
            write!(out, " {figure:.2}")?;
        }
        writeln!(out)?;
    }
    Ok(())
}

struct Bench {
    image: Digest,
    data: PathBuf,
    shim: Vec<OsString>,
}

impl Bench {
    async fn engine(&self, runtime: Runtime) -> Result<Local> {
        let config = LocalConfig { runtime, shim: self.shim.clone(), ..LocalConfig::new(self.data.clone()) };
        Ok(Local::open(config, ImageStore::open(&self.data)?).await?)
    }

    async fn measure(&self, rounds: usize, crun: &Path) -> Result<(Vec<f64>, Vec<f64>)> {
        let peer = Crun::prepare(self, crun).await?;
        let engine = self.engine(Runtime::Own).await?;
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for round in 0..WARM_UP + rounds {
            let (own, other) = (self.start(&engine).await?, peer.start()?);
            if round >= WARM_UP {
                ours.push(own);
                theirs.push(other);
            }
        }
        Ok((ours, theirs))
    }

    /// One start by the engine, in milliseconds.
    async fn start(&self, engine: &Local) -> Result<f64> {
        let spec = self.spec(&format!("echo {WORD}"));
        let id = spec.id;
        let begin = Instant::now();
        engine.start(spec).await?;
        let line = engine.output(id, 0).await?.recv().await;
        let took = begin.elapsed();
        if line.as_ref().map(|line| &line.content) != Some(&OutputContent::Line(WORD.into())) {
            return Err(format!("the container said {line:?}: {:?}", engine.observe_one(id).await?).into());
        }
        engine.remove(id).await?;
        engine.settle().await;
        Ok(took.as_secs_f64() * 1e3)
    }

    fn spec(&self, script: &str) -> ContainerSpec {
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
                memory: 512 << 20,
                memory_max: 1 << 30,
                cpu_weight: 100,
                cpu_millis: None,
                pids: 256,
                disk: 1 << 30,
            },
            terminal: Terminal::Log,
            mounts: Vec::new(),
            volumes: Vec::new(),
            address: None,
            reach: Vec::new(),
            watch_port: None,
            time_limit: None,
        }
    }
}

/// A bundle for `crun run`, and a thread that runs it.
struct Crun {
    orders: mpsc::Sender<()>,
    figures: mpsc::Receiver<Result<f64>>,
    _root: Mounted,
}

/// A mount until it is dropped; its directory could not be removed before.
struct Mounted(PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = umount2(&self.0, MntFlags::MNT_DETACH);
    }
}

impl Crun {
    async fn prepare(bench: &Bench, program: &Path) -> Result<Self> {
        let root = bench.data.join(ROOT);
        let bundle = bench.data.join("bundle");
        fs::create_dir_all(&root)?;
        let mut config = written_by_engine(bench, program).await?;
        let base = config["linux"]["uidMappings"][0]["hostID"].as_u64().ok_or("no id mapping")?;
        let mounted = mount_root(bench, &bundle, &root, base)?;
        // In the place of what the engine would have prepared for the runtime.
        config["root"]["path"] = json!(root);
        config["process"]["args"] = json!(["sh", "-c", format!("echo {WORD}")]);
        let namespaces = config["linux"]["namespaces"].as_array_mut().ok_or("no namespaces")?;
        for namespace in namespaces.iter_mut().filter(|namespace| namespace["type"] == "network") {
            *namespace = json!({"type": "network"});
        }
        let harmless = ["nosuid", "noexec", "nodev"];
        config["mounts"] = json!([
            {"destination": "/proc", "type": "proc", "source": "proc", "options": harmless},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755", "size=64k"]},
            {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
             "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
            {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": harmless},
            {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"]},
        ]);
        let spec = bench.spec("");
        config["linux"]["resources"] = json!({
            "memory": {"limit": spec.limits.memory_max},
            "cpu": {"shares": 1024},
            "pids": {"limit": spec.limits.pids},
        });
        config["linux"]["cgroupsPath"] = json!(format!("/kigo-bench-{}", spec.id));
        fs::write(bundle.join("config.json"), serde_json::to_vec(&config)?)?;
        let (orders, inbox) = mpsc::channel();
        let (outbox, figures) = mpsc::channel();
        let program = program.to_owned();
        // A thread, because it needs a mount namespace of its own.
        std::thread::spawn(move || {
            let ready = hide_mixed_tree();
            for () in inbox {
                let figure = match &ready {
                    Ok(()) => run_bundle(&program, &bundle),
                    Err(error) => Err(error.to_string().into()),
                };
                if outbox.send(figure).is_err() {
                    return;
                }
            }
        });
        Ok(Self { orders, figures, _root: mounted })
    }

    /// One start, in milliseconds.
    fn start(&self) -> Result<f64> {
        self.orders.send(())?;
        self.figures.recv()?
    }
}

/// The configuration that the engine gives an OCI runtime for our container.
async fn written_by_engine(bench: &Bench, crun: &Path) -> Result<Value> {
    let engine = bench.engine(Runtime::Oci(crun.to_owned())).await?;
    let spec = bench.spec(&format!("echo {WORD}; sleep 60"));
    let id = spec.id;
    engine.start(spec).await?;
    // Its first line tells that the file is complete.
    let line = engine.output(id, 0).await?.recv().await;
    let file = bench.data.join(format!("containers/{id}/oci/config.json"));
    let Ok(text) = fs::read(&file) else {
        return Err(format!("{}: {line:?}, {:?}", file.display(), engine.observe_one(id).await?).into());
    };
    engine.remove(id).await?;
    engine.settle().await;
    Ok(serde_json::from_slice(&text)?)
}

/// The image's layers with a writable one above, owned by the container's users.
fn mount_root(bench: &Bench, bundle: &Path, root: &Path, base: u64) -> Result<Mounted> {
    let lower = bundle.join("lower");
    fs::create_dir(&lower)?;
    for layer in ImageStore::open(&bench.data)?.layers(&bench.image)? {
        run("cp", &["-a", &format!("{}/.", layer.display()), &lower.display().to_string()])?;
    }
    for part in ["upper", "work"] {
        fs::create_dir(bundle.join(part))?;
    }
    let owner = format!("{base}:{base}");
    for part in ["lower", "upper", "work"] {
        run("chown", &["-Rh", &owner, &bundle.join(part).display().to_string()])?;
    }
    // The container's users have to walk down to their root.
    run("chmod", &["o+x", &bench.data.display().to_string(), &bundle.display().to_string()])?;
    let place = bundle.display();
    let options = format!("lowerdir={place}/lower,upperdir={place}/upper,workdir={place}/work");
    mount(Some("bench"), root, Some("overlay"), MsFlags::MS_NOSUID, Some(options.as_str()))?;
    Ok(Mounted(root.to_owned()))
}

/// crun takes controllers in the version 2 tree beside version 1 for a mistake.
fn hide_mixed_tree() -> Result<()> {
    let tree = Path::new("/sys/fs/cgroup/unified");
    if tree.exists() {
        unshare(CloneFlags::CLONE_NEWNS)?;
        umount2(tree, MntFlags::MNT_DETACH)?;
    }
    Ok(())
}

fn run_bundle(program: &Path, bundle: &Path) -> Result<f64> {
    let log = bundle.join("crun.log");
    let begin = Instant::now();
    let mut child = Command::new(program)
        .arg("--cgroup-manager=cgroupfs")
        .arg("--root")
        .arg(bundle.join("state"))
        .args(["run", "--bundle"])
        .arg(bundle)
        .arg(format!("bench-{}", std::process::id()))
        // Not the null device, which crun would give to the container's user.
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(File::create(&log)?)
        .spawn()?;
    let mut line = String::new();
    if let Some(output) = child.stdout.take() {
        BufReader::new(output).read_line(&mut line)?;
    }
    let took: Duration = begin.elapsed();
    let status = child.wait()?;
    if line.trim() != WORD || !status.success() {
        return Err(format!("crun: {status}, {line:?} {}", fs::read_to_string(&log)?).into());
    }
    Ok(took.as_secs_f64() * 1e3)
}

/// An image with busybox and an empty `/app`.
fn busybox(images: &ImageStore) -> Result<Digest> {
    let program = ["/bin/busybox", "/usr/bin/busybox"].into_iter().find(|path| Path::new(path).exists());
    let root = tempfile::tempdir_in("/var/tmp")?;
    for directory in ["bin", "etc", "tmp", "proc", "sys", "dev"] {
        fs::create_dir(root.path().join(directory))?;
    }
    fs::copy(program.ok_or("install the package busybox-static")?, root.path().join("bin/busybox"))?;
    for applet in ["sh", "sleep"] {
        std::os::unix::fs::symlink("busybox", root.path().join("bin").join(applet))?;
    }
    fs::write(root.path().join("etc/passwd"), "root:x:0:0::/:/bin/sh\ndyno:x:1000:1000::/app:/bin/sh\n")?;
    let app = tempfile::tempdir_in("/var/tmp")?;
    fs::write(app.path().join("Procfile"), "web: true\n")?;
    let base = PackOptions { prefix: PathBuf::new(), owner: Some((0, 0)), modified: Some(0) };
    let mut layers = Vec::new();
    for (path, options) in [(root.path(), base), (app.path(), PackOptions::app(0))] {
        layers.push(images.add_layer_from_directory(path, &options, Compression::Zstd)?);
    }
    Ok(images.put_image(&ImageSpec { layers, ..ImageSpec::default() })?)
}

fn run(program: &str, arguments: &[&str]) -> Result<()> {
    let output = Command::new(program).args(arguments).output()?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{program} {arguments:?}: {words}").into());
    }
    Ok(())
}
