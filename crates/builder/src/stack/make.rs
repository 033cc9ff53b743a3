//! Makes a stack with `mmdebstrap`.
//!
//! One run installs the packages of both images: between the two sets a hook archives the root as
//! it is, and at the end a second hook archives what changed since. Debian's own programs (apt,
//! dpkg and packages' scripts) run inside the new root only.

use super::definition::Definition;
use super::{StackError, apt, mirror};
use crate::output::Output;
use domain::Digest;
use image::{HistoryStep, ImageSpec, ImageStore, Layer};
use jiff::Timestamp;
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use std::collections::{BTreeMap, VecDeque};
use std::ffi::CString;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use uuid::Uuid;

/// Times of files are no later than this (2025-01-01), so that the same packages give the same
/// layers.
pub(crate) const SOURCE_DATE: i64 = 1_735_689_600;

/// The hooks, written to disk for mmdebstrap.
const HOOKS: [(&str, &str); 3] = [
    ("common.sh", include_str!("common.sh")),
    ("save-run.sh", include_str!("save-run.sh")),
    ("save-build.sh", include_str!("save-build.sh")),
];

/// How many of mmdebstrap's last lines an error repeats.
const LAST_LINES: usize = 4;

/// Waits until nobody else, in this process or another, makes the stack `name`. What an interrupted
/// attempt left is removed.
pub(super) async fn lock(data: &Path, name: &str) -> Result<File, StackError> {
    let directory = data.join("stacks");
    let (path, prefix) = (directory.join(format!("{name}.lock")), prefix(name));
    let locked = tokio::task::spawn_blocking(move || {
        std::fs::create_dir_all(&directory)?;
        let file = File::create(path)?;
        file.lock()?;
        for entry in std::fs::read_dir(&directory)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(&prefix) {
                remove(&entry.path())?;
            }
        }
        Ok(file)
    });
    locked
        .await
        .map_err(|error| io::Error::other(error.to_string()))
        .and_then(|result| result)
        .map_err(StackError::system("lock the stack"))
}

/// What the names of directories begin with in which the stack `name` is made. Each attempt has one
/// of its own: the programs of one that was cut off may go on for a while.
fn prefix(name: &str) -> String {
    format!("incoming-{name}-")
}

/// Removes a scratch directory and what is mounted there.
fn remove(path: &Path) -> io::Result<()> {
    dismount(path)?;
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Bytes that making a stack takes at most, and how many times that must be free to take memory.
const SCRATCH_SIZE: u64 = 3 << 30;
const SCRATCH_SHARE: u64 = 2;

/// A directory that goes when it is dropped.
struct Scratch(PathBuf);

impl Scratch {
    /// Makes the directory, in memory if there is plenty: tens of thousands of small files that
    /// live for a minute are a disk's worst case.
    fn make(path: PathBuf) -> io::Result<Self> {
        std::fs::create_dir_all(&path)?;
        let scratch = Self(path);
        if memory_available().is_some_and(|free| free >= SCRATCH_SIZE * SCRATCH_SHARE) {
            let options = CString::new(format!("size={SCRATCH_SIZE},mode=0700"))?;
            // Without the right to mount, the disk does.
            let _ = mount("kigo-stack", &scratch.0, "tmpfs", MountFlags::empty(), options.as_c_str());
        }
        Ok(scratch)
    }
}

/// Bytes that programs can still take without swapping.
fn memory_available() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes << 10)
}

/// Takes away what is mounted on a directory or below it. Removing files must never reach through a
/// mount into something else.
fn dismount(path: &Path) -> io::Result<()> {
    let mounted = |text: &str| -> Vec<PathBuf> {
        // Field 5 of proc(5)'s mountinfo; our own names need no escapes.
        let places = text.lines().filter_map(|line| line.split(' ').nth(4)).map(PathBuf::from);
        places.filter(|place| place.starts_with(path)).collect()
    };
    let read = || std::fs::read_to_string("/proc/self/mountinfo");
    for place in mounted(&read()?).into_iter().rev() {
        unmount(&place, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW)?;
    }
    match mounted(&read()?).first() {
        Some(place) => Err(io::Error::other(format!("{} is still mounted", place.display()))),
        None => Ok(()),
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.0) {
            tracing::warn!(path = %self.0.display(), %error, "what is left of making a stack stays behind");
        }
    }
}

