//! What a manifest says, as far as a registry has to know it.
//!
//! It is kept as it came, byte for byte; here it is only understood. Read are the manifests and
//! indexes of OCI and of Docker's schema 2.

use crate::error::{Code, Failure};
use domain::Digest;
use ops::registry::NewManifest;
use serde::Deserialize;
use std::collections::BTreeMap;

const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// Blobs and manifests that one manifest may be made of.
const MAX_PARTS: usize = 1000;
/// Bytes of the annotations of what lists of referrers tell.
const MAX_ANNOTATIONS: usize = 256 << 10;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    schema_version: u64,
    media_type: Option<String>,
    artifact_type: Option<String>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
    subject: Option<Descriptor>,
    annotations: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    #[serde(default)]
    media_type: String,
    digest: String,
    #[serde(default)]
    urls: Option<Vec<String>>,
}

impl Descriptor {
    fn digest(&self) -> Result<Digest, Failure> {
        let text = &self.digest;
        text.parse().map_err(|_| {
            invalid(format!("it refers to {text:?}, which is not a digest like sha256:<64 hex digits>"))
        })
    }

    /// A layer that nobody may distribute; clients get it elsewhere, and it is not pushed.
    fn is_foreign(&self) -> bool {
        self.urls.as_ref().is_some_and(|urls| !urls.is_empty())
            || self.media_type.contains(".nondistributable.")
            || self.media_type.contains(".foreign.")
    }
}

/// Understands a manifest that came with this `Content-Type`, if any.
pub(crate) fn read(text: &[u8], digest: Digest, content_type: Option<&str>) -> Result<NewManifest, Failure> {
    let document: Document =
        serde_json::from_slice(text).map_err(|error| invalid(format!("it cannot be read: {error}")))?;
    let media_type = media_type(&document, content_type)?;
    if document.schema_version != 2 {
        return Err(invalid("its schemaVersion is not 2; push the image with a client of today"));
    }
    let is_index = matches!(media_type.as_str(), OCI_INDEX | DOCKER_LIST);
    let (config, layers, manifests) = match (document.config, document.layers, document.manifests) {
        (Some(config), layers, None) if !is_index => (Some(config), layers.unwrap_or_default(), Vec::new()),
        (None, None, manifests) if is_index => (None, Vec::new(), manifests.unwrap_or_default()),
        _ => return Err(invalid(format!("it is not what its type says, {media_type}"))),
    };
    if layers.len() + manifests.len() > MAX_PARTS {
        return Err(invalid(format!("it is made of more than {MAX_PARTS} blobs or manifests")));
    }
    let config_digest = config.as_ref().map(Descriptor::digest).transpose()?;
    let mut blobs: Vec<Digest> = config_digest.into_iter().collect();
    for layer in layers.iter().filter(|layer| !layer.is_foreign()) {
        blobs.push(layer.digest()?);
    }
    let manifests = manifests.iter().map(Descriptor::digest).collect::<Result<Vec<_>, _>>()?;
    // Others than lists of referrers have no use for them.
    let annotations = document.annotations.filter(|_| document.subject.is_some()).unwrap_or_default();
    if annotations.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>() > MAX_ANNOTATIONS {
        return Err(invalid(format!("its annotations are larger than {} KiB", MAX_ANNOTATIONS >> 10)));
    }
    // Of an artifact that does not say what it is, its config's type does.
    let artifact_type = document
        .artifact_type
        .filter(|kind| !kind.is_empty())
        .or_else(|| config.map(|config| config.media_type).filter(|kind| !kind.is_empty()));
    Ok(NewManifest {
        digest,
        media_type,
        size: text.len() as u64,
        config: config_digest,
        artifact_type,
        subject: document.subject.as_ref().map(Descriptor::digest).transpose()?,
        annotations,
        blobs,
        manifests,
    })
}

/// What kind it is: as the header says, as the document says, or as it looks.
fn media_type(document: &Document, content_type: Option<&str>) -> Result<String, Failure> {
    let named =
        content_type.and_then(|text| text.split(';').next()).map(str::trim).filter(|text| !text.is_empty());
    let own = document.media_type.as_deref().filter(|text| !text.is_empty());
    if let Some((named, own)) = named.zip(own).filter(|(named, own)| named != own) {
        return Err(invalid(format!("its mediaType is {own}, but it was sent as {named}")));
    }
    let looks = if document.manifests.is_some() { OCI_INDEX } else { OCI_MANIFEST };
    let kind = named.or(own).unwrap_or(looks);
    if [OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST].contains(&kind) {
        return Ok(kind.to_owned());
    }
    Err(invalid(format!("manifests of the type {kind} are not supported")))
}

