//! Where symbolic links of sources lead.

use super::{Rule, UnpackError};
use crate::beneath::open_links_inside;
use rustix::fd::AsFd;
use rustix::fs::OFlags;
use rustix::io::Errno;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path};

/// Checks that a symbolic link below `root` cannot lead outside: neither by what its target says,
/// nor by way of the other links that are there now.
pub(super) fn check_inside(root: impl AsFd, link: &Path) -> Result<(), UnpackError> {
    let target = rustix::fs::readlinkat(&root, link, Vec::new())
        .map_err(|errno| UnpackError::Write { entry: link.display().to_string(), source: errno.into() })?;
    let target = Path::new(std::ffi::OsStr::from_bytes(target.as_bytes()));
    let leaves = || UnpackError::Forbidden {
        entry: link.display().to_string(),
        rule: Rule::LinkLeaves { target: target.display().to_string() },
    };
    // A target that does not exist is judged by its words alone.
    if !stays_inside(link, target) {
        return Err(leaves());
    }
    // One that does exist, or begins to, by where the kernel gets to.
    match open_links_inside(root, link, OFlags::PATH) {
        Err(Errno::XDEV) => Err(leaves()),
        _ => Ok(()),
    }
}

/// Whether `target`, seen from `link`, stays below the root, no other link regarded.
fn stays_inside(link: &Path, target: &Path) -> bool {
    let mut depth = link.components().count() - 1;
    for component in target.components() {
        match component {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir => match depth.checked_sub(1) {
                Some(up) => depth = up,
                None => return false,
            },
            Component::RootDir | Component::Prefix(_) => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_targets() {
        for (link, target, inside) in [
            ("a", "b", true),
            ("a/b", "../c", true),
            ("a/b", "../..", false),
            ("a", "..", false),
            ("a", "x/../../y", false),
            ("a", "/etc", false),
            ("a/b/c", "../../d/../e", true),
        ] {
            assert_eq!(stays_inside(Path::new(link), Path::new(target)), inside, "{link} -> {target}");
        }
    }
}
