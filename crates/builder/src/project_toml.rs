//! `project.toml`: what an app says about how it is to be built, as Cloud Native Buildpacks read it
//! (the project descriptor, schema 0.2).
//!
//! As much of it is honoured as builds here have: the order of buildpacks, files to leave out or to
//! take alone, variables for the build. What is not honoured is told, never passed over in silence.

use crate::described::NOT_TEXT;
use crate::{BuildError, slugignore, source};
use domain::BuildpackRef;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;
use toml::Spanned;

/// The file's name, in the root of an app.
pub(crate) const FILE: &str = "project.toml";

/// The schema that is read.
const SCHEMA: &str = "0.2";

/// What buildpacks elsewhere do and every build here does by itself.
const ALWAYS: [&str; 1] = ["heroku/procfile"];

/// What the file says, as far as builds here can honour it.
#[derive(Debug, Default)]
pub(crate) struct ProjectToml {
    /// In the order in which they run; empty when the file names none.
    pub(crate) buildpacks: Vec<BuildpackRef>,
    /// For buildpacks, beside the config vars, which win.
    pub(crate) env: BTreeMap<String, String>,
    /// What is not honoured, in words for the user.
    pub(crate) notes: Vec<String>,
    files: Files,
}

#[derive(Debug, Default)]
enum Files {
    #[default]
    All,
    Without(Gitignore),
    Only(Gitignore),
}

/// Why a file is not a `project.toml`.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {why}")]
pub struct BadProject {
    line: usize,
    column: usize,
    /// What is wrong and what is allowed.
    why: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Document {
    #[serde(rename = "_")]
    project: Project,
    io: Io,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "kebab-case")]
