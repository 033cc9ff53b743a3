//! Images of container apps: what is in their repositories, and which of it they run.

use crate::{Client, ClientError};
use reqwest::Method;
use reqwest::header::{ACCEPT, HeaderMap, HeaderValue};
use wire::formation;

/// The variant of the API that knows of images, so that no image is told from none named.
const ACCEPTED: &str = "application/vnd.heroku+json; version=3.docker-releases";
const DIGEST: &str = "docker-content-digest";

impl Client {
    /// The digest of the manifest that was pushed last for a process type; `None` if none was.
    pub async fn image(&self, app: &str, process_type: &str) -> Result<Option<String>, ClientError> {
        let path = ["v2", app, process_type, "manifests", "latest"];
        let headers = match self.head(&path).await {
            Err(ClientError::Foreign { status: 404, .. } | ClientError::Api { status: 404, .. }) => {
                return Ok(None);
            }
            answer => answer?,
        };
        Ok(headers.get(DIGEST).and_then(|digest| digest.to_str().ok()).map(str::to_owned))
    }

    /// Makes a release in which each of these process types runs the image with this digest; one
    /// without a digest runs none any more.
    pub async fn images_release(
        &self,
        app: &str,
        images: Vec<(String, Option<String>)>,
    ) -> Result<Vec<formation::Formation>, ClientError> {
        let updates = images.into_iter().map(|(process_type, digest)| formation::Update {
            process_type: Some(process_type),
            docker_image: Some(digest),
            ..formation::Update::default()
        });
        let input = formation::BatchUpdate { updates: updates.collect() };
        let accept = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(ACCEPTED))]);
        self.send_with(Method::PATCH, &["apps", app, "formation"], accept, &input).await
    }
}
