//! Formations: `/apps/{app}/formation`.

use crate::{AppRef, Identity, NamedRef, NumberOrText, Time};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// One process type of an app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Formation {
    pub id: Uuid,
    pub app: AppRef,
    pub command: String,
    pub dyno_size: NamedRef,
    pub quantity: u32,
    /// Name of the dyno size.
    pub size: String,
    #[serde(rename = "type")]
    pub process_type: String,
    pub created_at: Time,
    pub updated_at: Time,
}

/// Body of `PATCH /apps/{app}/formation`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchUpdate {
    pub updates: Vec<Update>,
}

/// One change; also the body of `PATCH /apps/{app}/formation/{type}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Update {
    /// A process type or the id of a formation entry.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub process_type: Option<String>,
    /// A number, or text: `"2"`, `"+1"`, `"-1"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantity: Option<NumberOrText>,
    /// The size by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<String>,
    /// The size in the schema's newer form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dyno_size: Option<Identity>,
    /// Container apps: digest of the image to run, or `null` to take the process type away.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "null_is_some")]
    pub docker_image: Option<Option<String>>,
}

/// Tells `null` from a key that is not there.
#[expect(clippy::option_option, reason = "null, a text and nothing at all are three things")]
fn null_is_some<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(from).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_image_is_not_the_same_as_none_named() {
        for (text, expected) in [
            ("{}", None),
            (r#"{"docker_image": null}"#, Some(None)),
            (r#"{"docker_image": "sha256:x"}"#, Some(Some("sha256:x".to_owned()))),
        ] {
            assert_eq!(serde_json::from_str::<Update>(text).unwrap().docker_image, expected, "{text}");
        }
    }
}
