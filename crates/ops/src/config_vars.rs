//! Config vars. Every change that has an effect makes a release.

use crate::access::{self, Role};
use crate::releases::{self, Trigger};
use crate::{Actor, Error, Ops, Permission, Result};
use domain::{ConfigKey, ConfigVars};
use std::collections::BTreeMap;

/// An app's config vars.
pub async fn info(ops: &Ops, actor: &Actor, app: &str) -> Result<ConfigVars> {
    let mut tx = ops.store().read().await?;
    let app = access::app(&mut tx, actor, app, Permission::ReadProtected, Role::Collaborator).await?;
    Ok(store::configs::of_app(&mut tx, app.id).await?)
}

/// The config vars that a release runs with.
pub async fn info_of_release(ops: &Ops, actor: &Actor, app: &str, release: &str) -> Result<ConfigVars> {
    let mut tx = ops.store().read().await?;
    let app = access::app(&mut tx, actor, app, Permission::ReadProtected, Role::Collaborator).await?;
    let release = releases::find(&mut tx, &app, release).await?;
    Ok(store::configs::of_release(&mut tx, release.id).await?)
}

/// Sets vars, and removes those given as `None`. Returns all of them. If anything changed there is one
/// new release; if nothing did there is none.
pub async fn update(
    ops: &Ops,
    actor: &Actor,
    app: &str,
    changes: BTreeMap<String, Option<String>>,
) -> Result<ConfigVars> {
    let mut write = ops.store().write().await?;
    let mut app = access::app(&mut write, actor, app, Permission::WriteProtected, Role::Collaborator).await?;
    let mut vars = store::configs::own_of_app(&mut write, app.id).await?;
    let attached = store::configs::attached_of_app(&mut write, app.id).await?;
    let theirs: Vec<_> = changes.keys().filter(|name| attached.0.contains_key(*name)).cloned().collect();
    if !theirs.is_empty() {
        return Err(Error::invalid(format!(
            "Cannot overwrite attachment values {}. They come from add-ons; see `heroku addons`.",
            theirs.join(", ")
        )));
    }
    let whole = |mut own: ConfigVars| {
        own.0.extend(attached.0);
        own
    };
    let Some(description) = apply(&mut vars, changes)? else { return Ok(whole(vars)) };
    check_size(&vars, ops.settings().max_config_bytes)?;
    let config = store::configs::insert(&mut write, app.id, &vars).await?;
    let slug = releases::base_slug(&mut write, app.id).await?;
    let new = releases::New {
        user: &actor.account,
        description,
        slug,
        config: Some(config),
        trigger: Trigger::Config,
    };
    let made = releases::insert(ops, &mut write, &mut app, new).await?;
    ops.commit(write, app.id, made.lines).await?;
    Ok(whole(vars))
}

/// Applies the changes and says what was done (`Set A, B config vars`), or `None` if nothing was.
pub(crate) fn apply(
    vars: &mut ConfigVars,
    changes: BTreeMap<String, Option<String>>,
) -> Result<Option<String>> {
    let (mut set, mut removed) = (Vec::new(), Vec::new());
    for (name, value) in changes {
        match value {
            Some(value) => {
                let name = String::from(ConfigKey::parse(&name)?);
                if value.contains('\0') {
                    // No environment can hold it.
                    return Err(Error::invalid(format!("The value of {name} contains a NUL byte.")));
                }
                if vars.0.get(&name) != Some(&value) {
                    vars.0.insert(name.clone(), value);
                    set.push(name);
                }
            }
            None => removed.extend(vars.0.remove(&name).map(|_| name)),
        }
    }
    Ok(match (set.join(", "), removed.join(", ")) {
        (set, removed) if set.is_empty() && removed.is_empty() => None,
        (set, removed) if removed.is_empty() => Some(format!("Set {set} config vars")),
        (set, removed) if set.is_empty() => Some(format!("Remove {removed} config vars")),
        (set, removed) => Some(format!("Set {set} and remove {removed} config vars")),
    })
}

pub(crate) fn check_size(vars: &ConfigVars, max: usize) -> Result<()> {
    let size: usize = vars.0.iter().map(|(name, value)| name.len() + value.len()).sum();
    if size > max {
        return Err(Error::invalid(format!(
            "Config vars take {size} bytes, which is over the limit of {max} bytes for all names and values of an app."
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(changes: &[(&str, Option<&str>)], expected: Option<&str>, after: &[(&str, &str)]) {
        let mut vars = ConfigVars([("A".into(), "1".into()), ("B".into(), "2".into())].into());
        let changes = changes.iter().map(|(name, value)| ((*name).into(), value.map(Into::into))).collect();
        assert_eq!(apply(&mut vars, changes).unwrap().as_deref(), expected);
        let vars: Vec<_> = vars.0.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(vars, after);
    }

    #[test]
    fn changes_are_named() {
        let same = [("A", "1"), ("B", "2")];
        check(&[], None, &same);
        check(&[("A", Some("1")), ("C", None)], None, &same);
        check(
            &[("C", Some("")), ("A", Some("9"))],
            Some("Set A, C config vars"),
            &[("A", "9"), ("B", "2"), ("C", "")],
        );
        check(&[("A", None), ("B", None)], Some("Remove A, B config vars"), &[]);
        check(
            &[("A", None), ("C", Some("3"))],
            Some("Set C and remove A config vars"),
            &[("B", "2"), ("C", "3")],
        );
    }

    #[test]
    fn names_and_values_are_checked() {
        for (name, value) in [("1A", "x"), ("A-B", "x"), ("", "x"), ("HEROKU_X", "x"), ("A", "x\0y")] {
            let changes = [(name.to_owned(), Some(value.to_owned()))].into();
            assert!(
                matches!(apply(&mut ConfigVars::default(), changes), Err(Error::InvalidParams(_))),
                "{name}"
            );
        }
        // What cannot be set can still be removed.
        assert_eq!(apply(&mut ConfigVars::default(), [("A-B".into(), None)].into()).unwrap(), None);
    }

    #[test]
    fn size_counts_names_and_values() {
        let vars = ConfigVars([("AB".into(), "123".into())].into());
        assert!(check_size(&vars, 5).is_ok());
        assert!(check_size(&vars, 4).is_err());
    }
}
