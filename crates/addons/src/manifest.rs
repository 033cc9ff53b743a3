//! `addon-manifest.json`: what a partner says about a service that it runs.
//!
//! The file is Heroku's, so that one that was written for Heroku is taken as it is. What Kigo adds is
//! `plans`, which Heroku keeps elsewhere. Words that are not known are passed over, as Heroku's own
//! tools do. Errors name the line.

use crate::{Definition, Hooks, Naming, Plan, Test};
use domain::addon::check_attachment_name;
use serde::de::{Error as _, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use url::{Host, Url};

/// A manifest that is right.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Manifest {
    /// The service's name, by which its add-ons are ordered.
    #[serde(deserialize_with = "service_name")]
    pub id: String,
    /// As users read it.
    #[serde(default)]
    pub name: Option<String>,
    pub api: Api,
    /// Its plans, the first of which is the default.
    #[serde(default)]
    pub plans: Vec<Offer>,
}

/// How it is reached.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Api {
    /// What its config vars begin with; without it, the id in capital letters.
    #[serde(default, deserialize_with = "variable_if_any")]
    pub config_vars_prefix: Option<String>,
    #[serde(deserialize_with = "variables")]
    pub config_vars: Vec<String>,
    /// Never written again: it is kept sealed.
    #[serde(deserialize_with = "secret", skip_serializing)]
    password: String,
    #[serde(deserialize_with = "secret", skip_serializing)]
    sso_salt: String,
    #[serde(default)]
    pub requires: BTreeSet<String>,
    #[serde(deserialize_with = "version")]
    version: String,
    pub production: Place,
    #[serde(default)]
    pub test: Option<Place>,
}

/// Where it is reached.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Place {
    #[serde(deserialize_with = "address", serialize_with = "address_text")]
    pub base_url: Url,
    #[serde(deserialize_with = "address", serialize_with = "address_text")]
    pub sso_url: Url,
}

/// A plan.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Offer {
    #[serde(deserialize_with = "service_name")]
    pub name: String,
    #[serde(default)]
    pub title: Option<String>,
    /// US cents a month.
    #[serde(default)]
    pub cents: u64,
}

/// What a manifest holds that nobody else is to read.
pub struct Secrets {
    pub password: String,
    pub sso_salt: String,
}

/// What the platform is to know of who runs a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contract {
    pub base_url: Url,
    pub sso_url: Url,
    /// Its config vars begin with it and `_`.
    pub prefix: String,
    /// Whether it reads the logs of apps.
    pub reads_logs: bool,
    /// Whether it may write to the logs of apps.
    pub writes_logs: bool,
}

/// Why a manifest is not taken. It names the line, if it is about one.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// JSON's own words end with the line.
    #[error("The manifest is not right: {0}.")]
    Shape(#[from] serde_json::Error),
    #[error("The manifest is not right: {what} at line {line}.")]
    Value { what: String, line: usize },
}

impl Manifest {
    /// Reads one.
    ///
    /// # Errors
    /// With the first thing that is wrong, and its line.
    pub fn parse(text: &str) -> Result<(Self, Secrets), ManifestError> {
        let mut manifest: Self = serde_json::from_str(text)?;
        let wrong = |what: String, word: &str| ManifestError::Value { what, line: line_of(text, word) };
        let start = format!("{}_", manifest.prefix());
        let mut known = BTreeSet::new();
        for var in &manifest.api.config_vars {
            if var.strip_prefix(&start).is_none_or(str::is_empty) {
                let what = format!("the config var {var:?} does not begin with the prefix {start:?}");
                return Err(wrong(what, var));
            }
            if !known.insert(var) {
                return Err(wrong(format!("the config var {var:?} is there twice"), var));
            }
        }
        if manifest.api.config_vars.is_empty() {
            return Err(wrong("there are no config vars".into(), "config_vars"));
        }
        let mut plans = BTreeSet::new();
        for plan in &manifest.plans {
            if !plans.insert(&plan.name) {
                return Err(wrong(format!("the plan {:?} is there twice", plan.name), &plan.name));
            }
        }
        let secrets = Secrets {
            password: std::mem::take(&mut manifest.api.password),
            sso_salt: std::mem::take(&mut manifest.api.sso_salt),
        };
        Ok((manifest, secrets))
    }

    /// Reads what was kept of one, which has no secrets.
    ///
    /// # Errors
    /// When it is none.
    pub fn kept(text: &str) -> Result<Self, serde_json::Error> {
        let mut value: serde_json::Value = serde_json::from_str(text)?;
        for name in ["password", "sso_salt"] {
            value["api"][name] = "kept elsewhere".into();
        }
        let mut manifest: Self = serde_json::from_value(value)?;
        (manifest.api.password, manifest.api.sso_salt) = (String::new(), String::new());
        Ok(manifest)
    }

    /// As it is kept: with the addresses that are to be used, and without secrets.
    ///
    /// # Errors
    /// Never, as far as anybody knows.
    pub fn to_keep(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }

    /// What its config vars begin with.
    pub fn prefix(&self) -> String {
        let own = || self.id.to_ascii_uppercase().replace('-', "_");
        self.api.config_vars_prefix.clone().unwrap_or_else(own)
    }

