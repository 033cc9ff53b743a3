//! Releases of images over HTTP, as the official CLI asks for them.

#![expect(clippy::unwrap_used, reason = "a test that meets an error fails there and then")]
#![expect(unreachable_pub, reason = "nothing is reachable from a test; `pub` tells what a module is for")]

mod support;

use domain::{Digest, RepositoryName};
use http::StatusCode;
use ops::registry::{self, NewManifest};
use ops::{Actor, authorizations};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use support::{Answer, World};

/// What `container:release` and `container:rm` send.
const ACCEPT: &str = "application/vnd.heroku+json; version=3.docker-releases";

fn digest(byte: u8) -> Digest {
    Digest::from_bytes([byte; 32])
}

impl World {
    async fn actor(&self) -> Actor {
        authorizations::authenticate(&self.ops, &self.token).await.unwrap()
    }

    /// A new app of the stack `container`.
    async fn container_app(&self) -> String {
        let answer = self.request("POST", "/apps", json!({"stack": "container"})).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
        answer.body["name"].as_str().unwrap().to_owned()
    }

    /// Pushes an image whose config has this digest.
    async fn push(&self, repository: &str, manifest: u8, config: u8) {
        let actor = self.actor().await;
        let name = RepositoryName::parse(repository).unwrap();
        let upload = registry::begin_upload(&self.ops, &actor, &name).await.unwrap().id;
        registry::finish_upload(&self.ops, &actor, &name, upload, (digest(config), 1)).await.unwrap();
        let new = NewManifest {
            digest: digest(manifest),
            media_type: "application/vnd.docker.distribution.manifest.v2+json".into(),
            size: 1,
            config: Some(digest(config)),
            artifact_type: None,
            subject: None,
            annotations: BTreeMap::new(),
            blobs: vec![digest(config)],
            manifests: Vec::new(),
        };
        registry::put_manifest(&self.ops, &actor, &name, new, &[]).await.unwrap();
    }

    async fn patch(&self, path: &str, accept: &str, body: Value) -> Answer {
        let bearer = self.bearer();
        self.send("PATCH", path, &[("accept", accept), ("authorization", &bearer)], &body.to_string()).await
    }

    async fn descriptions(&self, app: &str) -> Vec<String> {
        let answer = self.request("GET", &format!("/apps/{app}/releases"), Value::Null).await;
        let list = answer.body.as_array().unwrap();
        list.iter().map(|release| release["description"].as_str().unwrap().to_owned()).collect()
    }
}

#[tokio::test]
async fn images_are_released_together_and_taken_away_again() {
    let world = World::new().await;
    let app = world.container_app().await;
    world.push(&format!("{app}/web"), 1, 0x11).await;
    world.push(&format!("{app}/worker"), 2, 0x22).await;
    let updates = json!({"updates": [
        {"type": "web", "docker_image": digest(0x11).to_string()},
        {"type": "worker", "docker_image": digest(0x22).to_string()},
    ]});
    let formation = format!("/apps/{app}/formation");
    let answer = world.patch(&formation, ACCEPT, updates).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let types: Vec<_> = answer.body.as_array().unwrap().iter().map(|row| row["type"].clone()).collect();
    assert_eq!(types, ["web", "worker"]);
    assert_eq!(answer.body[0]["command"], "/bin/web --fast");
    let deployed = "Deployed web (111111111111), worker (222222222222)";
    assert_eq!(world.descriptions(&app).await.last().unwrap(), deployed);

    // Without the variant, nothing is meant by a null.
    let worker = format!("{formation}/worker");
    let kept = world.patch(&worker, support::ACCEPT, json!({"docker_image": null})).await;
    assert_eq!(kept.status, StatusCode::OK, "{kept:?}");
    assert_eq!(world.descriptions(&app).await.last().unwrap(), deployed);
    let removed = world.patch(&worker, ACCEPT, json!({"docker_image": null})).await;
    assert_eq!((removed.status, &removed.body["type"]), (StatusCode::OK, &json!("worker")), "{removed:?}");
    assert_eq!(world.descriptions(&app).await.last().unwrap(), "Removed worker");
    let gone = world.patch(&worker, ACCEPT, json!({"docker_image": null})).await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND, "{gone:?}");
}

#[tokio::test]
async fn one_image_is_released_and_scaled_at_once() {
    let world = World::new().await;
    let app = world.container_app().await;
    world.push(&format!("{app}/web"), 1, 0x11).await;
    let body = json!({"docker_image": digest(1).hex(), "quantity": 2});
    let answer = world.patch(&format!("/apps/{app}/formation/web"), ACCEPT, body).await;
    assert_eq!((answer.status, &answer.body["quantity"]), (StatusCode::OK, &json!(2)), "{answer:?}");
    // With a release command nothing is scaled before that has ended.
    world.push(&format!("{app}/release"), 2, 0x22).await;
    let body = json!({"docker_image": digest(0x22).to_string()});
    let answer = world.patch(&format!("/apps/{app}/formation/release"), ACCEPT, body).await;
    assert_eq!((answer.status, &answer.body["quantity"]), (StatusCode::OK, &json!(0)), "{answer:?}");
}

