//! The buildpack registry, asked as the official CLI asks it.

#![expect(clippy::unwrap_used, reason = "a test that meets an error fails there and then")]
#![expect(unreachable_pub, reason = "nothing is reachable from a test; `pub` tells what a module is for")]

mod support;

use support::World;

/// The header that the CLI sends, and no token.
const HEADERS: [(&str, &str); 1] = [("accept", "application/vnd.heroku+json; version=3.buildpack-registry")];

#[tokio::test]
async fn names_are_searched_for_and_told_about() {
    let world = World::new().await;
    let get = async |path: &str| world.send("GET", path, &HEADERS, "").await;
    for (query, found) in [
        ("", 1),
        ("?in[namespace][]=heroku", 1),
        ("?in%5Bnamespace%5D%5B%5D=heroku&in%5Bname%5D%5B%5D=nodejs", 1),
        ("?like[description]=Node.js%20apps", 1),
        ("?in[name][]=ruby", 0),
    ] {
        let answer = get(&format!("/buildpacks{query}")).await;
        assert_eq!(answer.body.as_array().unwrap().len(), found, "{query}");
    }
    let one = get("/buildpacks/heroku%2Fnodejs").await.body;
    assert_eq!((&one["blob_url"], &one["name"]), (&"urn:buildpack:heroku/nodejs".into(), &"nodejs".into()));
    assert_eq!(one["description"], "Node.js apps with package.json; built in");
    let revisions = get("/buildpacks/heroku%2Fnodejs/revisions").await.body;
    assert_eq!(revisions[0]["release"], env!("CARGO_PKG_VERSION"));
    assert_eq!(get("/buildpacks/heroku%2Fnodejs/readme").await.body["content"], "# Node.js");
    for rest in ["", "/revisions", "/readme"] {
        for name in ["nodejs", "heroku%2Fcobol"] {
            assert_eq!(get(&format!("/buildpacks/{name}{rest}")).await.status, 404, "{name}{rest}");
        }
    }
}
