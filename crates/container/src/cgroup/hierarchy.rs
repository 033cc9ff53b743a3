//! Which controllers this machine has, and where.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The mounted control group trees that are of use here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hierarchies {
    /// Version 1: where each controller is mounted.
    pub(super) v1: BTreeMap<&'static str, PathBuf>,
    pub(super) unified: Option<Unified>,
    /// Where systemd keeps its books if not in the tree of version 2: by them it ends a service.
    pub(super) systemd: Option<PathBuf>,
}

/// The tree of version 2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unified {
    pub mount: PathBuf,
    /// Those of the controllers below that this tree has and version 1 has not.
    pub controllers: BTreeSet<String>,
}

/// Which of the two a file belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    One,
    Two,
}

const CONTROLLERS: [&str; 5] = ["memory", "cpu", "cpuacct", "pids", "freezer"];

impl Hierarchies {
    /// Looks at what is mounted.
    pub fn detect() -> io::Result<Self> {
        Self::parse(&fs::read_to_string("/proc/self/mountinfo")?)
    }

    /// From the text of `/proc/PID/mountinfo` (proc(5)); reads `cgroup.controllers` of the version
    /// 2 tree it names.
    pub fn parse(mountinfo: &str) -> io::Result<Self> {
        let mut found = Self::default();
        for line in mountinfo.lines() {
            // ID PARENT DEVICE ROOT MOUNTPOINT OPTIONS [TAGS...] - TYPE SOURCE SUPEROPTIONS
            let Some((left, right)) = line.split_once(" - ") else { continue };
            let Some(mount) = left.split(' ').nth(4) else { continue };
            let mut right = right.split(' ');
            match right.next() {
                Some("cgroup") => {
                    let options: Vec<&str> = right.nth(1).unwrap_or_default().split(',').collect();
                    for controller in CONTROLLERS.into_iter().filter(|name| options.contains(name)) {
                        found.v1.entry(controller).or_insert_with(|| mount.into());
                    }
                    if options.contains(&"name=systemd") {
                        found.systemd = Some(mount.into());
                    }
                }
                Some("cgroup2") if found.unified.is_none() => {
                    let text = fs::read_to_string(Path::new(mount).join("cgroup.controllers"))?;
                    let controllers = text.split_whitespace().map(str::to_owned).collect();
                    found.unified = Some(Unified { mount: mount.into(), controllers });
                }
                _ => {}
            }
        }
        if let Some(unified) = &mut found.unified {
            unified.controllers.retain(|name| CONTROLLERS.contains(&name.as_str()));
        }
        Ok(found)
    }

    /// Whether a controller can be used at all.
    pub(super) fn has(&self, controller: &str) -> bool {
        self.v1.contains_key(controller)
            || self.unified.as_ref().is_some_and(|unified| unified.controllers.contains(controller))
    }

    /// Where the controller is mounted in that version.
    pub(super) fn mount_of(&self, controller: &str, version: Version) -> Option<&Path> {
        match version {
            Version::One => self.v1.get(controller).map(PathBuf::as_path),
            Version::Two => self
                .unified
                .as_ref()
                .filter(|unified| unified.controllers.contains(controller))
                .map(|unified| unified.mount.as_path()),
        }
    }

    /// Where a shim must be moved, for nobody to end it together with the server, and for its own
    /// memory not to count as the server's.
    pub(super) fn shim_mounts(&self) -> impl Iterator<Item = &Path> {
        let unified = self.unified.iter().map(|unified| &unified.mount);
        self.v1.get("memory").into_iter().chain(unified).chain(&self.systemd).map(PathBuf::as_path)
    }

    /// Every mount point once. The version 2 tree is among them even without controllers.
    pub(super) fn mounts(&self) -> BTreeSet<&Path> {
        let unified = self.unified.iter().map(|unified| unified.mount.as_path());
        self.v1.values().map(PathBuf::as_path).chain(unified).collect()
    }
}

impl Unified {
    /// Lets the groups above `group` hand their controllers down: writes `cgroup.subtree_control`
    /// from the root on. Returns what could not be handed down.
    pub(super) fn delegate(&self, group: &Path) -> Vec<String> {
        let mut warnings = Vec::new();
        let mut directory = self.mount.clone();
        for part in group.components() {
            let file = directory.join("cgroup.subtree_control");
            let enabled = fs::read_to_string(&file).unwrap_or_default();
            for controller in &self.controllers {
                if enabled.split_whitespace().any(|name| name == controller) {
                    continue;
                }
                if let Err(error) = fs::write(&file, format!("+{controller}")) {
                    warnings.push(format!("could not hand {controller} down in {}: {error}", file.display()));
                }
            }
            directory.push(part);
            if let Err(error) = fs::create_dir(&directory)
                && error.kind() != io::ErrorKind::AlreadyExists
            {
                warnings.push(format!("no control group {}: {error}", directory.display()));
                break;
            }
        }
        warnings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_1_controllers_are_found_where_they_are_mounted_even_two_on_one() {
        let found = Hierarchies::parse(
            "25 24 0:22 / /sys/fs/cgroup ro - tmpfs tmpfs ro,mode=755\n\
             30 25 0:26 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n\
             31 25 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
             32 25 0:28 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n",
        )
        .unwrap();
        assert_eq!(found.mount_of("cpuacct", Version::One).unwrap(), Path::new("/sys/fs/cgroup/cpu,cpuacct"));
        assert_eq!(found.mounts().len(), 2);
        assert!(!found.has("pids"));
        assert_eq!(
            found.shim_mounts().collect::<Vec<_>>(),
            ["/sys/fs/cgroup/memory", "/sys/fs/cgroup/systemd"].map(Path::new)
        );
    }

    #[test]
    fn a_version_2_tree_counts_with_the_controllers_it_lists() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("cgroup.controllers"), "cpuset cpu io memory hugetlb pids\n")
            .unwrap();
        let line =
            format!("30 25 0:26 / {} rw - cgroup2 cgroup2 rw,nsdelegate\n", directory.path().display());
        let found = Hierarchies::parse(&line).unwrap();
        assert_eq!(found.mount_of("memory", Version::Two).unwrap(), directory.path());
        assert_eq!(found.mount_of("memory", Version::One), None);
        assert!(found.has("pids") && !found.has("freezer"));
    }

    #[test]
    fn controllers_are_handed_down_from_the_root_to_the_parent_but_not_to_the_leaf() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("cgroup.subtree_control"), "pids\n").unwrap();
        let controllers = ["memory".to_owned(), "pids".to_owned()].into();
        let unified = Unified { mount: directory.path().into(), controllers };
        assert_eq!(unified.delegate(Path::new("kigo-test/leaf")), [""; 0]);
        assert_eq!(fs::read_to_string(directory.path().join("cgroup.subtree_control")).unwrap(), "+memory");
        assert!(directory.path().join("kigo-test/cgroup.subtree_control").exists());
        assert!(!directory.path().join("kigo-test/leaf/cgroup.subtree_control").exists());
    }
}