    /// The service as the marketplace has it.
    pub fn definition(&self) -> Definition {
        let prefix = self.prefix();
        let suffixes = self.api.config_vars.iter().filter_map(|var| var.strip_prefix(&format!("{prefix}_")));
        let config = suffixes.map(|suffix| (suffix.to_owned(), format!("{{{suffix}}}"))).collect();
        let requires = |word: &str| self.api.requires.contains(word);
        let test = || Offer { name: "test".into(), title: None, cents: 0 };
        let offers = if self.plans.is_empty() { vec![test()] } else { self.plans.clone() };
        let plan = |offer: &Offer| Plan {
            name: offer.name.clone(),
            title: offer.title.clone().unwrap_or_else(|| offer.name.clone()),
            cents: offer.cents,
            ..Plan::default()
        };
        Definition {
            provided: None,
            name: self.id.clone(),
            title: self.name.clone().unwrap_or_else(|| self.id.clone()),
            summary: format!("Run by {}.", self.api.production.base_url.host_str().unwrap_or_default()),
            alias: None,
            default_plan: offers[0].name.clone(),
            many_per_app: requires("many_per_app"),
            sharing: requires("attachable"),
            attachment: Naming { first: prefix.clone(), further: None },
            config,
            values: BTreeMap::new(),
            settings: BTreeMap::new(),
            run: None,
            hooks: Hooks::default(),
            test: Test::default(),
            plans: offers.iter().map(plan).collect(),
            contract: Some(Contract {
                base_url: self.api.production.base_url.clone(),
                sso_url: self.api.production.sso_url.clone(),
                prefix,
                reads_logs: requires("syslog_drain"),
                writes_logs: requires("log_input"),
            }),
        }
    }
}

/// The line in which a word stands first.
fn line_of(text: &str, word: &str) -> usize {
    let before = text.find(&format!("\"{word}\"")).map_or("", |at| &text[..at]);
    before.matches('\n').count() + 1
}

/// A text that is parsed where it stands, so that an error is about its line.
fn checked<'de, D: Deserializer<'de>, T>(
    from: D,
    check: fn(&str) -> Result<T, String>,
) -> Result<T, D::Error> {
    struct Text<T>(fn(&str) -> Result<T, String>);
    impl<T> Visitor<'_> for Text<T> {
        type Value = T;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a text")
        }
        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
            (self.0)(text).map_err(E::custom)
        }
    }
    from.deserialize_str(Text(check))
}

fn service_name<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    checked(from, |text| {
        let good =
            text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_'))
                && text.bytes().next().is_some_and(|b| b.is_ascii_lowercase())
                && text.len() <= 64;
        let why =
            || format!("{text:?} is no name: start with a letter and use at most 64 of a-z, 0-9, - and _");
        good.then(|| text.to_owned()).ok_or_else(why)
    })
}

fn variable(text: &str) -> Result<String, String> {
    check_attachment_name(text).map_err(|_| {
        format!("{text:?} is no name of a config var: start with a letter and use A-Z, 0-9 and _")
    })?;
    Ok(text.to_owned())
}

fn variable_if_any<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<Variable>::deserialize(from)?.map(|one| one.0))
}

fn variables<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    Ok(Vec::<Variable>::deserialize(from)?.into_iter().map(|one| one.0).collect())
}

struct Variable(String);

impl<'de> Deserialize<'de> for Variable {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        checked(from, variable).map(Self)
    }
}

fn secret<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    checked(from, |text| {
        let why = "a secret has from 8 to 512 characters, and none of them is a control character";
        let good = (8..=512).contains(&text.len()) && !text.chars().any(char::is_control);
        good.then(|| text.to_owned()).ok_or_else(|| why.to_owned())
    })
}

fn version<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    /// Manifests have it as a text and as a number.
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Text(String),
        Number(u64),
    }
    match Either::deserialize(from)? {
        Either::Text(text) if text == "3" => Ok(text),
        Either::Number(3) => Ok("3".into()),
        _ => Err(D::Error::custom("version 3 of the Add-on Partner API is spoken here, and no other")),
    }
}

fn address<'de, D: Deserializer<'de>>(from: D) -> Result<Url, D::Error> {
    checked(from, check_address)
}

fn address_text<S: Serializer>(url: &Url, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(url.as_str())
}

/// `https`, or `http` where nobody listens in between. Passwords go there.
fn check_address(text: &str) -> Result<Url, String> {
    let url = Url::from_str(text).map_err(|why| format!("{text:?} is no address: {why}"))?;
    let host = url.host().ok_or_else(|| format!("{text:?} names no host"))?;
    let inner = match host {
        Host::Domain(name) => name == "localhost" || name.ends_with(".localhost"),
        Host::Ipv4(address) => address.is_loopback() || address.is_private(),
        Host::Ipv6(address) => IpAddr::V6(address).is_loopback() || address.is_unique_local(),
    };
    match url.scheme() {
        "https" => {}
        "http" if inner => {}
        "http" => return Err(format!("{text:?} must be https: a password goes there")),
        _ => return Err(format!("{text:?} is neither http nor https")),
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err(format!("{text:?} may have neither a user, nor a password, nor a fragment"));
    }
    Ok(url)
}

#[cfg(test)]
mod tests;
