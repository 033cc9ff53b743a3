//! From an order, with orders inside of it, to groups of buildpacks that have programs of their own.

use super::descriptor::{Descriptor, Member};

/// Groups that come of an order.
const GROUPS: usize = 500;
/// Buildpacks in one of them.
const MEMBERS: usize = 200;
/// Orders inside of orders.
const DEPTH: usize = 16;

/// A buildpack in a group, by its place in the catalog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) component: usize,
    /// Whether the group may go on without it.
    pub(crate) optional: bool,
}

/// Why an order leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BadOrder {
    /// A member that is not in the catalog.
    Missing { of: String, member: String },
    /// Orders lead to each other, or to too much.
    TooMuch,
}

/// The groups that come of the buildpacks at these places of the catalog, one after the other.
pub(crate) fn groups(catalog: &[Descriptor], entries: &[usize]) -> Result<Vec<Vec<Slot>>, BadOrder> {
    let mut all = vec![Vec::new()];
    for entry in entries {
        all = extend(&all, &alternatives(catalog, *entry, false, 0)?, catalog)?;
    }
    all.retain(|group| !group.is_empty());
    Ok(all)
}

/// What one member may stand for.
fn alternatives(
    catalog: &[Descriptor],
    place: usize,
    optional: bool,
    depth: usize,
) -> Result<Vec<Vec<Slot>>, BadOrder> {
    let Some(buildpack) = catalog.get(place).filter(|_| depth < DEPTH) else { return Err(BadOrder::TooMuch) };
    if buildpack.order.is_empty() {
        return Ok(vec![vec![Slot { component: place, optional }]]);
    }
    let mut all = Vec::new();
    for group in &buildpack.order {
        let mut groups = vec![Vec::new()];
        for member in group.iter().filter(|member| member.is_for_production()) {
            let place = find(catalog, member).ok_or_else(|| BadOrder::Missing {
                of: buildpack.shown(),
                member: format!("{} {}", member.id, member.version).trim().to_owned(),
            })?;
            groups = extend(&groups, &alternatives(catalog, place, member.optional, depth + 1)?, catalog)?;
        }
        all.extend(groups);
        if all.len() > GROUPS {
            return Err(BadOrder::TooMuch);
        }
    }
    if optional {
        all.push(Vec::new());
    }
    Ok(all)
}

fn find(catalog: &[Descriptor], member: &Member) -> Option<usize> {
    let is_it = |one: &Descriptor| {
        one.id == member.id && (member.version.is_empty() || one.version == member.version)
    };
    catalog.iter().position(is_it)
}

/// Each of `groups` with each of `more` behind it.
fn extend(
    groups: &[Vec<Slot>],
    more: &[Vec<Slot>],
    catalog: &[Descriptor],
) -> Result<Vec<Vec<Slot>>, BadOrder> {
    if groups.len().saturating_mul(more.len()) > GROUPS {
        return Err(BadOrder::TooMuch);
    }
    let mut all = Vec::new();
    for group in groups {
        for tail in more {
            let mut group = group.clone();
            for slot in tail {
                // The first of an id wins.
                let id = &catalog[slot.component].id;
                if group.iter().all(|earlier: &Slot| catalog[earlier.component].id != *id) {
                    group.push(*slot);
                }
            }
            if group.len() > MEMBERS {
                return Err(BadOrder::TooMuch);
            }
            all.push(group);
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of `o = a b? | c`: a composite buildpack with two groups; a name alone is a component.
    fn catalog(lines: &[&str]) -> Vec<Descriptor> {
        let member = |word: &str| {
            let optional = word.ends_with('?');
            format!(
                "[[order.group]]\nid = \"{}\"\nversion = \"1\"\noptional = {optional}\n",
                word.trim_end_matches('?')
            )
        };
        let parse = |line: &&str| {
            let (id, order) = line.split_once('=').unwrap_or((line, ""));
            let groups = order.split('|').filter(|group| !group.trim().is_empty());
            let groups = groups.flat_map(|group| {
                std::iter::once("[[order]]\n".to_owned()).chain(group.split_whitespace().map(member))
            });
            let groups: String = groups.collect();
            let id = id.trim();
            let text = format!("api = \"0.10\"\n[buildpack]\nid = \"{id}\"\nversion = \"1\"\n{groups}");
            Descriptor::parse(&text).unwrap()
        };
        lines.iter().map(parse).collect()
    }

    fn shown(lines: &[&str], entries: &[usize]) -> Result<Vec<String>, BadOrder> {
        let catalog = catalog(lines);
        let slot =
            |slot: &Slot| format!("{}{}", catalog[slot.component].id, if slot.optional { "?" } else { "" });
        let group = |group: &Vec<Slot>| group.iter().map(slot).collect::<Vec<_>>().join(" ");
        Ok(groups(&catalog, entries)?.iter().map(group).collect())
    }

    #[test]
    fn orders_are_taken_apart() {
        let components = ["a", "b", "c", "d", "e", "f", "g", "h"];
        let with = |orders: &[&'static str]| [&components[..], orders].concat();
        for (orders, entries, expected) in [
            (&[][..], &[0, 1][..], &["a b"][..]),
            (&["o = a b | c d"], &[8], &["a b", "c d"]),
            (&["o = a b? | c"], &[8], &["a b?", "c"]),
            (&["o = a b | c d"], &[4, 8, 5], &["e a b f", "e c d f"]),
            (&["o = a b | c d", "p = e f | g h"], &[8, 9], &["a b e f", "a b g h", "c d e f", "c d g h"]),
            (&["o = a | b", "p = e o? f"], &[9], &["e a f", "e b f", "e f"]),
            (&["o = a", "p = a o b"], &[9], &["a b"]),
        ] {
            assert_eq!(shown(&with(orders), entries).unwrap(), expected, "{orders:?}");
        }
    }

    #[test]
    fn nothing_runs_away() {
        let missing = shown(&["o = a nowhere", "a"], &[0]);
        assert_eq!(missing, Err(BadOrder::Missing { of: "o 1".into(), member: "nowhere 1".into() }));
        for lines in [&["o = o"][..], &["o = p", "p = o"]] {
            assert_eq!(shown(lines, &[0]), Err(BadOrder::TooMuch), "{lines:?}");
        }
        let twice = |name: &str, inner: &str| format!("{name} = a {inner} | b {inner}");
        let lines: Vec<_> = (0..12).map(|n| twice(&format!("o{n}"), &format!("o{}", n + 1))).collect();
        let mut lines: Vec<_> = lines.iter().map(String::as_str).collect();
        lines.extend(["o12 = a", "a", "b"]);
        assert_eq!(shown(&lines, &[0]), Err(BadOrder::TooMuch));
    }
}
