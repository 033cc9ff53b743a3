//! The Procfile: which commands an app's process types run.

use crate::{NameError, ProcessType};
use std::collections::BTreeMap;

/// A parsed Procfile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Procfile(pub BTreeMap<ProcessType, String>);

/// Process types of one app at most. Each is looked after by the loops, whether it runs or not.
pub const MAX_PROCESS_TYPES: usize = 100;

impl Procfile {
    /// Reads a Procfile's text: one `type: command` a line, `#` comments and blank lines aside.
    /// Stricter than Heroku, which ignores what it cannot read: a line that is not understood is
    /// an error that names it, for a process type that silently does not exist helps nobody. The
    /// first of two lines for one type wins on Heroku; here the second is an error too.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let mut types = BTreeMap::new();
        for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let at = |what: &str| NameError(format!("Procfile line {}: {what}", index + 1));
            let (name, command) = line
                .split_once(':')
                .ok_or_else(|| at(&format!("expected `type: command`, found {line:?}")))?;
            let name = ProcessType::parse(name.trim()).map_err(|error| at(&error.0))?;
            let command = command.trim();
            if command.is_empty() {
                return Err(at(&format!("the process type {name} has no command")));
            }
            if types.insert(name.clone(), command.to_owned()).is_some() {
                return Err(at(&format!("the process type {name} is declared twice")));
            }
            if types.len() > MAX_PROCESS_TYPES {
                return Err(at(&format!("an app can have {MAX_PROCESS_TYPES} process types at most")));
            }
        }
        Ok(Self(types))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_types_comments_and_colons_in_commands() {
        let read = Procfile::parse("# hi\r\nweb: node a.js -p $PORT\r\n\r\nworker:  sh -c 'a: b'\n").unwrap();
        let got: Vec<_> = read.0.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(got, [("web", "node a.js -p $PORT"), ("worker", "sh -c 'a: b'")]);
    }

    #[test]
    fn names_the_line_it_cannot_read() {
        for (text, words) in [
            ("web: a\nnonsense", "line 2: expected `type: command`"),
            ("we b: a", "line 1: Process type"),
            ("web:", "line 1: the process type web has no command"),
            ("web: a\nweb: b", "line 2: the process type web is declared twice"),
        ] {
            let error = Procfile::parse(text).unwrap_err().0;
            assert!(error.contains(words), "{error}");
        }
        let many = |count| (0..count).map(|number| format!("type{number}: a")).collect::<Vec<_>>().join("\n");
        assert_eq!(Procfile::parse(&many(100)).unwrap().0.len(), 100);
        let error = Procfile::parse(&many(101)).unwrap_err().0;
        assert!(error.contains("line 101: an app can have 100 process types at most"), "{error}");
    }
}
