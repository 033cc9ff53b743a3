//! The Python version that an app asks for, in one of the files in which it can.

use super::manager::Manager;
use super::words::PythonError;
use crate::source::has_file;
use std::path::Path;

/// A version as a file names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// `3.13` or `3.13.5`.
    pub(super) text: String,
    pub(super) series: Series,
    /// The file that says so.
    pub(super) file: &'static str,
}

/// What two versions have in common that programs are installed for: `3.13`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Series(pub(super) u32, pub(super) u32);

impl std::fmt::Display for Series {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

impl Series {
    /// The series of `3.13` or `3.13.5`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let plain = |part: &str| part == "0" || (!part.starts_with('0') && !part.starts_with('+'));
        let parts: Vec<&str> = text.split('.').collect();
        let numbers: Option<Vec<u32>> =
            parts.iter().map(|part| part.parse().ok().filter(|_| plain(part))).collect();
        match numbers?.as_slice() {
            [major, minor] | [major, minor, _] => Some(Self(*major, *minor)),
            _ => None,
        }
    }
}

const RUNTIME: &str = "runtime.txt";
const VERSION: &str = ".python-version";

/// Names that are meant to be `.python-version` (heroku-buildpack-python has collected them).
const MISSPELLED: [&str; 20] = [
    " .python-version",
    ". python-version",
    ".python_version.txt",
    ".python_version",
    ".python-version ",
    ",python-version",
    ".python-version.",
    ".python-version.py",
    ".python-version.rtf",
    ".python-version.txt",
    ".python-version.TXT",
    ".Python-version",
    ".python.version",
    ".pythonversion",
    "'.python-version'",
    "python_version.txt",
    "python_version",
    "python-version.",
    "python-version.txt",
    "python-version",
];

/// What can be wrong with a file that names a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    /// What it begins with, for people.
    Encoding(&'static str),
    Empty,
    Several(Vec<String>),
    NoVersion(String),
}

/// Reads a file of the app.
pub(super) type Read<'a> = &'a dyn Fn(&'static str) -> Result<Option<Vec<u8>>, PythonError>;

/// The version that is asked for, in the order of Heroku's buildpack: runtime.txt, .python-version,
/// Pipfile.lock.
pub(super) fn asked(tree: &Path, manager: Manager, read: Read<'_>) -> Result<Option<Asked>, PythonError> {
    let bad = |file| move |problem| PythonError::BadVersion { file, problem };
    if let Some(content) = read(RUNTIME)? {
        if manager == Manager::Uv {
            return Err(PythonError::RuntimeWithUv);
        }
        let text = one_line(&content).map_err(bad(RUNTIME))?;
        let version = text.strip_prefix("python-").and_then(|version| of(version, RUNTIME));
        let problem = || PythonError::BadVersion { file: RUNTIME, problem: Problem::NoVersion(text.clone()) };
        return version.ok_or_else(problem).map(Some);
    }
    if let Some(name) = MISSPELLED.into_iter().find(|name| has_file(tree, name)) {
        return Err(PythonError::Misspelled(name));
    }
    if let Some(content) = read(VERSION)? {
        let text = one_line(&content).map_err(bad(VERSION))?;
        let problem = || PythonError::BadVersion { file: VERSION, problem: Problem::NoVersion(text.clone()) };
        return of(&text, VERSION).ok_or_else(problem).map(Some);
    }
    if manager == Manager::Pipenv
        && let Some(content) = read(Manager::Pipenv.file())?
    {
        return of_pipfile(&content);
    }
    Ok(None)
}

fn of(text: &str, file: &'static str) -> Option<Asked> {
    Series::parse(text).map(|series| Asked { text: text.to_owned(), series, file })
}

/// The one line that is neither empty nor a comment.
fn one_line(content: &[u8]) -> Result<String, Problem> {
    let encoding = match content {
        [0xEF, 0xBB, 0xBF, ..] => Some("UTF-8 with a byte order mark"),
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => Some("UTF-16"),
        _ => None,
    };
    if let Some(encoding) = encoding {
        return Err(Problem::Encoding(encoding));
    }
    let text = std::str::from_utf8(content).map_err(|_| Problem::Encoding("something that is not UTF-8"))?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let lines: Vec<String> = lines.map(|line| line.escape_debug().to_string()).collect();
    match lines.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(Problem::Empty),
        _ => match lines.iter().find(|line| Series::parse(line).is_none()) {
            Some(line) => Err(Problem::NoVersion(line.clone())),
            None => Err(Problem::Several(lines)),
        },
    }
}

