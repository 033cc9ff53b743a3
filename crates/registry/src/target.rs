//! What an address below `/v2/` means.

use crate::error::{Code, Failure};
use domain::{Digest, Reference, RepositoryName, UploadId};

/// A thing of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Manifest(RepositoryName, Reference),
    Blob(RepositoryName, Digest),
    /// All uploads, to begin one.
    Uploads(RepositoryName),
    Upload(RepositoryName, UploadId),
    Tags(RepositoryName),
    Referrers(RepositoryName, Digest),
}

impl Target {
    /// Parses what follows `/v2/`. Names have slashes in them, so it is read from the end.
    pub(crate) fn parse(path: &str) -> Result<Self, Failure> {
        let segments: Vec<&str> = path.split('/').collect();
        let named = |count: usize| name(&segments[..segments.len() - count]);
        match segments[..] {
            [_, .., "blobs", "uploads"] | [_, .., "blobs", "uploads", ""] => {
                let last = usize::from(path.ends_with('/'));
                Ok(Self::Uploads(named(2 + last)?))
            }
            [_, .., "blobs", "uploads", id] => {
                let id = id
                    .parse()
                    .map_err(|_| Failure::new(Code::BlobUploadUnknown, "There is no such upload."))?;
                Ok(Self::Upload(named(3)?, id))
            }
            [_, .., "blobs", text] => Ok(Self::Blob(named(2)?, digest(text)?)),
            [_, .., "manifests", text] => {
                let name = named(2)?;
                let reference = Reference::parse(text).map_err(|error| {
                    let code = if text.contains(':') { Code::DigestInvalid } else { Code::TagInvalid };
                    Failure::new(code, error.0)
                })?;
                Ok(Self::Manifest(name, reference))
            }
            [_, .., "tags", "list"] => Ok(Self::Tags(named(2)?)),
            [_, .., "referrers", text] => Ok(Self::Referrers(named(2)?, digest(text)?)),
            _ => Err(Failure::new(Code::NotFound, "The registry has nothing at this address.")),
        }
    }
}

fn name(segments: &[&str]) -> Result<RepositoryName, Failure> {
    RepositoryName::parse(&segments.join("/")).map_err(|error| Failure::new(Code::NameInvalid, error.0))
}

/// A digest that a client names.
pub(crate) fn digest(text: &str) -> Result<Digest, Failure> {
    text.parse().map_err(|_| {
        let message =
            format!("{text:?} is not a digest like sha256:<64 hex digits>, and this registry has no others.");
        Failure::new(Code::DigestInvalid, message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_be_called_as_anything_else_is() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let id = "00000000-0000-4000-8000-000000000000";
        let shown = |path: &str| match Target::parse(path) {
            Ok(Target::Manifest(name, reference)) => format!("manifest {name} {reference}"),
            Ok(Target::Blob(name, digest)) => format!("blob {name} {digest}"),
            Ok(Target::Uploads(name)) => format!("uploads {name}"),
            Ok(Target::Upload(name, id)) => format!("upload {name} {id}"),
            Ok(Target::Tags(name)) => format!("tags {name}"),
            Ok(Target::Referrers(name, digest)) => format!("referrers {name} {digest}"),
            Err(failure) => failure.code.parts().0.to_owned(),
        };
        for (path, expected) in [
            ("blog/manifests/latest", "manifest blog latest".to_owned()),
            ("blog/web/manifests/v1", "manifest blog/web v1".to_owned()),
            (&format!("blog/web/manifests/{digest}"), format!("manifest blog/web {digest}")),
            (&format!("blog/a/b/blobs/{digest}"), format!("blob blog/a/b {digest}")),
            ("blog/blobs/uploads/", "uploads blog".to_owned()),
            ("blog/blobs/uploads", "uploads blog".to_owned()),
            (&format!("blog/blobs/uploads/{id}"), format!("upload blog {id}")),
            ("blog/tags/list", "tags blog".to_owned()),
            ("blog/tags/tags/list", "tags blog/tags".to_owned()),
            ("blog/blobs/uploads/manifests/x", "manifest blog/blobs/uploads x".to_owned()),
            (&format!("blog/referrers/{digest}"), format!("referrers blog {digest}")),
            ("blog/referrers/latest", "DIGEST_INVALID".to_owned()),
            ("blog/blobs/uploads/x", "BLOB_UPLOAD_UNKNOWN".to_owned()),
            ("blog/blobs/sha256:x", "DIGEST_INVALID".to_owned()),
            (&format!("blog/blobs/sha512:{}", "a".repeat(128)), "DIGEST_INVALID".to_owned()),
            ("blog/manifests/.x", "TAG_INVALID".to_owned()),
            ("Blog/manifests/x", "NAME_INVALID".to_owned()),
            ("blog/../x/manifests/x", "NAME_INVALID".to_owned()),
            ("/manifests/x", "NAME_INVALID".to_owned()),
            ("manifests/x", "NOT_FOUND".to_owned()),
            ("blog", "NOT_FOUND".to_owned()),
            ("_catalog", "NOT_FOUND".to_owned()),
        ] {
            assert_eq!(shown(path), expected, "{path}");
        }
    }
}