/// Makes both images of a stack: (run, build). The caller holds the [`lock`].
pub(super) async fn make(
    images: &ImageStore,
    data: &Path,
    definition: &Definition,
    made: Timestamp,
    output: &Output,
) -> Result<(Digest, Digest), StackError> {
    if !rustix::process::geteuid().is_root() {
        return Err(StackError::NotRoot);
    }
    let installed = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
        .any(|directory| directory.join("mmdebstrap").is_file());
    if !installed {
        return Err(StackError::NoMmdebstrap);
    }
    let base = mirror::of_host().ok_or(StackError::NoMirror)?;
    let began = Instant::now();
    output
        .heading(format!(
            "Preparing the stack {} ({}) from {}",
            definition.name,
            definition.description,
            shown(&base)
        ))
        .await;
    let directory = data.join("stacks").join(format!("{}{}", prefix(&definition.name), Uuid::new_v4()));
    let scratch = Scratch::make(directory);
    let scratch = scratch.map_err(StackError::system("make room for the stack"))?;
    for (name, text) in HOOKS {
        std::fs::write(scratch.0.join(name), text).map_err(StackError::system("write the hooks"))?;
    }
    run(command(&scratch.0, definition, &base, &apt::host_options().await), output).await?;
    output.detail("Storing both images").await;
    let digests = {
        let (images, scratch, definition) = (images.clone(), scratch.0.clone(), definition.clone());
        tokio::task::spawn_blocking(move || store(&images, &scratch, &definition, made))
            .await
            .map_err(|error| io::Error::other(error.to_string()))
            .map_err(StackError::system("store the stack"))??
    };
    output.detail(format!("Done in {} seconds", began.elapsed().as_secs())).await;
    Ok(digests)
}

/// An address without what may be a password.
fn shown(address: &str) -> String {
    match address.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.split_once('@')?.1))) {
        Some((scheme, rest)) => format!("{scheme}://{rest}"),
        None => address.to_owned(),
    }
}

fn command(scratch: &Path, definition: &Definition, base: &str, apt: &[String]) -> Command {
    // What it mounts and starts is gone when it is, however it ends.
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "--propagation=private", "--pid", "--mount-proc", "--fork"])
        .args(["--kill-child=SIGKILL", "mmdebstrap"])
        .env("KIGO_HOOKS", scratch)
        .env("KIGO_OUT", scratch)
        .env("TMPDIR", scratch)
        .env("SOURCE_DATE_EPOCH", SOURCE_DATE.to_string())
        .env("LC_ALL", "C.UTF-8")
        .args(["--variant=minbase", "--mode=root", "--format=null"])
        .arg("--aptopt=APT::Install-Recommends \"false\"")
        .arg("--aptopt=Acquire::Languages \"none\"");
    command.args(apt.iter().map(|option| format!("--aptopt={option}")));
    command.args(apt::DPKG_OPTIONS.iter().map(|option| format!("--dpkgopt={option}")));
    let prepare =
        format!("{}\nprintf '%s\\n' {} > /etc/kigo-stack\n", include_str!("prepare-run.sh"), definition.name);
    let install = format!(
        "export DEBIAN_FRONTEND=noninteractive; apt-get --yes -q --no-install-recommends install {}",
        definition.build.packages.join(" ")
    );
    command
        .arg(format!("--include={}", definition.run.packages.join(",")))
        .arg(format!("--chrooted-customize-hook={prepare}"))
        .arg("--customize-hook=sh \"$KIGO_HOOKS/save-run.sh\" \"$1\"")
        .arg(format!("--chrooted-customize-hook={install}"))
        .arg("--customize-hook=sh \"$KIGO_HOOKS/save-build.sh\" \"$1\"")
        .args([definition.sources.first().map_or("", |source| source.suite.as_str()), "/dev/null"])
        .args(apt::sources(&definition.sources, base));
    command
}

/// mmdebstrap and all that it started; ended when dropped.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        let id = self.0.id().and_then(|id| rustix::process::Pid::from_raw(id.cast_signed()));
        if let Some(id) = id {
            // It may have ended just now.
            let _ = rustix::process::kill_process_group(id, rustix::process::Signal::KILL);
        }
    }
}

