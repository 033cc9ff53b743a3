//! The files of an image as a container sees them, without mounting anything.
//!
//! The same rules as overlayfs': what an upper layer has hides what lower ones have, whiteouts hide
//! it, and so do opaque directories. Symbolic links are followed inside of the image.

use crate::beneath::{open_directory, open_no_links};
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, FileType, OFlags, getxattr, readlinkat, statat};
use rustix::io::Errno;
use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// Links that one path may lead through.
const MAX_LINKS: usize = 40;

/// The unpacked layers of an image, to look things up in.
#[derive(Debug)]
pub struct View {
    /// Uppermost first.
    layers: Vec<PathBuf>,
}

/// What stands at one place of one layer.
enum Entry {
    Directory,
    File,
    Link(OsString),
    Other,
}

/// What one layer says about a path.
enum Said {
    /// It is this.
    Is(Entry),
    /// It is not here, and what lower layers have is hidden.
    Hidden,
    /// Ask the next layer.
    Nothing,
}

impl View {
    /// Of layers as [`ImageStore::layers`](crate::ImageStore::layers) gives them, lowest first.
    pub fn new(mut layers: Vec<PathBuf>) -> Self {
        layers.reverse();
        Self { layers }
    }

    /// Whether there is a file at this path.
    pub fn has_file(&self, path: &str) -> io::Result<bool> {
        Ok(self.find(Path::new(path))?.is_some())
    }

    /// The content of a file of at most `limit` bytes; `None` if there is no such file, or a larger one.
    pub fn read(&self, path: &str, limit: u64) -> io::Result<Option<Vec<u8>>> {
        let Some((layer, path)) = self.find(Path::new(path))? else { return Ok(None) };
        let root = open_directory(&self.layers[layer])?;
        let file = File::from(open_no_links(&root, &path, OFlags::RDONLY | OFlags::NONBLOCK)?);
        let mut content = Vec::new();
        file.take(limit + 1).read_to_end(&mut content)?;
        Ok(Some(content).filter(|content| content.len() as u64 <= limit))
    }

    /// The layer that has the file, and its path there without links.
    fn find(&self, path: &Path) -> io::Result<Option<(usize, PathBuf)>> {
        let roots =
            self.layers.iter().map(|layer| Ok(open_directory(layer)?)).collect::<io::Result<Vec<_>>>()?;
        let mut rest: VecDeque<OsString> = names(path);
        let mut place = PathBuf::new();
        let mut links = 0;
        while let Some(name) = rest.pop_front() {
            if name == ".." {
                place.pop();
                continue;
            }
            let next = place.join(&name);
            let Some((layer, entry)) = entry(&roots, &next)? else { return Ok(None) };
            match entry {
                Entry::Directory => place = next,
                Entry::File if rest.is_empty() => return Ok(Some((layer, next))),
                Entry::Link(target) => {
                    links += 1;
                    if links > MAX_LINKS {
                        return Ok(None);
                    }
                    let target = Path::new(&target);
                    if target.is_absolute() {
                        place = PathBuf::new();
                    }
                    for name in names(target).into_iter().rev() {
                        rest.push_front(name);
                    }
                }
                Entry::File | Entry::Other => return Ok(None),
            }
        }
        Ok(None)
    }
}

fn names(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some("..".into()),
            _ => None,
        })
        .collect()
}

fn entry(roots: &[OwnedFd], path: &Path) -> io::Result<Option<(usize, Entry)>> {
    for (layer, root) in roots.iter().enumerate() {
        match said(root, path)? {
            Said::Is(entry) => return Ok(Some((layer, entry))),
            Said::Hidden => return Ok(None),
            Said::Nothing => {}
        }
    }
    Ok(None)
}

fn said(root: &OwnedFd, path: &Path) -> io::Result<Said> {
    let above = path.parent().unwrap_or(Path::new(""));
    let name = path.file_name().unwrap_or_default();
    let parent = match open_no_links(root, above, OFlags::DIRECTORY | OFlags::PATH) {
        Ok(parent) => parent,
        Err(Errno::NOENT) => return Ok(Said::Nothing),
        // In the place of a directory of lower layers there is something else here, or the path is
        // none that any file can have.
        Err(Errno::NOTDIR | Errno::LOOP | Errno::NAMETOOLONG) => return Ok(Said::Hidden),
        Err(errno) => return Err(errno.into()),
    };
    let stat = match statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => stat,
        Err(Errno::NOENT) => {
            return Ok(if is_opaque_somewhere(root, above) { Said::Hidden } else { Said::Nothing });
        }
        Err(Errno::NAMETOOLONG) => return Ok(Said::Hidden),
        Err(errno) => return Err(errno.into()),
    };
    Ok(match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => Said::Is(Entry::Directory),
        FileType::RegularFile => Said::Is(Entry::File),
        FileType::Symlink => {
            let target = readlinkat(&parent, name, Vec::new())?;
            Said::Is(Entry::Link(OsStr::from_bytes(target.as_bytes()).to_owned()))
        }
        FileType::CharacterDevice if stat.st_rdev == 0 => Said::Hidden,
        _ => Said::Is(Entry::Other),
    })
}