fn invalid(why: impl std::fmt::Display) -> Failure {
    Failure::new(Code::ManifestInvalid, format!("The manifest is not valid: {why}."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn digest(byte: u8) -> Digest {
        Digest::from_bytes([byte; 32])
    }

    fn descriptor(byte: u8, kind: &str) -> Value {
        json!({ "mediaType": kind, "digest": digest(byte).to_string(), "size": 1 })
    }

    fn image() -> Value {
        json!({
            "schemaVersion": 2,
            "config": descriptor(1, "application/vnd.oci.image.config.v1+json"),
            "layers": [descriptor(2, "application/vnd.oci.image.layer.v1.tar+gzip")],
        })
    }

    fn parse(document: &Value, content_type: Option<&str>) -> Result<NewManifest, String> {
        let failure = |failure: Failure| format!("{failure:?}");
        read(document.to_string().as_bytes(), digest(9), content_type).map_err(failure)
    }

    #[test]
    fn an_image_and_an_index() {
        let read =
            parse(&image(), Some("application/vnd.oci.image.manifest.v1+json; charset=utf-8")).unwrap();
        assert_eq!(read.blobs, [digest(1), digest(2)]);
        assert_eq!((read.config, read.media_type.as_str()), (Some(digest(1)), OCI_MANIFEST));
        assert_eq!(read.artifact_type.as_deref(), Some("application/vnd.oci.image.config.v1+json"));
        let index = json!({ "schemaVersion": 2, "mediaType": DOCKER_LIST, "manifests": [descriptor(3, DOCKER_MANIFEST)] });
        let read = parse(&index, None).unwrap();
        assert_eq!((read.blobs.len(), &read.manifests[..], read.artifact_type), (0, &[digest(3)][..], None));
    }

    #[test]
    fn an_artifact_about_something() {
        let mut document = image();
        document["artifactType"] = json!("application/x.sbom");
        document["subject"] = descriptor(7, OCI_MANIFEST);
        document["annotations"] = json!({ "a": "b" });
        let read = parse(&document, None).unwrap();
        assert_eq!(
            (read.subject, read.artifact_type.as_deref()),
            (Some(digest(7)), Some("application/x.sbom"))
        );
        assert_eq!(read.annotations, [("a".to_owned(), "b".to_owned())].into());
    }

    #[test]
    fn foreign_layers_need_not_be_there() {
        let mut document = image();
        document["layers"][0]["urls"] = json!(["https://example.com/layer"]);
        assert_eq!(parse(&document, None).unwrap().blobs, [digest(1)]);
    }

    #[test]
    fn what_is_no_manifest_is_refused() {
        let with = |key: &str, value: Value| {
            let mut document = image();
            document[key] = value;
            document
        };
        for (document, content_type, words) in [
            (json!([]), None, "cannot be read"),
            (json!({ "schemaVersion": 1, "name": "x" }), None, "schemaVersion is not 2"),
            (with("config", Value::Null), None, "is not what its type says"),
            (with("manifests", json!([])), None, "is not what its type says"),
            (with("config", json!({ "digest": "sha256:x" })), None, "is not a digest"),
            (
                with("layers", json!([{ "digest": format!("sha512:{}", "a".repeat(128)) }])),
                None,
                "is not a digest",
            ),
            (with("subject", json!({ "digest": "x" })), None, "is not a digest"),
            (with("annotations", json!({ "a": 1 })), None, "cannot be read"),
            (
                json!({
                    "schemaVersion": 2,
                    "config": descriptor(1, ""),
                    "subject": descriptor(7, ""),
                    "annotations": { "a": "x".repeat(300_000) },
                }),
                None,
                "larger than 256 KiB",
            ),
            (with("layers", json!(vec![descriptor(2, ""); 1001])), None, "more than 1000"),
            (with("mediaType", json!(OCI_MANIFEST)), Some(DOCKER_MANIFEST), "but it was sent as"),
            (image(), Some("application/json"), "are not supported"),
            (image(), Some(OCI_INDEX), "is not what its type says"),
        ] {
            let error = parse(&document, content_type).unwrap_err();
            assert!(error.contains(words) && error.contains("ManifestInvalid"), "{error}");
        }
    }
}
