//! From what a container sent to layers of an image: those of the buildpacks, one for what a dyno has
//! to do at its start and lists of software, and what is kept for the next build.

use super::built::{AtLaunch, Built, Left};
use super::errors::CnbError;
use super::kept::{self, Earlier, Layers, Restored};
use super::launch::Process;
use super::launcher;
use super::lifecycle::{Lifecycle, Shared};
use crate::BuildError;
use crate::build::{Compiled, Context, pack_tree};
use crate::container::Ended;
use crate::fetch::Fetched;
use crate::request::BuildpackName;
use crate::source::place_without_links;
use domain::procfile::MAX_PROCESS_TYPES;
use domain::{BuildpackRef, ProcessType};
use image::Layer;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The time of everything in a layer, one second after the first that archives of all kinds can hold:
/// two builds that make the same files make the same layer.
const TIME: u64 = 315_532_801;

/// Launch layers of an app.
const LIMIT: usize = 80;

/// Kinds of lists of software, by the ends of their names.
const LISTS: [&str; 3] = ["cdx.json", "spdx.json", "syft.json"];

/// A buildpack that built.
struct One {
    directory: String,
    shown: String,
    built: Built,
}

/// Takes over what a run of the lifecycle made.
pub(crate) async fn take_over(
    context: &mut Context<'_>,
    lifecycle: &Shared,
    ended: &mut Ended,
    fetched: &[Fetched],
    names: &[String],
) -> Result<Compiled, BuildError> {
    let (all, restored) = lifecycle.with(|lifecycle| (taken(lifecycle), lifecycle.restored.clone()));
    let unchanged = ended.told("unchanged")?.unwrap_or_default().lines().map(str::to_owned).collect();
    let sent = Sent { layers: ended.tree("layers"), unchanged, restored };
    let Collected { mut layers, at_launch, keep } = collect(context, &all, &sent).await?;
    let about = about(context, &all, &sent).await?;
    let kept = kept::keep(context, &keep, about)?;
    let (process_types, web) = process_types(context, &all).await;
    let script = launcher::script(&at_launch, web.as_deref());
    layers.push(config(context, &all, &sent, &script).await?);
    context.add_export(&launcher::variables(&at_launch))?;
    let used = fetched.iter().zip(names).map(|(one, name)| BuildpackName {
        buildpack: BuildpackRef(one.address.entry().to_owned()),
        description: name.clone(),
    });
    Ok(Compiled {
        tree: ended.required_tree("app")?,
        layers,
        description: names.last().cloned().unwrap_or_default(),
        used: used.collect(),
        process_types,
        config_vars: BTreeMap::new(),
        addons: Vec::new(),
        labels: labels(&all),
        kept: kept.into_iter().collect(),
    })
}

/// What there is to make layers of.
struct Sent {
    /// Directories of layers and lists of software, if any had to be sent.
    layers: Option<PathBuf>,
    /// Layers, `buildpack/layer`, that are as they were restored.
    unchanged: BTreeSet<String>,
    restored: Restored,
}

/// The layers of all buildpacks.
#[derive(Default)]
struct Collected {
    /// Of the image, lowest first.
    layers: Vec<Layer>,
    at_launch: Vec<(String, Vec<(String, AtLaunch)>)>,
    /// For the next build.
    keep: Layers<Earlier>,
}

async fn collect(context: &Context<'_>, all: &[One], sent: &Sent) -> Result<Collected, BuildError> {
    let mut collected = Collected::default();
    for one in all {
        let mut own = Vec::new();
        let wanted = one.built.layers.iter().filter(|(_, left)| left.types.launch || left.types.cache);
        for (name, left) in wanted {
            let types = left.types;
            let Some(found) = find(context, one, name, left, sent).await? else {
                if !types.launch {
                    continue;
                }
                return Err(CnbError::NoLayer { buildpack: one.shown.clone(), layer: name.clone() }.into());
            };
            if types.launch {
                collected.layers.push(found.layer);
                own.push((name.clone(), found.at_launch.clone()));
            }
            if kept::is_kept(types) {
                collected.keep.entry(one.directory.clone()).or_default().insert(name.clone(), found);
            }
        }
        if collected.layers.len() > LIMIT {
            let buildpack = one.shown.clone();
            return Err(CnbError::TooMany { buildpack, what: "launch layers in all", limit: LIMIT }.into());
        }
        collected.at_launch.push((one.directory.clone(), own));
    }
    Ok(collected)
}

