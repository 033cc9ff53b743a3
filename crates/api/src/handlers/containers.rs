//! Container apps: the part of `PATCH /apps/{app}/formation` that releases images.
//!
//! The official CLI asks for it with `Accept: application/vnd.heroku+json; version=3.docker-releases`.

use crate::extract::Login;
use crate::{Api, ApiError};
use http::{HeaderMap, header};
use ops::containers::{Ready, Wish};

/// Whether a client speaks of container releases, so that a `null` image means something.
pub(crate) fn speaks_of_images(headers: &HeaderMap) -> bool {
    let accept = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accept.flat_map(|value| value.split([',', ';'])).any(|part| {
        let version = part.trim().strip_prefix("version=").map(|version| version.trim_matches('"'));
        version == Some("3.docker-releases")
    })
}

/// Releases images for process types: finds each, has it looked at, and makes one release of all.
pub(crate) async fn release(
    api: &Api,
    Login(actor): &Login,
    app: &str,
    wishes: &[Wish],
) -> Result<(), ApiError> {
    let found = ops::containers::find(api.ops(), actor, app, wishes).await?;
    let (mut ready, mut held) = (Vec::with_capacity(found.len()), Vec::with_capacity(found.len()));
    for one in found {
        let runnable = api.blobs().admit(&one.manifest).await?;
        ready.push(Ready {
            process_type: one.process_type,
            asked: one.asked,
            image: runnable.image,
            command: runnable.command,
        });
        // Until the release refers to it.
        held.push(runnable.held);
    }
    ops::containers::release(api.ops(), actor, app, ready).await?;
    drop(held);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variant_is_told_apart() {
        for (accept, expected) in [
            ("application/vnd.heroku+json; version=3.docker-releases", true),
            ("text/html, application/vnd.heroku+json;version=3.docker-releases;q=1", true),
            ("application/vnd.heroku+json; version=3", false),
            ("application/vnd.heroku+json; version=3.docker-releases2", false),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT, accept.parse().unwrap())]);
            assert_eq!(speaks_of_images(&headers), expected, "{accept}");
        }
    }
}
