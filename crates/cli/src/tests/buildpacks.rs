//! `kigo buildpacks:*`.

use super::*;

#[tokio::test]
async fn buildpacks_keep_their_order() {
    let path = "/apps/my-app/buildpack-installations";
    let api = Api::start(&[
        (
            &format!("GET {path}"),
            json!([buildpack(0, "heroku/nodejs"), buildpack(1, "https://b.test/x.tgz")]),
        ),
        (&format!("PUT {path}"), json!([buildpack(0, "a"), buildpack(1, "b")])),
    ])
    .await;
    let sent = |names: &[&str]| {
        let updates: Vec<Value> = names.iter().map(|name| json!({ "buildpack": name })).collect();
        assert_eq!(api.sent(&format!("PUT {path}")), json!({ "updates": updates }));
    };
    api.ok(&["buildpacks:add", "new", "--index", "1", "-a", "my-app"]).await;
    sent(&["new", "heroku/nodejs", "https://b.test/x.tgz"]);
    api.ok(&["buildpacks:set", "new", "-i", "2", "-a", "my-app"]).await;
    sent(&["heroku/nodejs", "new"]);
    let (out, _) = api.ok(&["buildpacks:remove", "heroku/nodejs", "-a", "my-app"]).await;
    sent(&["https://b.test/x.tgz"]);
    assert!(out.starts_with("Buildpack removed. Next release on my-app will use:\n1. a\n2. b\n"), "{out}");
    api.ok(&["buildpacks:remove", "-i", "2", "-a", "my-app"]).await;
    sent(&["heroku/nodejs"]);
    for words in [&["buildpacks:add", "heroku/nodejs"][..], &["buildpacks:remove", "-i", "3"]] {
        api.fails(&[words, &["-a", "my-app"]].concat()).await;
    }
    api.ok(&["buildpacks:clear", "-a", "my-app"]).await;
    sent(&[]);
}

#[tokio::test]
async fn buildpacks_that_go_by_a_name() {
    let one = |name: &str, description: &str| {
        json!({
            "id": ID, "namespace": "heroku", "name": name, "description": description, "category": "languages",
            "blob_url": format!("urn:buildpack:heroku/{name}"), "source": {"type": "built-in"},
            "support": {"method": "website", "address": "x"}, "two_factor_authentication": false,
        })
    };
    let (node, go) = (one("nodejs", "Node.js apps"), one("go", "Go apps"));
    let revision =
        json!({"id": ID, "release": "0.1.0", "status": "published", "license": "MIT", "created_at": TIME});
    let api = Api::start(&[
        ("GET /buildpacks", json!([node, go])),
        ("GET /buildpacks/heroku%2Fnodejs", node.clone()),
        ("GET /buildpacks/heroku%2Fnodejs/readme", json!({"content": "# Node\n", "encoding": "utf-8"})),
        ("GET /buildpacks/heroku%2Fnodejs/revisions", json!([revision])),
    ])
    .await;
    for (words, found) in [
        (&["buildpacks:search"][..], &["heroku/nodejs", "Go apps"][..]),
        (&["buildpacks:search", "NODE"], &["heroku/nodejs", "Node.js apps"]),
        (&["buildpacks:search", "cobol"], &["No buildpacks found"]),
        (&["buildpacks:search", "--json"], &["\"urn:buildpack:heroku/go\""]),
        (&["buildpacks:info", "heroku/nodejs"], &["=== heroku/nodejs", "Node.js apps", "# Node"]),
        (&["buildpacks:versions", "heroku/nodejs"], &["0.1.0", "published"]),
    ] {
        let (out, _) = api.ok(words).await;
        assert!(found.iter().all(|text| out.contains(text)), "{words:?}: {out}");
    }
    let (out, _) = api.ok(&["buildpacks:search", "node"]).await;
    assert!(!out.contains("heroku/go"), "{out}");
    api.fails(&["buildpacks:info", "heroku/cobol"]).await;
}