/// A layer with what is in it: as it was sent, or as an earlier build made it.
async fn find(
    context: &Context<'_>,
    one: &One,
    name: &str,
    left: &Left,
    sent: &Sent,
) -> Result<Option<Earlier>, BuildError> {
    let (types, path) = (left.types, format!("{}/{name}", one.directory));
    let earlier = sent.restored.layer(&one.directory, name);
    let at_launch = left.at_launch.clone();
    if !left.has_content {
        // What is in it only an earlier build knows.
        let earlier = earlier.filter(|_| types.launch);
        return Ok(earlier.map(|earlier| Earlier { types, ..earlier.clone() }));
    }
    if sent.unchanged.contains(&path) {
        return Ok(earlier.map(|earlier| Earlier { types, at_launch, layer: earlier.layer }));
    }
    let layer = pack(context, sent.layers.as_deref(), &path).await?;
    Ok(layer.map(|layer| Earlier { types, layer, at_launch }))
}

fn taken(lifecycle: &mut Lifecycle) -> Vec<One> {
    let built = std::mem::take(&mut lifecycle.built);
    let one = |(component, built)| {
        let descriptor = lifecycle.descriptor(component);
        One { directory: descriptor.directory(), shown: descriptor.shown(), built }
    };
    built.into_iter().map(one).collect()
}

/// Packs the directory of a layer; `None` if it was not sent.
async fn pack(context: &Context<'_>, sent: Option<&Path>, path: &str) -> Result<Option<Layer>, BuildError> {
    let Some(place) = sent.and_then(|sent| place_without_links(sent, Path::new(path))) else {
        return Ok(None);
    };
    if !place.symlink_metadata().is_ok_and(|found| found.is_dir()) {
        return Ok(None);
    }
    pack_tree(context.builder, place, &format!("layers/{path}"), TIME).await.map(Some)
}

/// A layer with what buildpacks said about layers that are kept, for their next build.
async fn about(context: &Context<'_>, all: &[One], sent: &Sent) -> Result<Layer, BuildError> {
    let tree = fresh(context, "about")?;
    let write = || {
        for one in all {
            kept::write_about(&tree, &one.directory, &one.built)?;
            for (name, _) in one.built.layers.iter().filter(|(_, left)| kept::is_kept(left.types)) {
                for (path, list) in lists(sent, one, name) {
                    std::fs::copy(path, tree.join(&one.directory).join(format!("{name}.sbom.{list}")))?;
                }
            }
        }
        Ok(())
    };
    write().map_err(BuildError::system("keeping what buildpacks say of their layers"))?;
    pack_tree(context.builder, tree, "layers", TIME).await
}

/// A layer with the start of dynos, and lists of the software in the image.
async fn config(context: &Context<'_>, all: &[One], sent: &Sent, script: &str) -> Result<Layer, BuildError> {
    let tree = fresh(context, "config")?;
    let write = || {
        launcher::write(&tree.join("config"), script)?;
        for one in all {
            let place = tree.join("sbom/launch").join(&one.directory);
            let launched = one.built.layers.iter().filter(|(_, left)| left.types.launch);
            let of_layers = launched.map(|(name, _)| (name.as_str(), place.join(name)));
            for (name, place) in of_layers.chain([("launch", place.clone())]) {
                for (path, list) in lists(sent, one, name) {
                    std::fs::create_dir_all(&place)?;
                    std::fs::copy(path, place.join(format!("sbom.{list}")))?;
                }
            }
        }
        Ok(())
    };
    write().map_err(BuildError::system("writing what dynos do at their start"))?;
    pack_tree(context.builder, tree, "layers", TIME).await
}

