//! Build plans: what the buildpacks of a group require of each other and provide, and whether it
//! works out.

use super::descriptor::place;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Combinations of plans that are tried for one group.
const TRIALS: usize = 4096;
/// Alternatives of one buildpack, and entries of one.
const ENTRIES: usize = 1000;

/// One alternative of what `bin/detect` wrote.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub(crate) struct Plan {
    #[serde(default)]
    provides: Vec<Provide>,
    #[serde(default)]
    requires: Vec<Require>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Provide {
    name: String,
}

/// Something that a buildpack wants to have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Require {
    pub(crate) name: String,
    /// Only for the eyes of whoever provides it.
    #[serde(default, skip_serializing_if = "toml::Table::is_empty")]
    metadata: toml::Table,
}

#[derive(Deserialize)]
struct Document {
    #[serde(flatten)]
    first: Plan,
    #[serde(default)]
    or: Vec<Plan>,
}

/// Reads a build plan; one plan for each alternative, the first one first.
pub(crate) fn parse(text: &str) -> Result<Vec<Plan>, String> {
    let document: Document = toml::from_str(text).map_err(|error| place(text, &error))?;
    let plans: Vec<_> = std::iter::once(document.first).chain(document.or).collect();
    let entries: usize = plans.iter().map(|plan| plan.provides.len() + plan.requires.len() + 1).sum();
    if entries > ENTRIES {
        return Err(format!("it has more than {ENTRIES} entries"));
    }
    Ok(plans)
}

/// A buildpack of a group that passed.
pub(crate) struct Passed<'a> {
    /// How it is told apart.
    pub(crate) component: usize,
    pub(crate) optional: bool,
    pub(crate) plans: &'a [Plan],
}

/// A group whose plan works out.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Resolved {
    /// Those that build, in order.
    pub(crate) components: Vec<usize>,
    entries: Vec<Entry>,
}

/// What is required and has somebody who provides it.
#[derive(Clone, Debug, Default, PartialEq)]
struct Entry {
    providers: Vec<usize>,
    requires: Vec<Require>,
}

/// What keeps a plan from working out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Misfit {
    /// Nobody before it provides what this buildpack requires.
    Requires { component: usize, name: String },
    /// Nobody after it requires what this buildpack provides.
    Provides { component: usize, name: String },
    /// Too many combinations.
    TooMany,
}

