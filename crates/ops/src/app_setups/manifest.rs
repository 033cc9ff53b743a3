//! What an `app.json` means for one setup, or what is wrong with it or missing to it.

use crate::addons::{self, Create};
use crate::{buildpacks, config_vars, features, random, stacks};
use ::addons::Catalog;
use domain::addon::check_attachment_name;
use domain::app_json::{Addon, AppJson, EnvVar, Generator};
use domain::{BuildpackRef, ConfigVars, SetupOverrides, SetupPlan};
use std::collections::{BTreeMap, BTreeSet};

/// What is to be done before the build, and what after it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Decision {
    pub(super) vars: ConfigVars,
    pub(super) buildpacks: Vec<BuildpackRef>,
    /// `None`: the app keeps the one that it has.
    pub(super) stack: Option<String>,
    pub(super) features: Vec<String>,
    pub(super) addons: Vec<Create>,
    pub(super) plan: SetupPlan,
    /// What is passed over, in words for the app's log.
    pub(super) notes: Vec<String>,
}

/// What this installation has, and its limits.
pub(super) struct Limits<'c> {
    pub(super) catalog: &'c Catalog,
    pub(super) buildpacks: usize,
    pub(super) config_bytes: usize,
    pub(super) quantity: u32,
}

/// Decides, or names everything that is wrong at once.
pub(super) fn decide(
    app_json: AppJson,
    overrides: &SetupOverrides,
    limits: &Limits<'_>,
) -> Result<Decision, Vec<String>> {
    let mut errors = Vec::new();
    let mut decision = Decision { buildpacks: overrides.buildpacks.clone(), ..Decision::default() };
    let given = order(&app_json.addons, limits.catalog, &mut decision, &mut errors);
    decision.vars = vars(&app_json.env, &overrides.env, &given, limits, &mut errors);
    for name in app_json.env.keys().filter(|name| given.contains(*name)) {
        decision.notes.push(format!("app.json asks for {name} in env, which an add-on of it gives"));
    }
    if decision.buildpacks.is_empty() {
        let list: Vec<_> = app_json.buildpacks.into_iter().map(|one| one.url.0).collect();
        match buildpacks::check_all(&list, limits.buildpacks) {
            Ok(list) => decision.buildpacks = list,
            Err(error) => errors.push(format!("buildpacks: {error}")),
        }
    }
    if let Some(stack) = app_json.stack.filter(|_| !overrides.stack) {
        match stacks::check(&stack) {
            Ok(stack) => decision.stack = Some(stack),
            Err(error) => errors.push(format!("stack: {error}")),
        }
    }
    for (process_type, entry) in &app_json.formation {
        if let Some(quantity) = entry.quantity.filter(|quantity| *quantity > limits.quantity) {
            errors.push(format!(
                "formation.{process_type}: {quantity} dynos are too many; use a quantity from 0 to {}.",
                limits.quantity
            ));
        }
    }
    for feature in app_json.features {
        if features::exists(&feature) {
            decision.features.push(feature);
        } else {
            decision.notes.push(format!("app.json asks for the feature {feature}, which there is not"));
        }
    }
    decision.plan = SetupPlan {
        addons: Vec::new(),
        formation: app_json.formation,
        postdeploy: app_json.scripts.postdeploy,
        success_url: app_json.success_url,
    };
    if errors.is_empty() { Ok(decision) } else { Err(errors) }
}