/// `python_full_version`, else `python_version`, of what the Pipfile requires.
fn of_pipfile(content: &[u8]) -> Result<Option<Asked>, PythonError> {
    let file = Manager::Pipenv.file();
    let lock: serde_json::Value = serde_json::from_slice(content)
        .map_err(|error| PythonError::BadFile { file: file.into(), why: error.to_string() })?;
    let requires = &lock["_meta"]["requires"];
    let named =
        ["python_full_version", "python_version"].into_iter().find_map(|name| requires[name].as_str());
    let Some(text) = named else { return Ok(None) };
    let problem =
        || PythonError::BadVersion { file, problem: Problem::NoVersion(text.escape_debug().to_string()) };
    of(text, file).ok_or_else(problem).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(manager: Manager, files: &[(&str, &[u8])]) -> Result<Option<String>, PythonError> {
        let tree = tempfile::tempdir().unwrap();
        for (name, content) in files {
            std::fs::write(tree.path().join(name), content).unwrap();
        }
        let read = |name: &'static str| Ok(std::fs::read(tree.path().join(name)).ok());
        let asked = asked(tree.path(), manager, &read)?;
        Ok(asked.map(|asked| format!("{} of {} in {}", asked.text, asked.series, asked.file)))
    }

    fn problem(content: &[u8]) -> Problem {
        match ask(Manager::Pip, &[(VERSION, content)]) {
            Err(PythonError::BadVersion { problem, .. }) => problem,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn of_a_version_the_first_two_numbers_count() {
        for (asked, expected) in [
            ("3.13", Some(Series(3, 13))),
            ("3.13.5", Some(Series(3, 13))),
            ("3.0", Some(Series(3, 0))),
            ("3", None),
            ("3.x", None),
            ("3.*", None),
            ("3.013", None),
            ("+3.1", None),
            ("3.13.5.1", None),
            ("", None),
        ] {
            assert_eq!(Series::parse(asked), expected, "{asked}");
        }
    }

    #[test]
    fn files_are_asked_in_heroku_s_order() {
        let lock = br#"{"_meta":{"requires":{"python_version":"3.11","python_full_version":"3.11.4"}}}"#;
        for (manager, files, expected) in [
            (Manager::Pip, &[][..], None),
            (
                Manager::Pip,
                &[(VERSION, &b"# ours\r\n\r\n 3.13 \r\n"[..])],
                Some("3.13 of 3.13 in .python-version"),
            ),
            (
                Manager::Pip,
                &[(VERSION, b"3.13"), (RUNTIME, b"python-3.11.2\n")],
                Some("3.11.2 of 3.11 in runtime.txt"),
            ),
            (Manager::Pipenv, &[("Pipfile.lock", lock)], Some("3.11.4 of 3.11 in Pipfile.lock")),
            (
                Manager::Pipenv,
                &[("Pipfile.lock", lock), (VERSION, b"3.13")],
                Some("3.13 of 3.13 in .python-version"),
            ),
            (Manager::Pipenv, &[("Pipfile.lock", br#"{"_meta":{"requires":{}}}"#)], None),
            (Manager::Pip, &[("Pipfile.lock", lock)], None),
        ] {
            assert_eq!(ask(manager, files).unwrap().as_deref(), expected, "{files:?}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_file_is_told() {
        for (content, expected) in [
            (&b""[..], Problem::Empty),
            (b"# 3.13\n", Problem::Empty),
            (b"3.13\n3.11\n", Problem::Several(vec!["3.13".into(), "3.11".into()])),
            (b"3.13\nthree\n", Problem::NoVersion("three".into())),
            (b"python-3.13", Problem::NoVersion("python-3.13".into())),
            ("3.13\u{200b}".as_bytes(), Problem::NoVersion("3.13\\u{200b}".into())),
            (b"\xEF\xBB\xBF3.13", Problem::Encoding("UTF-8 with a byte order mark")),
            (b"\xFF\xFE3\x00.\x001\x00", Problem::Encoding("UTF-16")),
            (b"3.13\xE9", Problem::Encoding("something that is not UTF-8")),
        ] {
            assert_eq!(problem(content), expected, "{content:?}");
        }
        let runtime = ask(Manager::Pip, &[(RUNTIME, b"3.13")]).unwrap_err();
        assert!(matches!(runtime, PythonError::BadVersion { file: RUNTIME, .. }), "{runtime:?}");
        let with_uv = ask(Manager::Uv, &[(RUNTIME, b"python-3.13")]).unwrap_err();
        assert!(matches!(with_uv, PythonError::RuntimeWithUv), "{with_uv:?}");
        let misspelled = ask(Manager::Pip, &[("python-version", b"3.13")]).unwrap_err();
        assert!(matches!(misspelled, PythonError::Misspelled("python-version")), "{misspelled:?}");
        let lock = ask(Manager::Pipenv, &[("Pipfile.lock", b"{")]).unwrap_err();
        assert!(matches!(lock, PythonError::BadFile { .. }), "{lock:?}");
    }
}
