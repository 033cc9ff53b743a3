//! The values in an `app.json` that are more than a text.

use crate::{BuildpackRef, DynoSize, NameError, ProcessType};
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

/// One of `buildpacks`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Buildpack {
    /// An address, or a name such as `heroku/nodejs`.
    #[serde(deserialize_with = "buildpack")]
    pub url: BuildpackRef,
}

/// One of `env`: a text, or an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvVar {
    pub description: Option<String>,
    pub value: Option<String>,
    /// Without a value the setup fails.
    pub required: bool,
    pub generator: Option<Generator>,
}

/// How a config var gets its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Generator {
    /// 64 random hexadecimal digits.
    Secret,
}

/// One of `addons`: a plan, or an object.
#[derive(Clone, Debug, PartialEq)]
pub struct Addon {
    /// `service` or `service:plan`.
    pub plan: String,
    /// What its attachment is to be called.
    pub alias: Option<String>,
    pub options: BTreeMap<String, serde_json::Value>,
}

/// One of `formation`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FormationEntry {
    #[serde(deserialize_with = "quantity", skip_serializing_if = "Option::is_none")]
    pub quantity: Option<u32>,
    #[serde(deserialize_with = "size")]
    pub size: Option<DynoSize>,
}

/// `scripts`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Scripts {
    /// Runs once, after an app's first deploy.
    pub postdeploy: Option<Script>,
    /// Runs before a review app is destroyed.
    pub pr_predestroy: Option<Script>,
    /// For tests: what prepares them.
    pub test_setup: Option<Script>,
    /// For tests: what they are.
    pub test: Option<Script>,
}

/// One of `scripts`: a command, or an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Script {
    pub command: String,
    pub size: Option<DynoSize>,
}

/// Something that is written as a text or as an object.
trait TextOrObject: Sized {
    /// What is allowed.
    const EXPECTED: &'static str;
    type Object: for<'de> Deserialize<'de>;

    fn of_text(text: String) -> Result<Self, &'static str>;
    fn of_object(object: Self::Object) -> Result<Self, &'static str>;
}

struct Either<T>(PhantomData<T>);

impl<'de, T: TextOrObject> Visitor<'de> for Either<T> {
    type Value = T;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(T::EXPECTED)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        T::of_text(text.to_owned()).map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        let object = T::Object::deserialize(MapAccessDeserializer::new(map))?;
        T::of_object(object).map_err(de::Error::custom)
    }
}

macro_rules! text_or_object {
    ($($name:ident)+) => {$(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(Either(PhantomData))
            }
        }
    )+};
}

text_or_object! { EnvVar Addon Script }

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EnvObject {
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    value: Option<String>,
    #[serde(default = "yes")]
    required: bool,
    #[serde(default)]
    generator: Option<Generator>,
}

fn yes() -> bool {
    true
}

impl TextOrObject for EnvVar {
    const EXPECTED: &'static str =
        "a text, or an object with `value`, `generator`, `required` and `description`";
    type Object = EnvObject;

    fn of_text(text: String) -> Result<Self, &'static str> {
        Ok(Self { description: None, value: Some(text), required: true, generator: None })
    }

    fn of_object(object: EnvObject) -> Result<Self, &'static str> {
        let EnvObject { description, value, required, generator } = object;
        Ok(Self { description, value, required, generator })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AddonObject {
    plan: String,
    #[serde(rename = "as", default)]
    alias: Option<String>,
    #[serde(default)]
    options: BTreeMap<String, serde_json::Value>,
}

impl TextOrObject for Addon {
    const EXPECTED: &'static str =
        "a plan such as \"heroku-postgresql\", or an object with `plan`, `as` and `options`";
    type Object = AddonObject;

    fn of_text(plan: String) -> Result<Self, &'static str> {
        Self::of_object(AddonObject { plan, alias: None, options: BTreeMap::new() })
    }

    fn of_object(object: AddonObject) -> Result<Self, &'static str> {
        let AddonObject { plan, alias, options } = object;
        if plan.trim().is_empty() {
            return Err("an add-on needs a plan such as \"heroku-postgresql\"");
        }
        Ok(Self { plan, alias, options })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScriptObject {
    command: String,
    #[serde(default, deserialize_with = "size")]
    size: Option<DynoSize>,
}

impl TextOrObject for Script {
    const EXPECTED: &'static str = "a command, or an object with `command` and `size`";
    type Object = ScriptObject;

