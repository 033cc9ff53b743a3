//! The source of a build: an archive that a stranger sent becomes a directory.

use crate::{BuildError, BuildRequest, Builder, slugignore};
use domain::Digest;
use image::{UnpackOptions, unpack};
use std::path::{Component, Path, PathBuf};
use std::time::UNIX_EPOCH;

/// User and group that own an app's files, in sources, builds and dynos.
pub(crate) const OWNER: u32 = 1000;

/// Bytes of a file that describes an app, at most: of a lockfile, which lists packages by the
/// thousand, and of others. They are read into this process, which is everybody's.
const LOCKFILE_LIMIT: u64 = 8 << 20;
const LOCKFILES: [&str; 3] = ["package-lock.json", "npm-shrinkwrap.json", "pnpm-lock.yaml"];
const DESCRIPTION_LIMIT: u64 = 256 << 10;

/// Unpacks the source of `request` into the empty directory `tree` and, if it is to be left out, removes
/// what the app's `.slugignore` names. Returns the time of the newest file, in seconds since 1970.
pub(crate) fn prepare(
    builder: &Builder,
    request: &BuildRequest,
    tree: &Path,
    leave_out: bool,
) -> Result<u64, BuildError> {
    unpack_into(builder, request.source, tree)?;
    // As on Heroku: what is in the repository but belongs to the machine it came from. Of what a
    // Dockerfile gets, .dockerignore tells.
    let of_images = request.stack == crate::images::STACK;
    for name in [".git", "tmp", "log"] {
        let path = tree.join(name);
        if of_images && name != ".git" {
            continue;
        }
        if path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir()) {
            let keep = name != ".git";
            empty(&path, keep).map_err(BuildError::system("removing what does not belong into a slug"))?;
        }
    }
    if leave_out && !of_images {
        slugignore::apply(tree)?;
    }
    newest(tree).map_err(BuildError::system("reading the times of the source"))
}

/// Unpacks a source into the empty directory `tree`.
pub(crate) fn unpack_into(builder: &Builder, source: Digest, tree: &Path) -> Result<(), BuildError> {
    let blob = builder.images.open_blob(&source)?;
    let mut options = UnpackOptions::source(OWNER, OWNER);
    options.limits.bytes = builder.settings.source_limit;
    unpack(std::io::BufReader::new(blob), tree, &options).map_err(BuildError::Source)?;
    Ok(())
}

fn empty(directory: &Path, keep: bool) -> std::io::Result<()> {
    std::fs::remove_dir_all(directory)?;
    if keep {
        std::fs::create_dir(directory)?;
        std::os::unix::fs::chown(directory, Some(OWNER), Some(OWNER))?;
    }
    Ok(())
}

fn newest(directory: &Path) -> std::io::Result<u64> {
    let mut time = 0;
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        if metadata.is_dir() {
            time = time.max(newest(&entry.path())?);
        } else if let Ok(age) = metadata.modified()?.duration_since(UNIX_EPOCH) {
            time = time.max(age.as_secs());
        }
    }
    Ok(time)
}

/// Reads a small regular file of a tree; links that leave the tree are refused. `None` if there is
/// no such file.
pub(crate) fn read_file(tree: &Path, name: &str) -> Result<Option<Vec<u8>>, BuildError> {
    // `yarn.lock`, `composer.lock` and so on; requirements files, of any name, may list the hashes of
    // everything.
    let extension = Path::new(name).extension();
    let lists = extension.is_some_and(|extension| extension == "lock" || extension == "txt");
    let limit = if lists || LOCKFILES.contains(&name) { LOCKFILE_LIMIT } else { DESCRIPTION_LIMIT };
    image::read_small_file(tree, Path::new(name), limit).map_err(BuildError::AppFile)
}

/// A file's text, or the line on which it is none.
pub(crate) fn text_of(bytes: &[u8]) -> Result<&str, usize> {
    std::str::from_utf8(bytes).map_err(|error| bytes[..error.valid_up_to()].split(|b| *b == b'\n').count())
}

/// Where a path of an app is, unless it leads through a link: what a build left may lead anywhere, and
/// only small files are read in a way that minds. What is at the path itself may be a link.
pub(crate) fn place_without_links(tree: &Path, path: &Path) -> Option<PathBuf> {
    let mut place = tree.to_path_buf();
    for component in path.components() {
        match component {
            Component::Normal(name) => {
                if place != tree && place.is_symlink() {
                    return None;
                }
                place.push(name);
            }
            Component::CurDir => {}
            _ => return None,
        }
    }
    Some(place)
}

/// Whether a tree has such a regular file, possibly through links that stay inside.
pub(crate) fn has_file(tree: &Path, name: &str) -> bool {
    // A file too large to read is there nevertheless.
    tree.join(name).symlink_metadata().is_ok_and(|metadata| !metadata.is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_text_is_told_by_its_line() {
        assert_eq!(text_of("a\né".as_bytes()), Ok("a\né"));
        assert_eq!(text_of(b"\xff"), Err(1));
        assert_eq!(text_of(b"a\nb\n\xc3"), Err(3));
    }

    #[test]
    fn no_path_leads_through_a_link() {
        let tree = tempfile::tempdir().unwrap();
        let tree = tree.path();
        std::fs::create_dir(tree.join("real")).unwrap();
        std::os::unix::fs::symlink("/", tree.join("out")).unwrap();
        std::os::unix::fs::symlink("real", tree.join("real/in")).unwrap();
        for (path, ends) in [
            ("", Some("")),
            ("real/x", Some("real/x")),
            ("./real", Some("real")),
            ("out", Some("out")),
            ("out/etc/passwd", None),
            ("real/in/x", None),
            ("../x", None),
            ("/etc", None),
        ] {
            assert_eq!(
                place_without_links(tree, Path::new(path)),
                ends.map(|ends| tree.join(ends)),
                "{path}"
            );
        }
    }

    #[test]
    fn a_description_is_short() {
        let tree = tempfile::tempdir().unwrap();
        for (name, readable) in
            [("Procfile", false), (".slugignore", false), ("composer.lock", true), ("base.txt", true)]
        {
            std::fs::write(tree.path().join(name), vec![b'#'; 300 << 10]).unwrap();
            assert_eq!(read_file(tree.path(), name).is_ok(), readable, "{name}");
        }
    }
}
