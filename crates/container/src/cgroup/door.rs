//! Entering a group without waiting.
//!
//! Before the kernel moves a process that another one names, or a whole process, every processor
//! has to come by, which takes 6 to 16 ms (`cgroup_threadgroup_rwsem`). It waits for nobody when a
//! single thread moves itself, which version 1 allows (`tasks`), nor when a process is born in
//! a group, which version 2 allows (`CLONE_INTO_CGROUP`, clone(2), Linux 5.7).

use super::Group;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

/// A group, opened for one process that will be in it.
pub struct Door {
    /// The group's directory in the tree of version 2.
    unified: Option<(File, PathBuf)>,
    /// `tasks` of each hierarchy of version 1.
    tasks: Vec<File>,
}

impl Group {
    /// Opens the group for a newcomer. Returns what could not be opened.
    pub fn door(&self) -> (Door, Vec<String>) {
        self.door_at(self.hierarchies.mounts())
    }

    /// As [`Group::door`], where shims need a group; makes it first.
    pub fn door_for_shim(&self) -> (Door, Vec<String>) {
        let mut warnings = Vec::new();
        if let Some(unified) = &self.hierarchies.unified {
            warnings.extend(unified.delegate(&self.path));
        }
        for mount in self.hierarchies.shim_mounts() {
            let directory = mount.join(&self.path);
            if let Err(error) = std::fs::create_dir_all(&directory) {
                warnings.push(format!("no control group {}: {error}", directory.display()));
            }
        }
        let (door, closed) = self.door_at(self.hierarchies.shim_mounts());
        warnings.extend(closed);
        (door, warnings)
    }

    fn door_at<'m>(&self, mounts: impl IntoIterator<Item = &'m Path>) -> (Door, Vec<String>) {
        let mut door = Door { unified: None, tasks: Vec::new() };
        let mut warnings = Vec::new();
        let unified = self.hierarchies.unified.as_ref().map(|unified| unified.mount.as_path());
        for mount in mounts {
            let directory = mount.join(&self.path);
            let opened = if unified == Some(mount) {
                File::open(&directory).map(|file| door.unified = Some((file, directory.join("cgroup.procs"))))
            } else {
                OpenOptions::new().write(true).open(directory.join("tasks")).map(|file| door.tasks.push(file))
            };
            if let Err(error) = opened {
                warnings.push(format!("could not enter {}: {error}", directory.display()));
            }
        }
        (door, warnings)
    }
}

impl Door {
    /// Where the process has to be born; `None` if there is no tree of version 2.
    pub fn birthplace(&self) -> Option<BorrowedFd<'_>> {
        self.unified.as_ref().map(|(directory, _)| directory.as_fd())
    }

    /// The calling process, which has one thread, enters the groups of version 1.
    ///
    /// # Errors
    /// When the kernel refuses to let it in.
    pub fn enter(&self) -> io::Result<()> {
        self.tasks.iter().try_for_each(|mut tasks| tasks.write_all(b"0"))
    }

    /// Moves a process in that could not be born there: on kernels before 5.7.
    pub fn admit(&self, pid: i32) -> Option<String> {
        let (_, file) = self.unified.as_ref()?;
        let error = std::fs::write(file, pid.to_string()).err()?;
        Some(format!("could not enter {}: {error}", file.display()))
    }
}
