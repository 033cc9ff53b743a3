//! An installation with the registry, and a client of it.

use axum::Router;
use axum::body::Body;
use base64::Engine as _;
use bytes::Bytes;
use domain::{AppId, LogLine};
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use image::ImageStore;
use ops::{Actor, Ops, Settings};
use registry::Registry;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::path::Path;
use std::sync::Arc;
use store::{Keys, Store};
use tempfile::TempDir;
use tower::ServiceExt;

pub(crate) const OCI: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const BLOB_LIMIT: u64 = 1 << 20;

struct NoLog;

impl ops::AppLog for NoLog {
    fn log(&self, _: AppId, _: LogLine) {}
}

/// The registry, and whoever asks it.
pub(crate) struct World {
    pub(crate) ops: Ops,
    pub(crate) admin: Actor,
    router: Router,
    token: String,
    folder: TempDir,
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// `404 BLOB_UNKNOWN`, or the status alone.
    pub(crate) fn told(&self) -> String {
        let code = serde_json::from_slice::<Value>(&self.body).ok();
        let code = code.and_then(|body| Some(body["errors"][0]["code"].as_str()?.to_owned()));
        match code {
            Some(code) => format!("{} {code}", self.status.as_u16()),
            None => self.status.as_u16().to_string(),
        }
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir_in("/var/tmp").unwrap();
        Self::open(folder, Settings::default()).await
    }

    /// With the app `blog`, whose repositories may hold so many bytes.
    pub(crate) async fn with_room(bytes: u64) -> Self {
        let folder = tempfile::tempdir_in("/var/tmp").unwrap();
        let settings = Settings { max_registry_bytes: bytes, ..Settings::default() };
        let world = Self::open(folder, settings).await;
        world.app("blog").await;
        world
    }

    async fn open(folder: TempDir, settings: Settings) -> Self {
        let store = Store::open(folder.path(), Keys::load(folder.path(), None).unwrap()).await.unwrap();
        let ops = Ops::new(store, settings, Arc::new(NoLog));
        let token = "KIGO-0123456789abcdef0123456789abcdef".to_owned();
        let input = ops::accounts::Bootstrap {
            email: Some("admin@example.com".into()),
            password: Some("correct horse battery".into()),
            token: Some(token.clone()),
        };
        ops::accounts::bootstrap(&ops, input).await.unwrap();
        let admin = ops::authorizations::authenticate(&ops, &token).await.unwrap();
        let images = ImageStore::open(folder.path()).unwrap();
        let router = Registry { ops: ops.clone(), images, blob_limit: BLOB_LIMIT }.router();
        Self { ops, admin, router, token, folder }
    }

    /// With the app `blog`.
    pub(crate) async fn with_app() -> Self {
        let world = Self::new().await;
        world.app("blog").await;
        world
    }

    /// As after a kill and a new start of the server.
    pub(crate) async fn restart(self) -> Self {
        let Self { ops, router, folder, .. } = self;
        ops.store().close().await;
        drop((ops, router));
        Self::open(folder, Settings::default()).await
    }

    pub(crate) async fn app(&self, name: &str) {
        let input = ops::apps::Create { name: Some(name.into()), ..ops::apps::Create::default() };
        ops::apps::create(&self.ops, &self.admin, input).await.unwrap();
    }

    /// A token of the administrator's with these scopes.
    pub(crate) async fn token(&self, scope: &[&str]) -> String {
        let scope = scope.iter().map(|word| (*word).to_owned()).collect();
        let input = ops::authorizations::Create { scope, ..ops::authorizations::Create::default() };
        ops::authorizations::create(&self.ops, &self.admin, input).await.unwrap().token
    }

    pub(crate) fn data(&self) -> &Path {
        self.folder.path()
    }

    /// Blobs, and uploads that have not ended, on the disk.
    pub(crate) fn files(&self) -> (usize, usize) {
        let count = |name: &str| std::fs::read_dir(self.data().join("blobs").join(name)).unwrap().count();
        (count("sha256"), count("uploads"))
    }

    pub(crate) async fn ask_as(
        &self,
        token: Option<&str>,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = token {
            let basic = base64::prelude::BASE64_STANDARD.encode(format!("_:{token}"));
            request = request.header(header::AUTHORIZATION, format!("Basic {basic}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.router.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        self.ask_as(Some(&self.token), method, path, headers, body).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, &[], Body::empty()).await
    }

    pub(crate) async fn head(&self, path: &str) -> Answer {
        self.ask(Method::HEAD, path, &[], Body::empty()).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.ask(Method::DELETE, path, &[], Body::empty()).await
    }

    pub(crate) async fn post(&self, path: &str) -> Answer {
        self.ask(Method::POST, path, &[("content-length", "0")], Body::empty()).await
    }

    /// Uploads a blob in one request and returns its digest.
    pub(crate) async fn blob(&self, repository: &str, content: impl Into<Bytes>) -> String {
        let content = content.into();
        let digest = digest_of(&content);
        let path = format!("/v2/{repository}/blobs/uploads/?digest={digest}");
        let answer = self.ask(Method::POST, &path, &[], content).await;
        assert_eq!(answer.told(), "201");
        digest
    }

    pub(crate) async fn put_manifest(&self, repository: &str, reference: &str, manifest: &Value) -> Answer {
        let path = format!("/v2/{repository}/manifests/{reference}");
        self.ask(Method::PUT, &path, &[("content-type", OCI)], manifest.to_string()).await
    }

    /// Puts an image of one config and these layers, and returns its manifest.
    pub(crate) async fn image(&self, repository: &str, reference: &str, layers: &[&str]) -> Value {
        let config = self.blob(repository, "{}").await;
        let mut list = Vec::new();
        for layer in layers {
            let digest = self.blob(repository, (*layer).to_owned()).await;
            list.push(descriptor(&digest, "application/vnd.oci.image.layer.v1.tar"));
        }
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": OCI,
            "config": descriptor(&config, "application/vnd.oci.image.config.v1+json"),
            "layers": list,
        });
        assert_eq!(self.put_manifest(repository, reference, &manifest).await.told(), "201");
        manifest
    }
}

pub(crate) fn digest_of(content: &[u8]) -> String {
    let hash = Sha256::digest(content);
    domain::Digest::from_bytes(hash.into()).to_string()
}

pub(crate) fn descriptor(digest: &str, media_type: &str) -> Value {
    json!({ "mediaType": media_type, "digest": digest, "size": 2 })
}