/// Puts orders for add-ons into the decision, and returns the names of the config vars that they give,
/// as far as those can be told.
fn order(
    list: &[Addon],
    catalog: &Catalog,
    decision: &mut Decision,
    errors: &mut Vec<String>,
) -> BTreeSet<String> {
    let (mut attachments, mut given) = (BTreeSet::new(), BTreeSet::new());
    for (index, addon) in list.iter().enumerate() {
        let service = match addons::plan_of(catalog, &addon.plan) {
            Ok((service, _)) => service,
            Err(error) => {
                errors.push(format!("addons[{index}].plan: {error}"));
                continue;
            }
        };
        let chosen = addon.alias.as_ref().map(|name| name.to_ascii_uppercase());
        if let Some(Err(error)) = chosen.as_deref().map(check_attachment_name) {
            errors.push(format!("addons[{index}].as: {error}"));
            continue;
        }
        let name = chosen.as_ref().unwrap_or(&service.attachment.first);
        if attachments.insert(name.clone()) {
            given.extend(service.config_names(name));
        } else if chosen.is_some() {
            errors.push(format!("addons[{index}].as: another add-on is called {name} already."));
        }
        let mut told = BTreeMap::new();
        if service.contract.is_some() {
            let text =
                |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            told = addon.options.iter().map(|(name, value)| (name.clone(), text(value))).collect();
        } else if !addon.options.is_empty() {
            let options: Vec<_> = addon.options.keys().map(String::as_str).collect();
            decision.notes.push(format!(
                "app.json gives {} options, of which it has none: {}",
                addon.plan,
                options.join(", ")
            ));
        }
        decision.addons.push(Create {
            plan: addon.plan.clone(),
            attachment: chosen,
            options: told,
            ..Create::default()
        });
    }
    given
}

