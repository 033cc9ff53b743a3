//! What is wrong with a definition, all of it at once.

use crate::template::{self, Place};
use crate::{Definition, Plan, Provided};
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

/// The sentences are for whoever wrote the definition.
pub(crate) fn problems(definition: &Definition) -> Vec<String> {
    let mut problems = Vec::new();
    names(definition, &mut problems);
    plans(definition, &mut problems);
    config(definition, &mut problems);
    settings(definition, &mut problems);
    running(definition, &mut problems);
    provided(definition, &mut problems);
    problems
}

fn names(definition: &Definition, problems: &mut Vec<String>) {
    let word = |text: &str| {
        text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && text.bytes().next().is_some_and(|b| b.is_ascii_lowercase())
    };
    for (what, text) in [("name", definition.name.as_str()), ("alias", definition.alias())] {
        if !word(text) {
            problems
                .push(format!("{what}: {text:?} must start with a letter and use only a-z, 0-9 and dashes"));
        }
    }
    for (what, text) in [
        ("attachment.first", definition.attachment.first.as_str()),
        ("attachment.further", definition.further()),
    ] {
        if let Err(error) = domain::addon::check_attachment_name(text) {
            problems.push(format!("{what}: {error}"));
        }
    }
}

fn plans(definition: &Definition, problems: &mut Vec<String>) {
    if definition.plan(&definition.default_plan).is_none() {
        problems.push(format!("default_plan: there is no plan {:?}", definition.default_plan));
    }
    let mut known = BTreeSet::new();
    for Plan { name, aliases, shared, memory, disk, rollback, archive, .. } in &definition.plans {
        for name in std::iter::once(name).chain(aliases) {
            if !known.insert(name) {
                problems.push(format!("plans: {name:?} is there twice"));
            }
        }
        let Some(run) = &definition.run else { continue };
        if *rollback > 0 && (*shared || definition.hooks.archive.is_none()) {
            problems.push(format!("plans.{name}: rollback takes a container of its own and hooks.archive"));
        }
        if (*rollback > 0) != (*archive > 0) {
            problems.push(format!("plans.{name}: rollback (days) and archive (MiB for them) come together"));
        }
        if *shared && run.shared.is_none() {
            problems
                .push(format!("plans.{name}: it is shared, and run.shared does not say how large that is"));
        }
        if !shared && *memory == 0 {
            problems.push(format!("plans.{name}: memory is missing"));
        }
        if !shared && run.volume && *disk == 0 {
            problems.push(format!("plans.{name}: disk is missing"));
        }
    }
}

fn config(definition: &Definition, problems: &mut Vec<String>) {
    let place = definition.run.as_ref().map(|run| Place { host: Ipv4Addr::LOCALHOST, port: run.port });
    let values: BTreeMap<_, _> =
        definition.values.keys().map(|name| (name.clone(), "value".to_owned())).collect();
    for (suffix, text) in &definition.config {
        if let Err(error) = domain::addon::check_attachment_name(suffix) {
            problems.push(format!("config.{suffix}: {error}"));
        }
        if let Err(error) = template::fill(text, place, &values) {
            problems.push(format!("config.{suffix}: {error}; there are {}", known(&values, place.is_some())));
        }
    }
}

fn known(values: &BTreeMap<String, String>, place: bool) -> String {
    let place = if place { &["host", "port"][..] } else { &[] };
    let names: Vec<_> = values.keys().map(String::as_str).chain(place.iter().copied()).collect();
    names.join(", ")
}

fn settings(definition: &Definition, problems: &mut Vec<String>) {
    let word = |text: &str| {
        text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
            && text.bytes().next().is_some_and(|b| b.is_ascii_lowercase())
    };
    for (name, setting) in &definition.settings {
        if !word(name) {
            problems.push(format!(
                "settings.{name}: it must start with a letter and use only a-z, 0-9 and underscores"
            ));
        }
        let kinds = [!setting.values.is_empty(), setting.number.is_some(), setting.letters.is_some()];
        if kinds.into_iter().filter(|kind| *kind).count() != 1 {
            problems.push(format!("settings.{name}: it needs one of values, number and letters"));
        } else if let Err(why) = setting.check(&setting.default) {
            problems.push(format!("settings.{name}.default: {why}"));
        }
        if definition.values.contains_key(name) {
            problems
                .push(format!("settings.{name}: there is a value of that name, and scripts know one only"));
        }
    }
    if !definition.settings.is_empty() && definition.hooks.settings.is_none() {
        problems.push("hooks.settings is missing: nothing would tell the service what is set".into());
    }
}

/// What the platform provides belongs to one app, and is not run.
fn provided(definition: &Definition, problems: &mut Vec<String>) {
    let Some(provided) = definition.provided else { return };
    if definition.run.is_some() {
        problems.push("provided: what the platform provides is not run, so [run] is out of place".into());
    }
    if definition.many_per_app || definition.sharing {
        problems.push("provided: many_per_app and sharing must be false".into());
    }
    let needed: &[&str] = match provided {
        Provided::Scheduler => &[],
        Provided::Papertrail => &["search_days", "log"],
    };
    for plan in &definition.plans {
        for name in needed.iter().filter(|name| plan.limit(name).is_none_or(|limit| limit == 0)) {
            problems.push(format!("plans.{}: limits.{name} is missing, or no number", plan.name));
        }
    }
}

fn running(definition: &Definition, problems: &mut Vec<String>) {
    let hooks = &definition.hooks;
    let Some(run) = &definition.run else {
        if hooks != &crate::Hooks::default() {
            problems.push("hooks: there is nothing that runs, so there is nothing to run them in".into());
        }
        if definition.test != crate::Test::default() {
            problems.push("test: there is nothing that runs, so there is nothing to write to".into());
        }
        return;
    };
    if definition.test.write.is_some() != definition.test.read.is_some() {
        problems.push("test: write and read come together".into());
    }
    if definition.plans.iter().any(|plan| plan.shared) && hooks.deprovision.is_none() {
        problems.push("hooks.deprovision is missing: plans that share a container need it".into());
    }
    if hooks.backup.is_some() != hooks.restore.is_some() {
        problems.push("hooks: backup and restore come together".into());
    }
    if hooks.follow.is_some() != hooks.unfollow.is_some() {
        problems.push("hooks: follow and unfollow come together".into());
    }
    if (hooks.fork.is_some() || hooks.follow.is_some() || hooks.archive.is_some()) && !run.volume {
        problems.push("hooks: what keeps nothing cannot be archived, forked or followed".into());
    }
    if run.packages.is_empty() {
        problems.push("run.packages: nothing to install".into());
    }
}