fn fresh(context: &Context<'_>, name: &str) -> Result<PathBuf, BuildError> {
    context.work.fresh_output(name).map_err(BuildError::system("making room for what buildpacks say"))
}

/// The lists of software of a layer, or of the whole, that were sent.
fn lists<'a>(
    sent: &'a Sent,
    one: &'a One,
    name: &'a str,
) -> impl Iterator<Item = (PathBuf, &'static str)> + 'a {
    LISTS.into_iter().filter_map(move |list| {
        let path = format!("{}/{name}.sbom.{list}", one.directory);
        let place = place_without_links(sent.layers.as_deref()?, Path::new(&path))?;
        place.symlink_metadata().is_ok_and(|found| found.is_file()).then_some((place, list))
    })
}

/// The process types, later buildpacks' over earlier ones'; and which of them stands for `web`, if it has
/// another name.
async fn process_types(
    context: &Context<'_>,
    all: &[One],
) -> (BTreeMap<ProcessType, String>, Option<String>) {
    let (found, default) = combined(all.iter().map(|one| one.built.launch.processes.as_slice()));
    let mut types = BTreeMap::new();
    for (name, command) in &found {
        match ProcessType::parse(name) {
            Ok(name) if types.len() < MAX_PROCESS_TYPES => drop(types.insert(name, command.clone())),
            _ => {
                let words = format!(
                    "The process type {name} of a buildpack cannot be one of an app and is left out."
                );
                context.output.warning(words).await;
            }
        }
    }
    let web = ProcessType::web();
    let stands_in = default.filter(|_| !types.contains_key(&web));
    if let Some(command) = stands_in.as_ref().and_then(|name| found.get(name)) {
        types.insert(web, command.clone());
    }
    (types, stands_in)
}

/// All processes, and the name of the default one.
fn combined<'a>(all: impl Iterator<Item = &'a [Process]>) -> (BTreeMap<String, String>, Option<String>) {
    let mut found = BTreeMap::new();
    let mut default = None;
    for process in all.flatten() {
        found.insert(process.name.clone(), process.command.clone());
        if process.default {
            default = Some(process.name.clone());
        } else if default.as_ref() == Some(&process.name) {
            // Another buildpack's process of that name is not the default.
            default = None;
        }
    }
    (found, default)
}

/// The buildpacks' labels, later ones over earlier ones, and one that names the buildpacks.
fn labels(all: &[One]) -> BTreeMap<String, String> {
    let mut labels: BTreeMap<_, _> = all.iter().flat_map(|one| one.built.launch.labels.clone()).collect();
    let buildpacks: Vec<_> = all
        .iter()
        .filter_map(|one| one.shown.split_once(' '))
        .map(|(id, version)| json!({"id": id, "version": version}))
        .collect();
    labels.insert("io.buildpacks.build.metadata".into(), json!({"buildpacks": buildpacks}).to_string());
    labels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_processes_win_and_one_is_the_default() {
        let process = |text: &str| {
            let (name, command) = text.trim_end_matches('*').split_once('=').unwrap();
            Process { name: name.into(), command: command.into(), default: text.ends_with('*') }
        };
        for (first, second, all, default) in [
            (&["a=1*", "b=2"][..], &["b=3"][..], "a=1 b=3", Some("a")),
            (&["a=1*"], &["b=2*"], "a=1 b=2", Some("b")),
            (&["a=1*"], &["a=2"], "a=2", None),
            (&["a=1"], &["a=2*"], "a=2", Some("a")),
            (&[], &[], "", None),
        ] {
            let lists: Vec<Vec<_>> =
                [first, second].map(|list| list.iter().map(|one| process(one)).collect()).into();
            let (found, named) = combined(lists.iter().map(Vec::as_slice));
            let found: Vec<_> = found.iter().map(|(name, command)| format!("{name}={command}")).collect();
            assert_eq!((found.join(" ").as_str(), named.as_deref()), (all, default));
        }
    }
}
