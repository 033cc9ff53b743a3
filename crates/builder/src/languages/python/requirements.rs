//! Requirements files, as far as they decide what pip installs: further files they include, paths of
//! the app, config vars that they refer to. pip itself reads them for everything else.

use super::dependencies::Inputs;
use super::words::PythonError;
use std::collections::BTreeSet;
use std::path::Path;

/// Files that include each other at most; pip would go on for ever.
const LIMIT: usize = 200;

/// Takes in the file `name` and those that it includes.
pub(super) fn read(inputs: &mut Inputs<'_>, name: &str) -> Result<(), PythonError> {
    let mut waiting = vec![name.to_owned()];
    let mut seen = BTreeSet::new();
    while let Some(name) = waiting.pop() {
        if !seen.insert(name.clone()) || seen.len() > LIMIT {
            continue;
        }
        if !inputs.has(&name) {
            // pip will say so; what it would have said may be elsewhere, or on the network.
            inputs.not_fixed();
            continue;
        }
        let text = inputs.file(&name)?.unwrap_or_default();
        inputs.variables_in(&text);
        for line in lines(&text) {
            match Line::parse(&line) {
                Line::Includes(other) => waiting.push(beside(&name, other)),
                Line::Path(path) => inputs.package(path)?,
                Line::Unknown => inputs.not_fixed(),
                Line::Other(word) if is_path(word, inputs) => inputs.package(bare(word))?,
                Line::Other(_) => {}
            }
        }
    }
    Ok(())
}

/// What a line means here.
#[derive(Debug, PartialEq, Eq)]
enum Line<'a> {
    /// A file, named from where this one is.
    Includes(&'a str),
    /// A file or directory of the app.
    Path(&'a str),
    /// Something whose content is not known.
    Unknown,
    /// A requirement, or an option, which decide by what they say.
    Other(&'a str),
}

impl<'a> Line<'a> {
    fn parse(line: &'a str) -> Self {
        if let Some(file) = option(line, &["-r", "--requirement", "-c", "--constraint"]) {
            return if file.contains("://") { Self::Unknown } else { Self::Includes(file) };
        }
        if let Some(target) = option(line, &["-e", "--editable"]) {
            return match target.strip_prefix("file:") {
                Some(_) => Self::Unknown,
                None if target.contains("://") => Self::Other(target),
                None => Self::Path(bare(target)),
            };
        }
        if let Some(place) = option(line, &["-f", "--find-links"]) {
            return if place.contains("://") { Self::Other(place) } else { Self::Path(place) };
        }
        if line.contains("file:") {
            return Self::Unknown;
        }
        Self::Other(line.split([' ', ';']).next().unwrap_or(line))
    }
}

/// The value of an option, written apart, with `=`, or, if short, right behind it.
fn option<'a>(line: &'a str, names: &[&str]) -> Option<&'a str> {
    names.iter().find_map(|name| {
        let rest = line.strip_prefix(name)?;
        let apart = rest.starts_with([' ', '=', '\t']) || !name.starts_with("--");
        let value = rest.trim_start_matches([' ', '=', '\t']).trim_matches(['"', '\'']);
        (apart && !value.is_empty()).then_some(value)
    })
}

/// A path without the extras behind it: `./lib` of `./lib[fast]`.
fn bare(path: &str) -> &str {
    path.split('[').next().unwrap_or(path)
}

/// Whether pip would take a requirement for a path of the app.
fn is_path(word: &str, inputs: &Inputs<'_>) -> bool {
    let path = bare(word);
    let archive = [".whl", ".zip", ".tar.gz", ".tgz", ".tar.bz2"].iter().any(|end| path.ends_with(end));
    (path.starts_with('.') || path.contains('/') || archive) && !path.contains("://") && inputs.has(path)
}

/// Lines without comments; those that end in a backslash go on in the next.
fn lines(text: &str) -> Vec<String> {
    let mut whole = vec![String::new()];
    for line in text.lines() {
        let comment = line.trim_start().starts_with('#');
        let line = if comment { "" } else { line.split(" #").next().unwrap_or(line) };
        let (line, goes_on) = match line.trim_end().strip_suffix('\\') {
            Some(line) => (line, true),
            None => (line, false),
        };
        if let Some(last) = whole.last_mut() {
            last.push_str(line);
        }
        if !goes_on {
            whole.push(String::new());
        }
    }
    let trimmed = whole.iter().map(|line| line.trim().to_owned());
    trimmed.filter(|line| !line.is_empty()).collect()
}

/// A file named from where `file` is, from the root of the app.
fn beside(file: &str, other: &str) -> String {
    let place = Path::new(file).parent().unwrap_or(Path::new(""));
    place.join(other).to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_put_together_as_pip_does() {
        let text = "# c\na==1 \\\n    --hash=sha256:1 \\\n    --hash=sha256:2\n\nb @ git+https://h/b@main#egg=b\nc # why\n  # d\n";
        assert_eq!(
            lines(text),
            ["a==1     --hash=sha256:1     --hash=sha256:2", "b @ git+https://h/b@main#egg=b", "c"]
        );
    }

    #[test]
    fn lines_are_understood() {
        for (line, expected) in [
            ("-r base.txt", Line::Includes("base.txt")),
            ("-rbase.txt", Line::Includes("base.txt")),
            ("--requirement=req/base.txt", Line::Includes("req/base.txt")),
            ("-c \"limits.txt\"", Line::Includes("limits.txt")),
            ("-r https://example.com/r.txt", Line::Unknown),
            ("-e .", Line::Path(".")),
            ("--editable ./lib[fast]", Line::Path("./lib")),
            ("-e git+https://example.com/r#egg=r", Line::Other("git+https://example.com/r#egg=r")),
            ("-e file:///app/lib", Line::Unknown),
            ("lib @ file:///app/lib", Line::Unknown),
            ("-f wheels", Line::Path("wheels")),
            ("--find-links https://example.com/", Line::Other("https://example.com/")),
            ("--index-url https://example.com/simple", Line::Other("--index-url")),
            ("--requirements-of-mine", Line::Other("--requirements-of-mine")),
            ("django==5.2; python_version > '3'", Line::Other("django==5.2")),
            ("./lib", Line::Other("./lib")),
        ] {
            assert_eq!(Line::parse(line), expected, "{line}");
        }
    }

    #[test]
    fn includes_are_named_from_where_the_file_is() {
        assert_eq!(beside("requirements.txt", "base.txt"), "base.txt");
        assert_eq!(beside("requirements/live.txt", "base.txt"), "requirements/base.txt");
        assert_eq!(beside("requirements/live.txt", "../limits.txt"), "requirements/../limits.txt");
    }
}