struct Project {
    schema_version: Option<Spanned<String>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Io {
    buildpacks: Buildpacks,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct Buildpacks {
    builder: Option<String>,
    group: Vec<Group>,
    pre: Option<toml::Table>,
    post: Option<toml::Table>,
    exclude: Vec<Spanned<String>>,
    include: Option<Spanned<Vec<Spanned<String>>>>,
    build: Build,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    id: Option<Spanned<String>>,
    uri: Option<Spanned<String>>,
    version: Option<String>,
    /// Some code of the app's own in place of a buildpack.
    script: Option<Spanned<toml::Table>>,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct Build {
    env: Vec<Env>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Env {
    name: Spanned<String>,
    value: String,
}

/// Reads the file in a tree; `None` if there is none.
pub(crate) fn read(tree: &Path) -> Result<Option<ProjectToml>, BuildError> {
    let Some(bytes) = source::read_file(tree, FILE)? else { return Ok(None) };
    let not_text = |line| BuildError::ProjectToml(BadProject { line, column: 1, why: NOT_TEXT.into() });
    let text = source::text_of(&bytes).map_err(not_text)?;
    parse(text).map(Some).map_err(BuildError::ProjectToml)
}

fn parse(text: &str) -> Result<ProjectToml, BadProject> {
    let document: Document = toml::from_str(text)
        .map_err(|error| bad(text, error.span().map_or(0, |span| span.start), error.message()))?;
    let mut read = ProjectToml::default();
    if let Some(version) = document.project.schema_version.filter(|version| version.as_ref() != SCHEMA) {
        let why = format!("schema-version {:?} is not read here; it has to be {SCHEMA:?}", version.as_ref());
        return Err(bad(text, version.span().start, &why));
    }
    let told = document.io.buildpacks;
    for (said, what) in [
        (told.builder.is_some(), "builder: the app's stack says on what it is built"),
        (told.pre.is_some(), "pre: it adds to buildpacks of a builder, of which there is none"),
        (told.post.is_some(), "post: it adds to buildpacks of a builder, of which there is none"),
    ] {
        if said {
            read.notes.push(format!("io.buildpacks.{what}."));
        }
    }
    for group in told.group {
        read.add_group(text, group)?;
    }
    for Env { name, value } in told.build.env {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        if name.as_ref().is_empty() || !name.as_ref().bytes().all(plain) {
            let why = format!(
                "{:?} is not the name of a variable: use letters, digits and underscores",
                name.as_ref()
            );
            return Err(bad(text, name.span().start, &why));
        }
        read.env.insert(name.into_inner(), value);
    }
    read.files = files(text, &told.exclude, told.include)?;
    Ok(read)
}

impl ProjectToml {
    fn add_group(&mut self, text: &str, group: Group) -> Result<(), BadProject> {
        if let Some(script) = group.script {
            let why = "a script in place of a buildpack is not run here; make it a buildpack in a directory of the app and name that with `uri`";
            return Err(bad(text, script.span().start, why));
        }
        let named = group.id.as_ref().is_some_and(|id| ALWAYS.contains(&id.as_ref().as_str()));
        if named {
            return Ok(());
        }
        let entry = match (group.uri, group.id) {
            (Some(uri), _) => {
                let known = ["https://", "http://", "git://", "docker://"];
                let of_app = !uri.as_ref().contains(':') && !uri.as_ref().starts_with('/');
                if of_app {
                    format!("./{}", uri.as_ref().trim_start_matches("./"))
                } else if known.iter().any(|scheme| uri.as_ref().starts_with(scheme)) {
                    uri.into_inner()
                } else {
                    let why = format!(
                        "{:?} cannot be used here: a buildpack's uri has to begin with https://, http://, git:// or docker://, or be a path inside of the app",
                        uri.as_ref()
                    );
                    return Err(bad(text, uri.span().start, &why));
                }
            }
            (None, Some(id)) => id.into_inner(),
            (None, None) => {
                return Err(bad(text, 0, "each io.buildpacks.group needs an id or a uri"));
            }
        };
        if let Some(version) = group.version {
            self.notes.push(format!(
                "version {version} of {entry}: built-in languages have one version; for another buildpack write its uri with `#` and a tag."
            ));
        }
        self.buildpacks.push(BuildpackRef(entry));
        Ok(())
    }

    /// Removes from `tree` what the file leaves out.
    pub(crate) fn apply(&self, tree: &Path) -> Result<(), BuildError> {
        let (matcher, only) = match &self.files {
            Files::All => return Ok(()),
            Files::Without(matcher) => (matcher, false),
            Files::Only(matcher) => (matcher, true),
        };
        let removed = slugignore::prune(tree, &|path, is_directory| {
            if !only {
                return slugignore::Fate::of(matcher.matched(path, is_directory).is_ignore());
            }
            if matcher.matched_path_or_any_parents(path, is_directory).is_ignore() {
                return slugignore::Fate::Keep;
            }
            // Something in it may be named.
            if is_directory { slugignore::Fate::RemoveIfEmpty } else { slugignore::Fate::Remove }
        });
        removed.map(drop).map_err(BuildError::system("removing what project.toml leaves out"))
    }
}

fn files(
    text: &str,
    exclude: &[Spanned<String>],
    include: Option<Spanned<Vec<Spanned<String>>>>,
) -> Result<Files, BadProject> {
    match include {
        None if exclude.is_empty() => Ok(Files::All),
        None => matcher(text, exclude).map(Files::Without),
        Some(include) if !exclude.is_empty() => {
            Err(bad(text, include.span().start, "include and exclude cannot both be given"))
        }
        Some(include) => matcher(text, include.as_ref()).map(Files::Only),
    }
}

fn matcher(text: &str, patterns: &[Spanned<String>]) -> Result<Gitignore, BadProject> {
    // Paths are matched as seen from the root of the app.
    let mut builder = GitignoreBuilder::new("");
    for pattern in patterns {
        builder
            .add_line(None, pattern.as_ref())
            .map_err(|error| bad(text, pattern.span().start, &error.to_string()))?;
    }
    builder.build().map_err(|error| bad(text, 0, &error.to_string()))
}

/// What is wrong at byte `at` of the text.
pub(crate) fn bad(text: &str, at: usize, why: &str) -> BadProject {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    BadProject { line, column, why: why.trim_end().replace('\n', "; ") }
}

#[cfg(test)]
mod tests;