#[tokio::test]
async fn an_entry_is_named_by_its_id_too() {
    let world = World::new().await;
    let app = world.container_app().await;
    let formation = format!("/apps/{app}/formation");
    for (manifest, config) in [(1, 0x11), (2, 0x22), (3, 0x33)] {
        world.push(&format!("{app}/web"), manifest, config).await;
    }
    let image = |byte: u8| digest(byte).to_string();
    let web = world.patch(&format!("{formation}/web"), ACCEPT, json!({"docker_image": image(0x11)})).await;
    let id = web.body["id"].as_str().unwrap();
    let one = json!({"docker_image": image(0x22), "quantity": 2});
    let one = world.patch(&format!("{formation}/{id}"), ACCEPT, one).await;
    assert_eq!(
        (one.status, &one.body["type"], &one.body["quantity"]),
        (StatusCode::OK, &json!("web"), &json!(2))
    );
    let batch = json!({"updates": [{"type": id, "docker_image": image(0x33), "quantity": "+1"}]});
    let batch = world.patch(&formation, ACCEPT, batch).await;
    assert_eq!((&batch.body[0]["type"], &batch.body[0]["quantity"]), (&json!("web"), &json!(3)), "{batch:?}");
    assert_eq!(world.descriptions(&app).await.last().unwrap(), "Deployed web (333333333333)");
    // An id of nothing is not the name of a new process type.
    let nothing = format!("{formation}/00000000-0000-4000-8000-000000000000");
    let nothing = world.patch(&nothing, ACCEPT, json!({"docker_image": image(0x11)})).await;
    assert_eq!(nothing.status, StatusCode::NOT_FOUND, "{nothing:?}");
    assert_eq!(world.descriptions(&app).await.last().unwrap(), "Deployed web (333333333333)");
}

#[tokio::test]
async fn an_image_is_not_released_when_the_rest_of_a_request_is_wrong() {
    let world = World::new().await;
    let app = world.container_app().await;
    world.push(&format!("{app}/web"), 1, 0x11).await;
    let image = digest(0x11).to_string();
    let formation = format!("/apps/{app}/formation");
    for (key, value) in [
        ("quantity", json!(-1)),
        ("quantity", json!("many")),
        ("quantity", json!(1_000_000)),
        ("size", json!("huge")),
    ] {
        let mut update = json!({"docker_image": image});
        update[key] = value;
        let one = world.patch(&format!("{formation}/web"), ACCEPT, update.clone()).await;
        assert_eq!(one.status, StatusCode::UNPROCESSABLE_ENTITY, "{update} {one:?}");
        update["type"] = json!("web");
        let all = world.patch(&formation, ACCEPT, json!({"updates": [update]})).await;
        assert_eq!(all.status, StatusCode::UNPROCESSABLE_ENTITY, "{all:?}");
    }
    let other =
        json!({"updates": [{"type": "web", "docker_image": image}, {"type": "clock", "quantity": 1}]});
    let other = world.patch(&formation, ACCEPT, other).await;
    assert_eq!(other.status, StatusCode::NOT_FOUND, "{other:?}");
    assert!(world.descriptions(&app).await.iter().all(|words| !words.starts_with("Deployed")));
    // What comes first with a deploy is counted with it.
    let first = json!({"updates": [{"type": "web", "docker_image": image, "quantity": "-1"}]});
    let first = world.patch(&formation, ACCEPT, first).await;
    assert_eq!((first.status, &first.body[0]["quantity"]), (StatusCode::OK, &json!(0)), "{first:?}");
}

#[tokio::test]
async fn what_cannot_be_released_is_refused_and_makes_no_release() {
    let world = World::new().await;
    let app = world.container_app().await;
    let other = world.create_app().await;
    world.push(&format!("{app}/web"), 1, 0x11).await;
    world.push(&format!("{app}/riscv"), 66, 0x33).await;
    let release = |app: String, process_type: &'static str, image: String| {
        let world = &world;
        async move {
            let updates = json!({"updates": [{"type": process_type, "docker_image": image}]});
            let answer = world.patch(&format!("/apps/{app}/formation"), ACCEPT, updates).await;
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{answer:?}");
            answer.body["message"].as_str().unwrap().to_owned()
        }
    };
    assert_eq!(release(app.clone(), "web", digest(0x33).to_string()).await, "it is for riscv64.");
    assert!(release(app.clone(), "web", digest(9).to_string()).await.contains("is in no repository"));
    assert!(release(app.clone(), "web", "latest".into()).await.contains("must be the digest"));
    assert!(release(app.clone(), "we b", digest(1).to_string()).await.contains("we b"));
    let words = release(other, "web", digest(1).to_string()).await;
    assert!(words.contains("heroku stack:set container"), "{words}");
    assert!(world.descriptions(&app).await.iter().all(|words| !words.starts_with("Deployed")));
}
