//! What config vars say about which packages an app gets.

use super::manager::{Facts, Manager};
use super::words::NodeError;
use std::collections::BTreeMap;

/// Which packages are installed, and which stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Selection {
    /// Whether packages for development are installed.
    pub(super) development: bool,
    /// Why they are not removed in the end; `None` if they are.
    pub(super) kept: Option<String>,
    /// Whether an earlier build's packages may be used.
    pub(super) cached: bool,
}

impl Selection {
    /// Reads an app's config vars.
    pub(super) fn of(manager: &Manager, config: &BTreeMap<String, String>) -> Result<Self, NodeError> {
        let get = |name: &str| config.get(name).map(String::as_str).filter(|value| !value.is_empty());
        if let Some((name, instead)) = manager.refused
            && let Some(value) = get(name)
        {
            let instead = format!("{instead}={}", value != "true");
            return Err(NodeError::RefusedSetting { name, instead });
        }
        let is = |name: &str, value: &str| format!("{name} is '{value}'");
        let production = manager.production.and_then(|name| Some((name, get(name)?)));
        let kept = match (get("NODE_ENV").unwrap_or("production"), production) {
            ("production", None) => {
                manager.keep.filter(|name| get(name) == Some("true")).map(|name| is(name, "true"))
            }
            ("production", Some((name, value))) => Some(is(name, value)),
            ("test", _) => Some(is("NODE_ENV", "test")),
            _ => Some("NODE_ENV is not 'production'".to_owned()),
        };
        Ok(Self {
            development: production.is_none_or(|(_, value)| value != "true"),
            kept,
            cached: get("NODE_MODULES_CACHE") != Some("false"),
        })
    }

    /// For the program in the container.
    pub(super) fn plan(&self, facts: &Facts) -> Vec<(String, String)> {
        let kept = self.kept.as_deref().or(facts.unprunable);
        vec![
            ("KIGO_DEVELOPMENT".into(), u8::from(self.development).to_string()),
            ("KIGO_KEPT_BECAUSE".into(), kept.unwrap_or_default().into()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::languages::nodejs::managers::{npm, pnpm, yarn_berry, yarn_classic};

    #[test]
    fn each_package_manager_has_its_own_switch() {
        for (manager, variables, development, kept) in [
            (&npm::MANAGER, &[][..], true, None),
            (&npm::MANAGER, &[("NODE_ENV", "test")], true, Some("NODE_ENV is 'test'")),
            (&pnpm::MANAGER, &[("NODE_ENV", "staging")], true, Some("NODE_ENV is not 'production'")),
            (
                &npm::MANAGER,
                &[("NPM_CONFIG_PRODUCTION", "false")],
                true,
                Some("NPM_CONFIG_PRODUCTION is 'false'"),
            ),
            (
                &npm::MANAGER,
                &[("NPM_CONFIG_PRODUCTION", "true")],
                false,
                Some("NPM_CONFIG_PRODUCTION is 'true'"),
            ),
            (&npm::MANAGER, &[("YARN_PRODUCTION", "true"), ("NPM_CONFIG_PRODUCTION", "")], true, None),
            (
                &yarn_classic::MANAGER,
                &[("YARN_PRODUCTION", "false")],
                true,
                Some("YARN_PRODUCTION is 'false'"),
            ),
            (&pnpm::MANAGER, &[("PNPM_SKIP_PRUNING", "true")], true, Some("PNPM_SKIP_PRUNING is 'true'")),
            (&pnpm::MANAGER, &[("PNPM_SKIP_PRUNING", "false")], true, None),
            (
                &yarn_berry::MANAGER,
                &[("YARN2_SKIP_PRUNING", "true")],
                true,
                Some("YARN2_SKIP_PRUNING is 'true'"),
            ),
        ] {
            let config = variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
            let found = Selection::of(manager, &config).unwrap();
            assert_eq!((found.development, found.kept.as_deref()), (development, kept), "{variables:?}");
            assert!(found.cached);
        }
        let config = BTreeMap::from([("NODE_MODULES_CACHE".into(), "false".into())]);
        assert!(!Selection::of(&npm::MANAGER, &config).unwrap().cached);
    }

    #[test]
    fn what_yarn_refuses_is_told_before() {
        for (value, instead) in [("true", "YARN2_SKIP_PRUNING=false"), ("false", "YARN2_SKIP_PRUNING=true")] {
            let config = BTreeMap::from([("YARN_PRODUCTION".into(), value.into())]);
            let error = Selection::of(&yarn_berry::MANAGER, &config).unwrap_err();
            assert!(matches!(error, NodeError::RefusedSetting { instead: told, .. } if told == instead));
        }
    }
}
