//! Templates of config vars: `postgres://{user}:{password}@{host}:{port}/{database}`.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// What a template may name besides an add-on's values: `host` and `port`.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub host: Ipv4Addr,
    pub port: u16,
}

/// A template that cannot be filled in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    #[error("there is no value {{{0}}}")]
    Unknown(String),
    #[error("a {{ without }}")]
    Open,
}

/// Fills a template in.
pub(crate) fn fill(
    template: &str,
    place: Option<Place>,
    values: &BTreeMap<String, String>,
) -> Result<String, TemplateError> {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').ok_or(TemplateError::Open)?;
        text.push_str(before);
        match (name, place) {
            ("host", Some(place)) => text.push_str(&place.host.to_string()),
            ("port", Some(place)) => text.push_str(&place.port.to_string()),
            _ => {
                let value = values.get(name).ok_or_else(|| TemplateError::Unknown(name.to_owned()))?;
                text.push_str(value);
            }
        }
        rest = after;
    }
    text.push_str(rest);
    Ok(text)
}

impl crate::Definition {
    /// The config vars of an attachment called `name`.
    ///
    /// # Errors
    /// When a template names a value that the add-on does not have, as after the definition was changed.
    pub fn config_vars(
        &self,
        name: &str,
        place: Option<Place>,
        values: &BTreeMap<String, String>,
    ) -> Result<BTreeMap<String, String>, TemplateError> {
        // A partner need not give all that its manifest names.
        let given = |suffix: &&String| self.contract.is_none() || values.contains_key(*suffix);
        let vars = self.config.iter().filter(|(suffix, _)| given(suffix));
        vars.map(|(suffix, template)| Ok((format!("{name}_{suffix}"), fill(template, place, values)?)))
            .collect()
    }

    /// The names of those config vars.
    pub fn config_names(&self, name: &str) -> Vec<String> {
        self.config.keys().map(|suffix| format!("{name}_{suffix}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_braces_are_replaced() {
        let values = BTreeMap::from([("user".to_owned(), "u1".to_owned())]);
        let place = Some(Place { host: Ipv4Addr::new(10, 0, 0, 1), port: 5432 });
        let check = |template: &str, place| fill(template, place, &values);
        assert_eq!(check("a://{user}@{host}:{port}/", place).unwrap(), "a://u1@10.0.0.1:5432/");
        assert_eq!(check("plain", None).unwrap(), "plain");
        assert_eq!(check("{nobody}", place).unwrap_err(), TemplateError::Unknown("nobody".into()));
        assert_eq!(check("{host}", None).unwrap_err(), TemplateError::Unknown("host".into()));
        assert_eq!(check("{user", place).unwrap_err(), TemplateError::Open);
    }
}
