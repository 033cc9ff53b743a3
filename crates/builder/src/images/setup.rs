//! `setup` of a `heroku.yml`: what an app that is set up from it is given. `heroku create --manifest`
//! reads it where the app's files are; an app setup does on the server.

use crate::images::{ImagesError, STACK, failed, first_line, plan::Scalar};
use crate::{BuildError, source};
use domain::app_json::{Addon, AppJson, EnvVar};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// The file, of which the rest is for builds.
#[derive(Deserialize)]
struct File {
    setup: Option<Setup>,
}

/// What it says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Setup {
    #[serde(default)]
    addons: Vec<Addon>,
    #[serde(default)]
    config: BTreeMap<String, Scalar>,
}

impl Setup {
    /// Reads it; `None` if there is none.
    pub(crate) fn read(tree: &Path) -> Result<Option<Self>, BuildError> {
        let Some(bytes) = source::read_file(tree, super::FILE)? else { return Ok(None) };
        let text = String::from_utf8_lossy(&bytes);
        // An empty file is no mapping.
        let file: Option<File> = serde_saphyr::from_str(&text)
            .map_err(|error| failed(ImagesError::Manifest(first_line(&error.to_string()))))?;
        Ok(file.and_then(|file| file.setup))
    }

    /// Adds it to what `app.json` says, which has the first word. An app whose `app.json` wants
    /// buildpacks, or another stack, is none that runs images.
    pub(crate) fn complete(self, app_json: &mut AppJson) {
        let other = app_json.stack.as_deref().is_some_and(|stack| stack != STACK);
        if other || !app_json.buildpacks.is_empty() {
            return;
        }
        app_json.stack = Some(STACK.to_owned());
        for (name, value) in self.config {
            let var =
                EnvVar { description: None, value: Some(value.text()), required: true, generator: None };
            app_json.env.entry(name).or_insert(var);
        }
        if app_json.addons.is_empty() {
            app_json.addons = self.addons;
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::described;

    const SETUP: &str = "setup:\n  addons: [{plan: heroku-redis, as: CACHE}]\n  config: {A: yml, N: 1, T: true}\nbuild: {docker: {web: D}}\n";

    /// `stack | A=1 | heroku-redis` of a source with these two files.
    fn shown(app_json: Option<&str>, manifest: &str) -> Result<String, String> {
        let tree = tempfile::tempdir().unwrap();
        std::fs::write(tree.path().join("heroku.yml"), manifest).unwrap();
        if let Some(text) = app_json {
            std::fs::write(tree.path().join("app.json"), text).unwrap();
        }
        let read = described::for_setup(tree.path()).map_err(|error| error.words().why)?;
        let Some(read) = read else { return Ok("nothing".into()) };
        let app_json = read.map_err(|error| error.to_string())?.app_json;
        let env = app_json.env.iter();
        let env: Vec<_> =
            env.map(|(name, var)| format!("{name}={}", var.value.as_deref().unwrap_or("?"))).collect();
        let addons: Vec<_> = app_json.addons.iter().map(|addon| addon.plan.as_str()).collect();
        Ok(format!("{} | {} | {}", app_json.stack.unwrap_or_default(), env.join(" "), addons.join(" ")))
    }

    #[test]
    fn it_adds_to_app_json() {
        for (app_json, manifest, expected) in [
            (None, SETUP, "container | A=yml N=1 T=true | heroku-redis"),
            (None, "build: {docker: {web: D}}", "nothing"),
            (None, "", "nothing"),
            (Some("{}"), "build: {docker: {web: D}}", " |  | "),
            (
                Some(r#"{"env": {"A": "json"}, "addons": ["heroku-postgresql"]}"#),
                SETUP,
                "container | A=json N=1 T=true | heroku-postgresql",
            ),
            (
                Some(r#"{"stack": "container", "env": {"A": {}}}"#),
                SETUP,
                "container | A=? N=1 T=true | heroku-redis",
            ),
            (Some(r#"{"stack": "kigo-13"}"#), SETUP, "kigo-13 |  | "),
            (Some(r#"{"buildpacks": [{"url": "heroku/nodejs"}]}"#), SETUP, " |  | "),
        ] {
            assert_eq!(shown(app_json, manifest).as_deref(), Ok(expected), "{app_json:?} {manifest}");
        }
        for (app_json, manifest, words) in
            [(None, "setup: {addon: [x]}", "addon"), (None, "setup: [", "line"), (Some("{"), SETUP, "line 1")]
        {
            let error = shown(app_json, manifest).unwrap_err();
            assert!(error.contains(words), "{manifest}: {error}");
        }
    }
}