/// Those that `given` names come from add-ons and are not set.
fn vars(
    env: &BTreeMap<String, EnvVar>,
    overrides: &BTreeMap<String, String>,
    given: &BTreeSet<String>,
    limits: &Limits<'_>,
    errors: &mut Vec<String>,
) -> ConfigVars {
    let mut wanted = overrides.clone();
    for name in overrides.keys().filter(|name| given.contains(*name)) {
        errors.push(format!("overrides.env.{name}: an add-on of app.json gives it, so it cannot be set."));
    }
    for (name, var) in env {
        if wanted.contains_key(name) || given.contains(name) {
            continue;
        }
        let value = match (&var.generator, &var.value) {
            (Some(Generator::Secret), _) => Some(random::key()),
            (None, value) => value.clone(),
        };
        match value {
            Some(value) => _ = wanted.insert(name.clone(), value),
            // The platform's own, which review apps are given.
            None if name.starts_with("HEROKU_") => {}
            None if var.required => errors.push(format!("config var {name} is required")),
            None => {}
        }
    }
    let mut vars = ConfigVars::default();
    for (name, value) in wanted {
        if let Err(error) = config_vars::apply(&mut vars, BTreeMap::from([(name.clone(), Some(value))])) {
            errors.push(format!("env.{name}: {error}"));
        }
    }
    if let Err(error) = config_vars::check_size(&vars, limits.config_bytes) {
        errors.push(format!("env: {error}"));
    }
    vars
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overrides(env: &[(&str, &str)], buildpacks: &[&str]) -> SetupOverrides {
        SetupOverrides {
            env: env.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
            buildpacks: buildpacks.iter().map(|name| BuildpackRef((*name).into())).collect(),
            stack: false,
        }
    }

    fn decided(text: &str, overrides: &SetupOverrides) -> Result<Decision, Vec<String>> {
        let catalog = Catalog::load(None).unwrap();
        let limits = Limits { catalog: &catalog, buildpacks: 2, config_bytes: 1000, quantity: 10 };
        decide(AppJson::parse(text).unwrap().app_json, overrides, &limits)
    }

    #[test]
    fn overrides_win_over_generated_and_given_values() {
        let text = r#"{"env": {"A": "1", "B": {"value": "2"}, "S": {"generator": "secret"}, "O": {"required": false},
                       "T": {"generator": "secret"}, "R": {}, "HEROKU_APP_NAME": {"required": true}}}"#;
        let given = overrides(&[("B", "two"), ("R", "here"), ("T", "mine"), ("X", "more")], &[]);
        let mut vars = decided(text, &given).unwrap().vars.0;
        let secret = vars.remove("S").unwrap();
        assert!(secret.len() == 64 && secret.bytes().all(|b| b.is_ascii_hexdigit()), "{secret}");
        let vars: Vec<_> = vars.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(vars, [("A", "1"), ("B", "two"), ("R", "here"), ("T", "mine"), ("X", "more")]);
        let other = decided(text, &given).unwrap().vars.0.remove("S").unwrap();
        assert_ne!(other, secret);
    }

    #[test]
    fn buildpacks_stack_and_features_are_chosen() {
        let text = r#"{"buildpacks": [{"url": "heroku/nodejs"}], "stack": "kigo-13",
                       "features": ["runtime-dyno-metadata", "spaces-dns-discovery"]}"#;
        let decision = decided(text, &overrides(&[], &[])).unwrap();
        assert_eq!(decision.buildpacks, [BuildpackRef("heroku/nodejs".into())]);
        assert_eq!(decision.stack.as_deref(), Some("kigo-13"));
        assert_eq!(decision.features, ["runtime-dyno-metadata"]);
        assert_eq!(
            decision.notes,
            ["app.json asks for the feature spaces-dns-discovery, which there is not"]
        );
        let mut chosen = overrides(&[], &["heroku/python"]);
        chosen.stack = true;
        let decision = decided(text, &chosen).unwrap();
        assert_eq!((decision.buildpacks, decision.stack), (chosen.buildpacks, None));
    }

    #[test]
    fn add_ons_are_ordered_and_their_config_vars_left_to_them() {
        let text = r#"{"addons": ["heroku-postgresql", {"plan": "heroku-redis:mini", "as": "cache"},
                                  {"plan": "heroku-postgresql:mini", "options": {"version": "16"}}],
                       "env": {"DATABASE_URL": {"required": true}, "CACHE_URL": "x", "REDIS_URL": "y"}}"#;
        let decision = decided(text, &overrides(&[], &[])).unwrap();
        let orders: Vec<_> =
            decision.addons.iter().map(|one| (one.plan.as_str(), one.attachment.as_deref())).collect();
        let expected = [
            ("heroku-postgresql", None),
            ("heroku-redis:mini", Some("CACHE")),
            ("heroku-postgresql:mini", None),
        ];
        assert_eq!(orders, expected);
        assert_eq!(decision.vars.0.keys().collect::<Vec<_>>(), ["REDIS_URL"]);
        assert_eq!(
            decision.notes,
            [
                "app.json gives heroku-postgresql:mini options, of which it has none: version",
                "app.json asks for CACHE_URL in env, which an add-on of it gives",
                "app.json asks for DATABASE_URL in env, which an add-on of it gives",
            ]
        );
        let errors = decided(text, &overrides(&[("DATABASE_URL", "mine")], &[])).unwrap_err();
        let said = "overrides.env.DATABASE_URL: an add-on of app.json gives it, so it cannot be set.";
        assert_eq!(errors, [said]);
    }

    #[test]
    fn everything_that_is_wrong_is_named_at_once() {
        let text = r#"{"env": {"FOO": {"description": "x"}, "BAR": {"required": true}, "A-B": "1", "HEROKU_X": "1"},
                       "addons": ["heroku-redis", "heroku-redis:huge", {"plan": "nothing"},
                                  {"plan": "heroku-redis", "as": "a-b"}, {"plan": "heroku-redis", "as": "redis"}],
                       "stack": "heroku-99", "buildpacks": [{"url": "nonsense"}],
                       "formation": {"web": {"quantity": 11}}}"#;
        let errors = decided(text, &overrides(&[], &[])).unwrap_err();
        let starts = [
            "addons[1].plan: Couldn't find either the add-on service or the add-on plan of \"heroku-redis:huge\". Its plans are: ",
            "addons[2].plan: Couldn't find either the add-on service or the add-on plan of \"nothing\". There are: ",
            "addons[3].as: Attachment name \"A-B\" is not valid",
            "addons[4].as: another add-on is called REDIS already.",
            "config var BAR is required",
            "config var FOO is required",
            "env.A-B: Config var name \"A-B\" is not valid",
            "env.HEROKU_X: Config var name HEROKU_X is not valid",
            "buildpacks: Buildpack \"nonsense\" is not valid",
            "stack: Stack \"heroku-99\" does not exist. Use one of: ",
            "formation.web: 11 dynos are too many; use a quantity from 0 to 10.",
        ];
        assert_eq!(errors.len(), starts.len(), "{errors:#?}");
        for (error, start) in errors.iter().zip(starts) {
            assert!(error.starts_with(start), "{errors:#?}");
        }
        let long = "x".repeat(1000);
        let errors = decided(&format!(r#"{{"env": {{"A": "{long}"}}}}"#), &overrides(&[], &[])).unwrap_err();
        assert!(errors[0].starts_with("env: Config vars take 1001 bytes"), "{errors:?}");
    }
}
