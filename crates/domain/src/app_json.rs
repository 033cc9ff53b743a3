//! `app.json`: what an app says about itself for those who set it up. The keys are those of Heroku's
//! app.json schema (Dev Center).
//!
//! What is wrong is told with its line, its column and what is allowed there. A key at the top, or
//! in `scripts`, that is not known is no error, for other tools have files of this name; it is
//! named, so that a typing mistake does not go unseen. Inside what only Heroku has, it is one.

mod values;

pub use values::{Addon, Buildpack, EnvVar, FormationEntry, Generator, Script, Scripts};

use crate::ProcessType;
use serde::Deserialize;
use std::collections::BTreeMap;

/// The file's name, in the root of an app.
pub const FILE: &str = "app.json";

/// A parsed `app.json`. What it does not say is `None` or empty.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct AppJson {
    pub name: Option<String>,
    pub description: Option<String>,
    pub keywords: Vec<String>,
    pub website: Option<String>,
    pub repository: Option<String>,
    pub logo: Option<String>,
    /// A Docker image to build in, of a time before buildpacks had stacks; no longer of use.
    pub image: Option<String>,
    /// Where to go once the app is set up: an address, or a path of the app.
    #[serde(deserialize_with = "values::success_url")]
    pub success_url: Option<String>,
    pub stack: Option<String>,
    /// In the order in which they run.
    #[serde(deserialize_with = "values::objects")]
    pub buildpacks: Vec<Buildpack>,
    pub env: BTreeMap<String, EnvVar>,
    pub addons: Vec<Addon>,
    #[serde(deserialize_with = "values::formation")]
    pub formation: BTreeMap<ProcessType, FormationEntry>,
    #[serde(deserialize_with = "values::object")]
    pub scripts: Scripts,
    /// Labs features to switch on.
    pub features: Vec<String>,
    /// By environment (`test`, `review`, …): keys that take the place of those above.
    #[serde(deserialize_with = "values::map_of_objects")]
    pub environments: BTreeMap<String, Self>,
    #[serde(rename = "$schema")]
    pub schema: Option<String>,
}

/// What a file said, and what of it meant nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parsed {
    pub app_json: AppJson,
    /// Paths of keys that are not known, for example `scripts.postDeploy`.
    pub unknown: Vec<String>,
}

/// Why a file is not an `app.json`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}{}: {why}", at(.path))]
pub struct AppJsonError {
    /// From 1.
    pub line: usize,
    /// From 1; where the reader was when it noticed.
    pub column: usize,
    /// The key, for example `env.SECRET.generator`; empty where none is to blame.
    pub path: String,
    /// What is wrong and what is allowed.
    pub why: String,
}

fn at(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!(" ({path})") }
}

impl AppJson {
    /// What holds in an environment such as `test`: what it says itself takes the place of what is said
    /// for all; of scripts, each by itself.
    #[must_use]
    pub fn in_environment(mut self, name: &str) -> Self {
        fn either<T: Default + PartialEq>(own: T, general: T) -> T {
            if own == T::default() { general } else { own }
        }
        let Some(own) = self.environments.remove(name) else { return self };
        let scripts = Scripts {
            postdeploy: own.scripts.postdeploy.or(self.scripts.postdeploy),
            pr_predestroy: own.scripts.pr_predestroy.or(self.scripts.pr_predestroy),
            test_setup: own.scripts.test_setup.or(self.scripts.test_setup),
            test: own.scripts.test.or(self.scripts.test),
        };
        Self {
            stack: own.stack.or(self.stack),
            buildpacks: either(own.buildpacks, self.buildpacks),
            env: either(own.env, self.env),
            addons: either(own.addons, self.addons),
            formation: either(own.formation, self.formation),
            scripts,
            ..self
        }
    }

    /// Reads a file's text.
    pub fn parse(text: &str) -> Result<Parsed, AppJsonError> {
        let text = text.trim_start_matches('\u{feff}');
        let mut json = serde_json::Deserializer::from_str(text);
        let mut track = serde_path_to_error::Track::new();
        let mut unknown = Vec::new();
        let mut note = |path: serde_ignored::Path<'_>| unknown.push(path.to_string());
        let tracked = serde_path_to_error::Deserializer::new(&mut json, &mut track);
        let read = values::object::<Self, _>(serde_ignored::Deserializer::new(tracked, &mut note));
        let app_json = read.map_err(|error| explain(&error, &track.path()))?;
        json.end().map_err(|error| explain(&error, &serde_path_to_error::Track::new().path()))?;
        Ok(Parsed { app_json, unknown })
    }
}

fn explain(error: &serde_json::Error, path: &serde_path_to_error::Path) -> AppJsonError {
    let (line, column) = (error.line().max(1), error.column().max(1));
    let text = error.to_string();
    let position = format!(" at line {} column {}", error.line(), error.column());
    let why = text.strip_suffix(&position).unwrap_or(&text).to_owned();
    // Where the text is no JSON, no key is to blame.
    let path = if error.is_data() { path.to_string() } else { String::new() };
    AppJsonError { line, column, path: if path == "." { String::new() } else { path }, why }
}

#[cfg(test)]
mod tests;
