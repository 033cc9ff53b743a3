//! `.slugignore`: files that are in the repository but not wanted in the slug. They go before any
//! buildpack sees them. The patterns are `.gitignore`'s without negation, as on Heroku.

use crate::{BuildError, source};
use ignore::gitignore::GitignoreBuilder;
use std::path::Path;

/// A line that is no pattern.
#[derive(Debug, thiserror::Error)]
pub enum BadPattern {
    #[error("line {line}: negation with `!` is not supported")]
    Negation { line: usize },
    #[error("line {line}: {why}")]
    Glob { line: usize, why: String },
    #[error("it is not UTF-8 text")]
    NotText,
}

/// Removes from `tree` what its `.slugignore` names; returns how many files and directories went.
/// Links are removed, never followed.
pub(crate) fn apply(tree: &Path) -> Result<u64, BuildError> {
    let Some(bytes) = source::read_file(tree, ".slugignore")? else { return Ok(0) };
    let text = std::str::from_utf8(&bytes).map_err(|_| BuildError::SlugIgnore(BadPattern::NotText))?;
    let matcher = parse(tree, text).map_err(BuildError::SlugIgnore)?;
    prune(tree, &|path, is_directory| Fate::of(matcher.matched(path, is_directory).is_ignore()))
        .map_err(BuildError::system("removing what .slugignore names"))
}

/// What becomes of a file or directory.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Of a directory: with everything in it.
    Remove,
    /// Of a directory: what is in it is asked for in turn.
    Look,
    /// With everything in it.
    Keep,
    /// As `Look`; and then the directory itself, if nothing is left in it.
    RemoveIfEmpty,
}

impl Fate {
    /// Of what is matched by patterns of what is not wanted.
    pub(crate) fn of(is_ignored: bool) -> Self {
        if is_ignored { Self::Remove } else { Self::Look }
    }
}

/// Removes from `tree` what `fate` says, by path inside it and whether it is a directory; returns how
/// many files and directories went. Links are removed, never followed.
pub(crate) fn prune(tree: &Path, fate: &dyn Fn(&Path, bool) -> Fate) -> std::io::Result<u64> {
    prune_below(tree, tree, fate)
}

fn parse(root: &Path, text: &str) -> Result<ignore::gitignore::Gitignore, BadPattern> {
    let mut builder = GitignoreBuilder::new(root);
    let mut last = 0;
    for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let number = index + 1;
        if line.starts_with('!') {
            return Err(BadPattern::Negation { line: number });
        }
        builder
            .add_line(None, line)
            .map_err(|error| BadPattern::Glob { line: number, why: error.to_string() })?;
        last = number;
    }
    builder.build().map_err(|error| BadPattern::Glob { line: last, why: error.to_string() })
}

fn prune_below(root: &Path, directory: &Path, fate: &dyn Fn(&Path, bool) -> Fate) -> std::io::Result<u64> {
    let mut removed = 0;
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let path = entry.path();
        let is_directory = entry.file_type()?.is_dir();
        let inside = path.strip_prefix(root).unwrap_or(&path);
        match fate(inside, is_directory) {
            Fate::Keep => {}
            Fate::Remove if is_directory => {
                removed += 1;
                std::fs::remove_dir_all(&path)?;
            }
            Fate::Remove => {
                removed += 1;
                std::fs::remove_file(&path)?;
            }
            Fate::Look | Fate::RemoveIfEmpty if !is_directory => {}
            fate_of_directory => {
                removed += prune_below(root, &path, fate)?;
                let empty = fate_of_directory == Fate::RemoveIfEmpty && path.read_dir()?.next().is_none();
                if empty {
                    removed += 1;
                    std::fs::remove_dir(&path)?;
                }
            }
        }
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes the files, applies the patterns and lists what is left.
    fn left(patterns: &str, files: &[&str]) -> Vec<String> {
        let tree = tempfile::tempdir().unwrap();
        for file in files {
            let path = tree.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        std::fs::write(tree.path().join(".slugignore"), patterns).unwrap();
        apply(tree.path()).unwrap();
        let mut found: Vec<_> =
            files.iter().filter(|file| tree.path().join(file).exists()).map(ToString::to_string).collect();
        found.sort();
        found
    }

    #[test]
    fn patterns_mean_what_they_mean_in_gitignore() {
        let files = ["a.psd", "b.txt", "docs/c.pdf", "docs/d.txt", "spec/x.js", "lib/spec/y.js", "log"];
        for (patterns, kept) in [
            ("", &files[..]),
            ("# all\n\n", &files[..]),
            ("*.psd", &["b.txt", "docs/c.pdf", "docs/d.txt", "lib/spec/y.js", "log", "spec/x.js"][..]),
            ("/spec", &["a.psd", "b.txt", "docs/c.pdf", "docs/d.txt", "lib/spec/y.js", "log"][..]),
            ("spec/", &["a.psd", "b.txt", "docs/c.pdf", "docs/d.txt", "log"][..]),
            ("docs/*.pdf", &["a.psd", "b.txt", "docs/d.txt", "lib/spec/y.js", "log", "spec/x.js"][..]),
            ("log/", &files[..]),
            ("**/y.js\nlog\r\n", &["a.psd", "b.txt", "docs/c.pdf", "docs/d.txt", "spec/x.js"][..]),
        ] {
            let mut kept: Vec<_> = kept.iter().map(ToString::to_string).collect();
            kept.sort();
            assert_eq!(left(patterns, &files), kept, "{patterns:?}");
        }
    }

    #[test]
    fn a_link_is_removed_and_what_it_points_at_stays() {
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("keep"), "").unwrap();
        let tree = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(outside.path(), tree.path().join("link")).unwrap();
        std::os::unix::fs::symlink(outside.path(), tree.path().join("other")).unwrap();
        std::fs::write(tree.path().join(".slugignore"), "link\nkeep\n").unwrap();
        assert_eq!(apply(tree.path()).unwrap(), 1);
        assert!(outside.path().join("keep").exists());
        assert!(tree.path().join("other").is_symlink());
    }

    #[test]
    fn refuses_what_it_does_not_understand() {
        for (text, words) in [("a\n!b", "line 2: negation"), ("[z-a]", "line 1: ")] {
            let error = parse(Path::new("/"), text).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