    fn of_text(command: String) -> Result<Self, &'static str> {
        Self::of_object(ScriptObject { command, size: None })
    }

    fn of_object(object: ScriptObject) -> Result<Self, &'static str> {
        let ScriptObject { command, size } = object;
        if command.trim().is_empty() {
            return Err("a script needs a command");
        }
        Ok(Self { command, size })
    }
}

/// An object, and not a list of its values, which derived code takes too.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Map<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Map<T> {
            type Value = T;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map))
            }
        }

        deserializer.deserialize_map(Map(PhantomData)).map(Self)
    }
}

pub(super) fn object<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    Object::deserialize(deserializer).map(|Object(value)| value)
}

pub(super) fn objects<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    let list = Vec::<Object<T>>::deserialize(deserializer)?;
    Ok(list.into_iter().map(|Object(value)| value).collect())
}

pub(super) fn map_of_objects<'de, K, T, D>(deserializer: D) -> Result<BTreeMap<K, T>, D::Error>
where
    K: Deserialize<'de> + Ord,
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    let map = BTreeMap::<K, Object<T>>::deserialize(deserializer)?;
    Ok(map.into_iter().map(|(key, Object(value))| (key, value)).collect())
}

/// A text that `read` understands. What it refuses is told at the text itself, which an error that
/// is made after it was read would not be.
fn text<'de, T, D: Deserializer<'de>>(
    deserializer: D,
    read: fn(&str) -> Result<T, NameError>,
) -> Result<T, D::Error> {
    struct Text<T>(fn(&str) -> Result<T, NameError>);

    impl<T> Visitor<'_> for Text<T> {
        type Value = T;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("a string")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
            (self.0)(text).map_err(E::custom)
        }
    }

    deserializer.deserialize_str(Text(read))
}

/// The same, or `null`, which says nothing.
fn text_if_any<'de, T, D: Deserializer<'de>>(
    deserializer: D,
    read: fn(&str) -> Result<T, NameError>,
) -> Result<Option<T>, D::Error> {
    struct Perhaps<T>(fn(&str) -> Result<T, NameError>);

    impl<'de, T> Visitor<'de> for Perhaps<T> {
        type Value = Option<T>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("a string")
        }

        fn visit_none<E: de::Error>(self) -> Result<Option<T>, E> {
            Ok(None)
        }

        fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<T>, D::Error> {
            text(deserializer, self.0).map(Some)
        }
    }

    deserializer.deserialize_option(Perhaps(read))
}

/// A key of `formation`.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct TypeKey(ProcessType);

impl<'de> Deserialize<'de> for TypeKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text(deserializer, ProcessType::parse).map(Self)
    }
}

pub(super) fn formation<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<ProcessType, FormationEntry>, D::Error> {
    let map = map_of_objects::<TypeKey, FormationEntry, D>(deserializer)?;
    Ok(map.into_iter().map(|(TypeKey(process_type), entry)| (process_type, entry)).collect())
}

/// The name or address of a buildpack.
fn buildpack<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BuildpackRef, D::Error> {
    text(deserializer, |text| {
        let text = text.trim();
        let text = text.strip_prefix("urn:buildpack:").unwrap_or(text);
        if text.is_empty() {
            let words = "a buildpack needs an address, or a name such as \"heroku/nodejs\"";
            return Err(NameError(words.into()));
        }
        Ok(BuildpackRef(text.to_owned()))
    })
}

/// An address, or a path of the app.
pub(super) fn success_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    text_if_any(deserializer, |text| {
        if ["/", "https://", "http://"].iter().any(|start| text.starts_with(start)) {
            return Ok(text.to_owned());
        }
        let words = "expected a path that begins with \"/\", or an http:// or https:// address";
        Err(NameError(words.into()))
    })
}

/// A dyno size, in any case. What Heroku has renamed means what it is called now.
fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<DynoSize>, D::Error> {
    text_if_any(deserializer, |text| match text.to_ascii_lowercase().as_str() {
        "free" => Ok(DynoSize::Eco),
        "hobby" => Ok(DynoSize::Basic),
        "1x" => Ok(DynoSize::Standard1X),
        "2x" => Ok(DynoSize::Standard2X),
        "px" => Ok(DynoSize::PerformanceL),
        _ => text.parse(),
    })
}

/// A number of dynos.
fn quantity<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    struct Number;

    impl Visitor<'_> for Number {
        type Value = Option<u32>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("a number of dynos: 0, 1, 2, …")
        }

        fn visit_u64<E: de::Error>(self, number: u64) -> Result<Option<u32>, E> {
            u32::try_from(number)
                .map(Some)
                .map_err(|_| E::invalid_value(de::Unexpected::Unsigned(number), &self))
        }
    }

    deserializer.deserialize_any(Number)
}