/// Whether a directory on the way hides what lower layers have in it.
fn is_opaque_somewhere(root: &OwnedFd, directory: &Path) -> bool {
    directory.ancestors().any(|directory| {
        open_no_links(root, directory, OFlags::DIRECTORY | OFlags::RDONLY).is_ok_and(|opened| {
            let path = format!("/proc/self/fd/{}", opened.as_raw_fd());
            let mut value = [0; 1];
            getxattr(path.as_str(), "trusted.overlay.opaque", &mut value[..]) == Ok(1) && value == *b"y"
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Archive;
    use crate::{UnpackOptions, unpack};

    fn view(layers: [Archive; 2]) -> (View, tempfile::TempDir) {
        let dir = tempfile::tempdir_in("/var/tmp").unwrap();
        let mut places = Vec::new();
        for (number, layer) in layers.into_iter().enumerate() {
            let place = dir.path().join(number.to_string());
            std::fs::create_dir(&place).unwrap();
            unpack(layer.end().as_slice(), &place, &UnpackOptions::layer()).unwrap();
            places.push(place);
        }
        (View::new(places), dir)
    }

    fn read(view: &View, path: &str) -> Option<String> {
        view.read(path, 100).unwrap().map(|content| String::from_utf8(content).unwrap())
    }

    #[test]
    fn upper_layers_win_and_links_lead_through_the_image() {
        let lower = Archive::default()
            .dir("usr")
            .dir("usr/bin")
            .file("usr/bin/sh", "lower")
            .symlink("bin", "usr/bin")
            .file("etc/passwd", "lower")
            .symlink("absolute", "/etc/passwd")
            .symlink("up", "../../etc/passwd")
            .symlink("loop", "loop")
            .symlink("gone", "/nowhere");
        let upper = Archive::default().file("etc/passwd", "upper").file("usr/bin/new", "new");
        let (view, _dir) = view([lower, upper]);
        for (path, content) in [
            ("/bin/sh", Some("lower")),
            ("bin/new", Some("new")),
            ("etc/passwd", Some("upper")),
            ("absolute", Some("upper")),
            ("up", Some("upper")),
            ("bin/../etc/passwd", None),
            ("loop", None),
            ("gone", None),
            ("bin", None),
            ("etc/passwd/x", None),
            ("", None),
        ] {
            assert_eq!(read(&view, path).as_deref(), content, "{path}");
        }
        assert!(view.has_file("/bin/sh").unwrap());
        assert_eq!(view.read("etc/passwd", 4).unwrap(), None, "larger than the limit");
    }

    #[test]
    fn links_to_what_no_file_can_be_called_lead_nowhere() {
        let dir = tempfile::tempdir_in("/var/tmp").unwrap();
        let link = |name: &str, target: String| {
            std::os::unix::fs::symlink(target, dir.path().join(name)).unwrap();
        };
        link("name", "n".repeat(300));
        link("directory", format!("{}/sh", "n".repeat(300)));
        // Each of them fits, and all together make a path that does not.
        std::fs::create_dir(dir.path().join("d")).unwrap();
        link("long", format!("{}long", "d/../".repeat(800)));
        let name = "d".repeat(200);
        link("deep", format!("{}sh", format!("{name}/").repeat(20)));
        let mut place = dir.path().to_owned();
        for _ in 0..17 {
            place.push(&name);
            std::fs::create_dir(&place).unwrap();
        }
        link(&format!("{}over", format!("{name}/").repeat(17)), format!("{}sh", "e/".repeat(2000)));
        link("end", format!("{}over", format!("{name}/").repeat(17)));
        let view = View::new(vec![dir.path().to_owned()]);
        for path in ["name", "directory", "long", "deep", "end"] {
            assert!(!view.has_file(path).unwrap(), "{path}");
        }
    }

    #[test]
    fn what_is_hidden_is_not_there() {
        let lower = Archive::default().file("a/file", "a").file("b/c/file", "b").file("d/file", "d");
        let upper =
            Archive::default().file("a/.wh.file", "").file("b/.wh..wh..opq", "").file("d", "a file now");
        let (view, _dir) = view([lower, upper]);
        for path in ["a/file", "b/c/file", "d/file"] {
            assert_eq!(read(&view, path), None, "{path}");
        }
        assert_eq!(read(&view, "d").as_deref(), Some("a file now"));
    }
}
