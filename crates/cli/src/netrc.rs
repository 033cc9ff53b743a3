//! The file in which curl, git and the official CLI keep logins: `~/.netrc`.
//!
//! Only the entry of one machine is ever changed; everything else, comments and macros included,
//! stays byte for byte as it was.

use anyhow::{Context, Result};
use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A file, read.
pub(crate) struct Netrc {
    path: PathBuf,
    text: String,
}

/// What an entry says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Login {
    pub(crate) login: String,
    pub(crate) password: String,
}

impl Netrc {
    /// Reads the file; a missing one is empty.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        Ok(Self { path: path.to_owned(), text })
    }

    /// The entry of `machine`.
    pub(crate) fn find(&self, machine: &str) -> Option<Login> {
        let (start, end) = self.entry(machine)?;
        let mut words = self.text[start..end].split_whitespace();
        let mut login = Login::default();
        while let Some(word) = words.next() {
            match word {
                "login" => words.next()?.clone_into(&mut login.login),
                "password" => words.next()?.clone_into(&mut login.password),
                _ => {}
            }
        }
        Some(login)
    }

    /// Sets the entry of `machine`, and writes the file.
    pub(crate) fn set(&mut self, machine: &str, login: &Login) -> Result<()> {
        self.cut(machine);
        if !self.text.is_empty() && !self.text.ends_with('\n') {
            self.text.push('\n');
        }
        let entry = format!("machine {machine}\n  login {}\n  password {}\n", login.login, login.password);
        // A `default` entry ends the search, so ours goes before it.
        let place = self.words().find(|(_, word)| *word == "default").map_or(self.text.len(), |(at, _)| at);
        self.text.insert_str(place, &entry);
        self.write()
    }

    /// Removes the entry of `machine`, and writes the file if there was one.
    pub(crate) fn remove(&mut self, machine: &str) -> Result<()> {
        if self.cut(machine) { self.write() } else { Ok(()) }
    }

    fn cut(&mut self, machine: &str) -> bool {
        let Some((start, end)) = self.entry(machine) else { return false };
        self.text.replace_range(start..end, "");
        true
    }

    /// Where the entry of `machine` begins and ends.
    fn entry(&self, machine: &str) -> Option<(usize, usize)> {
        let words: Vec<(usize, &str)> = self.words().collect();
        let position = words.windows(2).position(|pair| pair[0].1 == "machine" && pair[1].1 == machine)?;
        let is_next = |(_, word): &&(usize, &str)| matches!(*word, "machine" | "default" | "macdef");
        let end = words[position + 2..].iter().find(is_next).map_or(self.text.len(), |(at, _)| *at);
        Some((words[position].0, end))
    }

    /// Words with their places, without comments and the bodies of macros.
    fn words(&self) -> impl Iterator<Item = (usize, &str)> {
        let mut in_macro = false;
        let mut at = 0;
        self.text.split_inclusive('\n').flat_map(move |line| {
            let start = at;
            at += line.len();
            if in_macro {
                in_macro = !line.trim().is_empty();
                return Vec::new();
            }
            in_macro = line.trim_start().starts_with("macdef");
            let mut words = Vec::new();
            let mut offset = 0;
            for word in line.split_whitespace() {
                if word.starts_with('#') {
                    break;
                }
                let place = offset + line[offset..].find(word).unwrap_or_default();
                words.push((start + place, word));
                offset = place + word.len();
            }
            words
        })
    }

    /// Replaces the file as a whole, for its owner's eyes only.
    fn write(&self) -> Result<()> {
        // A link stays a link: some keep the file elsewhere.
        let target = fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        let draft = target.with_extension(format!("kigo-{}", std::process::id()));
        let written = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&draft)
            .and_then(|mut file| file.write_all(self.text.as_bytes()).and_then(|()| file.sync_all()))
            .and_then(|()| fs::rename(&draft, &target));
        if written.is_err() {
            let _ = fs::remove_file(&draft);
        }
        written.with_context(|| format!("cannot write {}", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    const OTHERS: &str = "# mine\nmachine api.heroku.com\n  login a@b\n  password real # kept\nmachine localhost login x password y\n\
                          macdef init\nmachine localhost:5000 password trap\n\ndefault login anonymous password me\n";

    fn open(text: &str) -> (tempfile::TempDir, Netrc) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(".netrc");
        fs::write(&path, text).unwrap();
        let netrc = Netrc::read(&path).unwrap();
        (directory, netrc)
    }

    #[test]
    fn entries_are_found_by_their_whole_name() {
        let (_directory, netrc) = open(OTHERS);
        assert_eq!(netrc.find("api.heroku.com").unwrap().password, "real");
        assert_eq!(netrc.find("localhost").unwrap().login, "x");
        assert_eq!(netrc.find("localhost:5000"), None, "what stands in a macro is no entry");
    }

    #[test]
    fn everything_else_stays_as_it_was() {
        let (directory, mut netrc) = open(OTHERS);
        let login = Login { login: "me@example.com".into(), password: "token".into() };
        netrc.set("localhost:5000", &login).unwrap();
        let path = directory.path().join(".netrc");
        let again = Netrc::read(&path).unwrap();
        assert_eq!(again.find("localhost:5000"), Some(login.clone()));
        assert!(again.text.ends_with("default login anonymous password me\n"));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        netrc.set("localhost:5000", &login).unwrap();
        netrc.remove("localhost:5000").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), OTHERS);
    }

    #[test]
    fn a_missing_file_is_made() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(".netrc");
        let mut netrc = Netrc::read(&path).unwrap();
        netrc.set("h", &Login { login: "l".into(), password: "p".into() }).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "machine h\n  login l\n  password p\n");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "no drafts are left");
    }
}