async fn run(mut command: Command, output: &Output) -> Result<(), StackError> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let child = command.spawn().map_err(StackError::system("start mmdebstrap"))?;
    let mut group = Group(child);
    let (stdout, stderr) = (group.0.stdout.take(), group.0.stderr.take());
    let (one, two) = tokio::join!(follow(stdout, output), follow(stderr, output));
    let status = group.0.wait().await.map_err(StackError::system("wait for mmdebstrap"))?;
    if status.success() {
        return Ok(());
    }
    let last: Vec<_> = two.into_iter().chain(one).collect();
    Err(StackError::Mmdebstrap { status: status.to_string(), last_words: last.join(" / ") })
}

/// Shows the lines that are meant for people and returns the last ones of all.
async fn follow(stream: Option<impl AsyncRead + Unpin>, output: &Output) -> VecDeque<String> {
    let mut last = VecDeque::new();
    let Some(stream) = stream else { return last };
    let mut reader = BufReader::new(stream);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).await.is_ok_and(|read| read > 0) {
        let text = String::from_utf8_lossy(&line).trim().to_owned();
        line.clear();
        let told =
            text.strip_prefix("I: ").filter(|text| !text.starts_with("running --") && !text.contains('/'));
        if let Some(told) = told {
            output.detail(told).await;
        }
        if !text.is_empty() && !text.starts_with("I: ") {
            last.push_back(text);
        }
        if last.len() > LAST_LINES {
            last.pop_front();
        }
    }
    last
}

fn store(
    images: &ImageStore,
    scratch: &Path,
    definition: &Definition,
    made: Timestamp,
) -> Result<(Digest, Digest), StackError> {
    let run = add(images, &scratch.join("run.tar"))?;
    let build = add(images, &scratch.join("build.tar"))?;
    let packages = |list: &[String]| format!("packages {}", list.join(" "));
    let image = |layers: Vec<Layer>, kind: &str| {
        let steps = [&definition.run.packages, &definition.build.packages];
        let history = steps.iter().take(layers.len());
        ImageSpec {
            layers,
            env: BTreeMap::from([("PATH".into(), PATH.into())]),
            labels: BTreeMap::from([
                ("io.kigo.stack".into(), definition.name.clone()),
                ("io.kigo.stack.kind".into(), kind.into()),
                ("io.kigo.stack.made".into(), made.to_string()),
            ]),
            user: Some("1000:1000".into()),
            working_dir: Some("/app".into()),
            history: history
                .map(|list| HistoryStep { created_by: packages(list), ..HistoryStep::default() })
                .collect(),
            ..ImageSpec::default()
        }
    };
    Ok((images.put_image(&image(vec![run], "run"))?, images.put_image(&image(vec![run, build], "build"))?))
}

/// Where programs are found on a stack.
pub(crate) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

fn add(images: &ImageStore, archive: &Path) -> Result<Layer, StackError> {
    let file = File::open(archive).map_err(StackError::system("open the stack's archive"))?;
    let compressed = zstd::stream::read::Encoder::new(io::BufReader::with_capacity(1 << 20, file), 3);
    let layer = images.add_layer(compressed.map_err(StackError::system("compress the stack"))?)?;
    std::fs::remove_file(archive).map_err(StackError::system("remove the stack's archive"))?;
    Ok(layer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removing_never_reaches_through_a_mount() {
        let directory = tempfile::tempdir_in("/var/tmp").unwrap();
        let (scratch, other) = (directory.path().join("scratch"), directory.path().join("other"));
        for path in [&scratch, &other, &scratch.join("dev")] {
            std::fs::create_dir(path).unwrap();
        }
        std::fs::write(other.join("precious"), "").unwrap();
        rustix::mount::mount_bind(&other, scratch.join("dev")).unwrap();
        remove(&scratch).unwrap();
        assert!(other.join("precious").exists());
        assert!(!scratch.exists());
    }

    #[test]
    fn a_password_is_not_shown() {
        for (address, expected) in [
            ("http://deb.debian.org", "http://deb.debian.org"),
            ("https://u:p@m.example/x", "https://m.example/x"),
        ] {
            assert_eq!(shown(address), expected);
        }
    }
}
