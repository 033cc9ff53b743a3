//! Process types of a build: the Procfile's over the last buildpack's defaults.

use crate::output::Output;
use crate::{BuildError, source};
use domain::{NameError, ProcessType, Procfile};
use std::collections::BTreeMap;
use std::path::Path;

/// Reads the Procfile in a tree; `None` if there is none.
pub(crate) fn read(tree: &Path) -> Result<Option<Procfile>, BuildError> {
    source::read_file(tree, "Procfile")?.map(|bytes| parse(&bytes)).transpose()
}

fn parse(bytes: &[u8]) -> Result<Procfile, BuildError> {
    let text = std::str::from_utf8(bytes);
    let text = text.map_err(|_| BuildError::Procfile(NameError("The Procfile is not UTF-8 text.".into())))?;
    Procfile::parse(text).map_err(BuildError::Procfile)
}

/// Puts both together and tells the user.
pub(crate) async fn discover(
    procfile: Option<Procfile>,
    defaults: BTreeMap<ProcessType, String>,
    output: &Output,
) -> BTreeMap<ProcessType, String> {
    let declared = procfile.unwrap_or_default().0;
    output.heading("Discovering process types").await;
    output.detail(format!("Procfile declares types     -> {}", listed(declared.keys()))).await;
    if defaults.keys().any(|name| !declared.contains_key(name)) {
        let more = defaults.keys().filter(|name| !declared.contains_key(name));
        output.detail(format!("Default types for buildpack -> {}", listed(more))).await;
    }
    output.line("").await;
    let mut all = defaults;
    all.extend(declared);
    all
}

fn listed<'a>(names: impl Iterator<Item = &'a ProcessType>) -> String {
    let names: Vec<_> = names.map(ProcessType::as_str).collect();
    if names.is_empty() { "(none)".into() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn said(procfile: Option<&str>, defaults: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
        let (sender, mut lines) = tokio::sync::mpsc::channel(16);
        let procfile = procfile.map(|text| Procfile::parse(text).unwrap());
        let defaults = defaults.iter().map(|(k, v)| (ProcessType::parse(k).unwrap(), (*v).to_owned()));
        let types = discover(procfile, defaults.collect(), &Output::new(sender)).await;
        let mut text = Vec::new();
        while let Some(line) = lines.recv().await {
            text.push(line);
        }
        (text, types.iter().map(|(k, v)| format!("{k}={v}")).collect())
    }

    #[tokio::test]
    async fn the_procfile_wins_and_both_are_named() {
        let (text, types) = said(Some("web: a\nworker: b"), &[("web", "npm start")]).await;
        assert_eq!(
            text,
            ["-----> Discovering process types", "       Procfile declares types     -> web, worker", ""]
        );
        assert_eq!(types, ["web=a", "worker=b"]);

        let (text, types) = said(None, &[("web", "npm start")]).await;
        assert_eq!(
            text[1..],
            ["       Procfile declares types     -> (none)", "       Default types for buildpack -> web", ""]
        );
        assert_eq!(types, ["web=npm start"]);
    }
}
