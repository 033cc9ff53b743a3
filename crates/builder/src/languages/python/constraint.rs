//! Which versions of Python an app's pyproject.toml allows: `requires-python` of the standard, and
//! Poetry's own `python`. What cannot be understood allows everything; the package manager has the
//! last word in any case.

use super::asked::Series;
use pep440_rs::{Version, VersionSpecifiers};
use std::str::FromStr;

/// Versions that are allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Constraint {
    /// As it is written.
    pub(super) text: String,
    /// Where, for people.
    pub(super) place: &'static str,
    /// One of them has to hold.
    any: Vec<VersionSpecifiers>,
}

impl Constraint {
    /// What a parsed pyproject.toml says.
    pub(super) fn read(project: &toml::Table) -> Option<Self> {
        let at = |path: &[&str]| {
            let (last, tables) = path.split_last()?;
            let table = tables.iter().try_fold(project, |table, name| table.get(*name)?.as_table());
            table?.get(*last)?.as_str()
        };
        if let Some(text) = at(&["project", "requires-python"]) {
            let any = vec![VersionSpecifiers::from_str(text).ok()?];
            return Some(Self { text: text.into(), place: "requires-python in pyproject.toml", any });
        }
        let text = at(&["tool", "poetry", "dependencies", "python"])?;
        let any = text.split('|').filter(|part| !part.is_empty()).map(poetry).collect::<Option<_>>()?;
        Some(Self { text: text.into(), place: "tool.poetry.dependencies in pyproject.toml", any })
    }

    /// Whether some version of a series is allowed.
    pub(super) fn allows(&self, series: Series) -> bool {
        let Series(major, minor) = series;
        // No series has had as many.
        let versions = (0..100).map(|patch| Version::new([major, minor, patch].map(u64::from)));
        let allowed = |version: &Version| self.any.iter().any(|all| all.contains(version));
        versions.into_iter().any(|version| allowed(&version))
    }
}

/// Poetry's way of writing versions, where it differs from the standard: `^3.11`, `~3.11`, `3.11.*`,
/// `3.11` and `*`.
fn poetry(text: &str) -> Option<VersionSpecifiers> {
    let terms = text.split([',', ' ']).filter(|term| !term.is_empty());
    // An operator may stand apart from its version.
    let mut joined: Vec<String> = Vec::new();
    for term in terms {
        match joined.last_mut() {
            Some(last) if last.chars().all(|c| "<>=!~^".contains(c)) => last.push_str(term),
            _ => joined.push(term.to_owned()),
        }
    }
    let specifiers: Option<Vec<String>> = joined.iter().map(|term| standard(term)).collect();
    VersionSpecifiers::from_str(specifiers?.concat().trim_end_matches(',')).ok()
}

/// A term as the standard has it, each specifier with a comma behind.
fn standard(term: &str) -> Option<String> {
    if term == "*" {
        return Some(String::new());
    }
    if let Some(version) = term.strip_prefix('^') {
        let major: u64 = version.split('.').next()?.parse().ok()?;
        return Some(format!(">={version},<{},", major + 1));
    }
    if let Some(version) = term.strip_prefix('~').filter(|rest| !rest.starts_with('=')) {
        let numbers: Vec<u64> = version.split('.').map(|part| part.parse().ok()).collect::<Option<_>>()?;
        let below = match numbers.as_slice() {
            [major] => format!("{}", major + 1),
            [major, minor, ..] => format!("{major}.{}", minor + 1),
            [] => return None,
        };
        return Some(format!(">={version},<{below},"));
    }
    if term.starts_with(|c: char| c.is_ascii_digit()) {
        let wild = if term.ends_with('*') || term.matches('.').count() > 1 { "" } else { ".*" };
        return Some(format!("=={term}{wild},"));
    }
    Some(format!("{term},"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(project: &str) -> Option<Vec<u32>> {
        let constraint = Constraint::read(&project.parse().unwrap())?;
        Some((9..16).filter(|minor| constraint.allows(Series(3, *minor))).collect())
    }

    #[test]
    fn the_standard_comes_first() {
        for (text, expected) in [
            (">=3.11", &[11, 12, 13, 14, 15][..]),
            (">=3.11,<3.13", &[11, 12]),
            ("==3.12.*", &[12]),
            ("~=3.11", &[11, 12, 13, 14, 15]),
            ("~=3.11.2", &[11]),
            (">3.12.4, !=3.13.*", &[12, 14, 15]),
            ("==3.13.5", &[13]),
            (">=4", &[]),
        ] {
            let project = format!(
                "[project]\nrequires-python = \"{text}\"\n[tool.poetry.dependencies]\npython = \"3.9\""
            );
            assert_eq!(allowed(&project).as_deref(), Some(expected), "{text}");
        }
        for project in ["", "[project]\nname = 'x'", "[project]\nrequires-python = 'recent'", "project = 1"] {
            assert_eq!(allowed(project), None, "{project}");
        }
    }

    #[test]
    fn poetry_s_own_way_is_understood() {
        for (text, expected) in [
            ("^3.12", Some(&[12, 13, 14, 15][..])),
            ("^3.12.1", Some(&[12, 13, 14, 15])),
            ("~3.12", Some(&[12])),
            ("~3.12.3", Some(&[12])),
            ("~3", Some(&[9, 10, 11, 12, 13, 14, 15])),
            ("3.12.*", Some(&[12])),
            ("3.12", Some(&[12])),
            ("3.12.4", Some(&[12])),
            ("*", Some(&[9, 10, 11, 12, 13, 14, 15])),
            (">=3.10,<3.12", Some(&[10, 11])),
            (">= 3.10 <3.12", Some(&[10, 11])),
            ("~3.10 || ^3.13", Some(&[10, 13, 14, 15])),
            ("newest", None),
        ] {
            let project = format!("[tool.poetry.dependencies]\npython = \"{text}\"");
            assert_eq!(allowed(&project).as_deref(), expected, "{text}");
        }
    }
}