/// Tries the plans' combinations, the first alternatives first. An error tells why the first of them
/// does not work out.
pub(crate) fn resolve(group: &[Passed<'_>]) -> Result<Resolved, Misfit> {
    let mut choice = vec![0; group.len()];
    let mut first = None;
    for _ in 0..TRIALS {
        let trial = group.iter().zip(&choice).map(|(one, number)| (one, &one.plans[*number]));
        match attempt(trial.collect()) {
            Ok(resolved) => return Ok(resolved),
            Err(misfit) => drop(first.get_or_insert(misfit)),
        }
        // The last one changes fastest.
        let Some(place) = (0..group.len()).rev().find(|place| choice[*place] + 1 < group[*place].plans.len())
        else {
            return Err(first.unwrap_or(Misfit::TooMany));
        };
        choice[place] += 1;
        choice[place + 1..].fill(0);
    }
    Err(Misfit::TooMany)
}

fn attempt(mut trial: Vec<(&Passed<'_>, &Plan)>) -> Result<Resolved, Misfit> {
    loop {
        let (entries, misfits) = match_up(&trial);
        let component = |misfit: &Misfit| match misfit {
            Misfit::Requires { component, .. } | Misfit::Provides { component, .. } => Some(*component),
            Misfit::TooMany => None,
        };
        let optional = |misfit: &Misfit| {
            trial.iter().any(|(one, _)| one.optional && Some(one.component) == component(misfit))
        };
        if let Some(misfit) = misfits.iter().find(|misfit| !optional(misfit)) {
            return Err(misfit.clone());
        }
        // They are left out, which may make others superfluous.
        if let Some(misfit) = misfits.first() {
            let (left_out, misfit) = (component(misfit), misfit.clone());
            trial.retain(|(one, _)| Some(one.component) != left_out);
            if trial.is_empty() {
                return Err(misfit);
            }
            continue;
        }
        let components = trial.iter().map(|(one, _)| one.component).collect();
        return Ok(Resolved { components, entries });
    }
}

/// Puts what is required beside who provides it.
fn match_up(trial: &[(&Passed<'_>, &Plan)]) -> (Vec<Entry>, Vec<Misfit>) {
    #[derive(Default)]
    struct Dependency {
        entry: Entry,
        unused: Vec<usize>,
    }
    let mut all: BTreeMap<&str, Dependency> = BTreeMap::new();
    let mut misfits = Vec::new();
    for (one, plan) in trial {
        let component = one.component;
        for provide in &plan.provides {
            all.entry(&provide.name).or_default().unused.push(component);
        }
        for require in &plan.requires {
            let dependency = all.entry(&require.name).or_default();
            dependency.entry.providers.append(&mut dependency.unused);
            if dependency.entry.providers.is_empty() {
                misfits.push(Misfit::Requires { component, name: require.name.clone() });
            } else {
                dependency.entry.requires.push(require.clone());
            }
        }
    }
    for (name, dependency) in &all {
        let unused = dependency.unused.iter();
        misfits.extend(
            unused.map(|component| Misfit::Provides { component: *component, name: (*name).to_owned() }),
        );
    }
    (all.into_values().map(|dependency| dependency.entry).collect(), misfits)
}

#[derive(Serialize)]
struct BuildpackPlan {
    entries: Vec<Require>,
}

impl Resolved {
    /// The buildpack plan of one of them, as TOML.
    pub(crate) fn plan_of(&self, component: usize) -> String {
        let own = self.entries.iter().filter(|entry| entry.providers.contains(&component));
        let entries: Vec<_> = own.flat_map(|entry| entry.requires.iter().cloned()).collect();
        // There is nothing in it that came from elsewhere than TOML.
        toml::to_string(&BuildpackPlan { entries }).unwrap_or_default()
    }

    /// What this one was to provide is provided, but for what it says is not.
    pub(crate) fn met(&mut self, component: usize, unmet: &[String]) {
        for entry in self.entries.iter_mut().filter(|entry| entry.providers.contains(&component)) {
            entry.requires.retain(|require| unmet.contains(&require.name));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of `+x -y | +z`: provides x, requires y; or provides z.
    fn plans(text: &str) -> Vec<Plan> {
        let plan = |text: &str| {
            let names = |sign: char| {
                text.split_whitespace().filter_map(move |word| word.strip_prefix(sign)).map(str::to_owned)
            };
            let require = |name| Require { name, metadata: toml::Table::new() };
            Plan {
                provides: names('+').map(|name| Provide { name }).collect(),
                requires: names('-').map(require).collect(),
            }
        };
        text.split('|').map(plan).collect()
    }

    /// A buildpack whose plan ends with `?` is optional. `0:x,y 2:` tells who builds, with what.
    fn shown(group: &[&str]) -> String {
        let plans: Vec<_> = group.iter().map(|text| plans(text.trim_end_matches('?'))).collect();
        let passed: Vec<_> = group
            .iter()
            .zip(&plans)
            .enumerate()
            .map(|(component, (text, plans))| Passed { component, optional: text.ends_with('?'), plans })
            .collect();
        match resolve(&passed) {
            Err(misfit) => format!("{misfit:?}"),
            Ok(resolved) => {
                let plan = |component: &usize| {
                    let text = resolved.plan_of(*component);
                    let names = text.lines().filter_map(|line| line.strip_prefix("name = "));
                    let names = names.map(|name| name.trim_matches('"').to_owned()).collect::<Vec<_>>();
                    format!("{component}:{}", names.join(","))
                };
                resolved.components.iter().map(plan).collect::<Vec<_>>().join(" ")
            }
        }
    }

    #[test]
    fn what_is_required_is_provided() {
        for (group, expected) in [
            (&[""][..], "0:"),
            (&["+x -x"], "0:x"),
            (&["+x", "-x"], "0:x 1:"),
            (&["+x", "+x -x -y +y"], "0:x 1:x,y"),
            (&["+x", "-x", "-x"], "0:x,x 1: 2:"),
            // An alternative, the earlier buildpacks' first ones kept as long as possible.
            (&["+x | +y", "-y"], "0:y 1:"),
            (&["+x | ", "-z | -x"], "0:x 1:"),
            // Optional ones are left out, and what only they wanted as well.
            (&["+x?", "-y?", ""], "2:"),
            (&["+x", "-x", "-nothing?"], "0:x 1:"),
            (&["+y?", "+x -y?", "-x?", "+z -z"], "0:y 1:x 2: 3:z"),
            (&["+x", "-x?", "-x"], "0:x,x 1: 2:"),
        ] {
            assert_eq!(shown(group), expected, "{group:?}");
        }
        for (group, expected) in [
            (&["-x", "+x"][..], "Requires { component: 0, name: \"x\" }"),
            (&["+x"], "Provides { component: 0, name: \"x\" }"),
            (&["-x", "+x -x"], "Requires { component: 0, name: \"x\" }"),
            (&["+x", "-x -y?"], "Provides { component: 0, name: \"x\" }"),
            (&["-x?"], "Requires { component: 0, name: \"x\" }"),
            (&["-a | -b", "-c | -d"], "Requires { component: 0, name: \"a\" }"),
        ] {
            assert_eq!(shown(group), expected, "{group:?}");
        }
        let many = ["-a | -b | -c | -d | -e | -f | -g | -h"; 8];
        assert_eq!(shown(&many), "TooMany");
    }

    #[test]
    fn is_read_with_alternatives_and_metadata() {
        let text = "[[provides]]\nname = \"x\"\n[[requires]]\nname = \"x\"\n[requires.metadata]\nversion = \"1\"\n[[or]]\n[[or.provides]]\nname = \"y\"\n";
        let read = parse(text).unwrap();
        assert_eq!(read.len(), 2);
        let passed = [Passed { component: 7, optional: false, plans: &read }];
        let mut resolved = resolve(&passed).unwrap();
        assert_eq!(resolved.plan_of(7), "[[entries]]\nname = \"x\"\n\n[entries.metadata]\nversion = \"1\"\n");
        assert_eq!(resolved.plan_of(8), "entries = []\n");
        resolved.met(7, &["x".into()]);
        assert!(resolved.plan_of(7).contains("\"x\""));
        resolved.met(7, &[]);
        assert_eq!(resolved.plan_of(7), "entries = []\n");
        assert_eq!(parse("").unwrap(), [Plan::default()]);
        assert!(parse("[[provides]]\nnome = 1").unwrap_err().starts_with("line 1"));
        assert!(parse(&"[[or]]\n".repeat(2000)).is_err());
    }
}
