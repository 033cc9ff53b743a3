//! Control groups of containers: limits, accounting, and the last resort for killing.
//!
//! Works with version 2, with version 1, and with both mounted at once ("hybrid"): each controller
//! is used where it is found, and a version 2 tree is joined even when it has no controllers,
//! because it still kills a whole group at once. What a machine does not have becomes a warning:
//! a container without one of its limits is better than none, as long as somebody is told.

mod door;
mod hierarchy;
mod knobs;
mod memory_events;
mod usage;

pub use door::Door;
pub use hierarchy::Hierarchies;
pub use memory_events::MemoryEvents;
pub use usage::UsageReader;

use engine::Limits;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The group of one container, in every hierarchy that is used.
#[derive(Clone, Debug)]
pub struct Group {
    hierarchies: Hierarchies,
    /// Below each mount point.
    path: PathBuf,
}

/// Name of the group, beside those of the containers, that shims live in: no container's limit
/// may hit them, and no service manager that ends the server may end them with it.
pub const SHIMS: &str = "shims";

impl Group {
    /// Refers to the group `name` below `parent`, whether it exists or not.
    pub fn new(hierarchies: Hierarchies, parent: &str, name: &str) -> Self {
        Self { hierarchies, path: Path::new(parent).join(name) }
    }

    /// Makes the group in every hierarchy. Returns what could not be had.
    pub fn create(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if let Some(unified) = &self.hierarchies.unified {
            warnings.extend(unified.delegate(&self.path));
        }
        for mount in self.hierarchies.mounts() {
            let directory = mount.join(&self.path);
            if let Err(error) = fs::create_dir_all(&directory) {
                warnings.push(format!("no control group {}: {error}", directory.display()));
            }
        }
        warnings
    }

    /// Sets the limits. Returns what could not be set.
    pub fn limit(&self, limits: &Limits) -> Vec<String> {
        let mut warnings = Vec::new();
        for knob in knobs::limits(limits) {
            let Some(mount) = self.hierarchies.mount_of(knob.controller, knob.version) else { continue };
            let file = mount.join(&self.path).join(knob.file);
            if let Err(error) = fs::write(&file, &knob.value)
                && !(knob.optional && error.kind() == io::ErrorKind::NotFound)
            {
                warnings.push(format!("could not write {} to {}: {error}", knob.value, file.display()));
            }
        }
        for controller in ["memory", "cpu", "pids"] {
            if !self.hierarchies.has(controller) {
                warnings.push(format!("this machine has no {controller} control group: its limits are off"));
            }
        }
        warnings
    }

    /// Moves the process `pid` in. Returns where that failed.
    pub fn attach(&self, pid: i32) -> Vec<String> {
        let mut warnings = Vec::new();
        for mount in self.hierarchies.mounts() {
            let file = mount.join(&self.path).join("cgroup.procs");
            if let Err(error) = fs::write(&file, pid.to_string()) {
                warnings.push(format!("could not enter {}: {error}", file.display()));
            }
        }
        warnings
    }

    /// The files that take the process ids of newcomers, one in each hierarchy.
    pub fn process_files(&self) -> Vec<PathBuf> {
        self.hierarchies
            .mounts()
            .into_iter()
            .map(|mount| mount.join(&self.path).join("cgroup.procs"))
            .collect()
    }

    /// Processes in the group, as the host numbers them.
    pub fn processes(&self) -> Vec<i32> {
        let mut found: Vec<i32> = Vec::new();
        for mount in self.hierarchies.mounts() {
            let text = fs::read_to_string(mount.join(&self.path).join("cgroup.procs")).unwrap_or_default();
            found.extend(text.lines().filter_map(|line| line.parse::<i32>().ok()));
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Kills whatever runs in the group, and waits for it for up to `patience`.
    pub fn kill_all(&self, patience: Duration) -> io::Result<()> {
        let deadline = Instant::now() + patience;
        loop {
            let processes = self.processes();
            if processes.is_empty() {
                return Ok(());
            }
            if !self.kill_at_once() {
                self.freeze(true);
                for pid in self.processes() {
                    // It may have ended meanwhile; the loop looks again.
                    let _ = crate::sys::kill(pid, libc::SIGKILL);
                }
                self.freeze(false);
            }
            if Instant::now() > deadline {
                return Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    format!("processes {processes:?} outlive SIGKILL"),
                ));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Deletes the group everywhere, waiting for up to `patience` while the kernel still counts
    /// something in it. It is no error when it does not exist.
    pub fn remove(&self, patience: Duration) -> io::Result<()> {
        let deadline = Instant::now() + patience;
        for mount in self.hierarchies.mounts().into_iter().chain(self.hierarchies.systemd.as_deref()) {
            let directory = mount.join(&self.path);
            while let Err(error) = remove_tree(&directory) {
                if error.raw_os_error() != Some(libc::EBUSY) || Instant::now() > deadline {
                    return Err(error);
                }
                std::thread::sleep(Duration::from_millis(2));
            }
        }
        Ok(())
    }

    /// The group's directory in the hierarchy that has `controller`.
    pub fn directory_of(&self, controller: &str) -> Option<PathBuf> {
        let mount = self.hierarchies.v1.get(controller).or_else(|| {
            self.hierarchies
                .unified
                .as_ref()
                .filter(|unified| unified.controllers.contains(controller))
                .map(|unified| &unified.mount)
        })?;
        Some(mount.join(&self.path))
    }

    /// `cgroup.kill` of version 2 (Linux 5.14).
    fn kill_at_once(&self) -> bool {
        self.hierarchies
            .unified
            .as_ref()
            .is_some_and(|unified| fs::write(unified.mount.join(&self.path).join("cgroup.kill"), "1").is_ok())
    }

    /// Stops the group, so that it cannot fork faster than it is killed. Best effort.
    fn freeze(&self, frozen: bool) {
        if let Some(mount) = self.hierarchies.v1.get("freezer") {
            let state = if frozen { "FROZEN" } else { "THAWED" };
            let _ = fs::write(mount.join(&self.path).join("freezer.state"), state);
        }
        if let Some(unified) = &self.hierarchies.unified {
            let state = if frozen { "1" } else { "0" };
            let _ = fs::write(unified.mount.join(&self.path).join("cgroup.freeze"), state);
        }
    }
}

/// Removes the directory of a group and of the groups in it. Their files cannot be unlinked and
/// need not be.
fn remove_tree(directory: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_tree(&entry.path())?;
        }
    }
    match fs::remove_dir(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Deletes the parent of an installation's groups, and the shims' one, if nothing is in them.
pub fn remove_parent(hierarchies: &Hierarchies, parent: &str) -> io::Result<()> {
    Group::new(hierarchies.clone(), parent, "").remove(Duration::from_secs(2))
}
