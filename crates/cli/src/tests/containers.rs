//! `kigo container:*`, with a program in docker's place that writes down what it is asked to do.

use super::*;
use std::os::unix::fs::PermissionsExt;

/// Puts a program called `name` into `folder`.
fn program(folder: &Path, name: &str, then: &str) {
    let text =
        format!("#!/bin/sh\necho \"{name} $*\" >> {0}/calls\ncat >> {0}/input\n{then}\n", folder.display());
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn container_app() -> Value {
    let mut app = app("my-app");
    app["build_stack"] = named("container");
    app
}

/// An API with a container app, and the folder of programs and sources.
async fn world(answers: &[(&str, Value)]) -> (Api, tempfile::TempDir) {
    let known = ("GET /apps/my-app", container_app());
    let mut api = Api::start(&[&[known], answers].concat()).await;
    let folder = tempfile::tempdir().unwrap();
    api.settings.programs = Some(format!("/nowhere:{}", folder.path().display()));
    api.settings.directory = Some(folder.path().to_owned());
    (api, folder)
}

fn calls(folder: &Path) -> String {
    let text = std::fs::read_to_string(folder.join("calls")).unwrap();
    text.replace(&folder.display().to_string(), "HERE")
}

#[tokio::test]
async fn a_login_goes_to_the_servers_own_registry() {
    let (api, folder) = world(&[]).await;
    let said = api.fails(&["container:login"]).await;
    let registry = api.settings.machine();
    for words in ["docker, podman, buildah", registry, "kigo auth:token"] {
        assert!(said.contains(words), "{said}");
    }
    program(folder.path(), "podman", "");
    api.ok(&["container:login"]).await;
    let expected = format!("podman login --tls-verify=false --username=_ --password-stdin {registry}\n");
    assert_eq!(calls(folder.path()), expected);
    assert_eq!(std::fs::read_to_string(folder.path().join("input")).unwrap(), "token");
    program(folder.path(), "podman", "exit 1");
    assert!(api.fails(&["container:login"]).await.contains("podman login ended with"));
}

#[tokio::test]
async fn an_image_is_built_and_pushed() {
    let (api, folder) = world(&[]).await;
    let here = folder.path();
    let push = ["container:push", "web", "-a", "my-app"];
    assert!(api.fails(&push).await.contains("There is no Dockerfile in"));
    std::fs::write(here.join("Dockerfile"), "FROM scratch\n").unwrap();
    assert!(api.fails(&push).await.contains("None of docker"));
    assert!(api.fails(&["container:push", "-a", "my-app"]).await.contains("Name one process type"));

    program(here, "docker", "");
    program(here, "buildah", "");
    let (out, _) = api.ok(&[&push[..], &["--arg", "A=1,B=x y"]].concat()).await;
    assert!(out.ends_with("Release with: kigo container:release web --app my-app\n"), "{out}");
    let image = format!("{}/my-app/web", api.settings.machine());
    assert_eq!(
        calls(here),
        format!(
            "docker build --file HERE/Dockerfile --tag {image} --build-arg A=1 --build-arg B=x y HERE\n\
             docker push {image}\n"
        )
    );
    program(here, "docker", "[ \"$1\" != push ]");
    let said = api.fails(&push).await;
    assert!(said.contains("docker push ended with") && said.contains("kigo container:login"), "{said}");
}

#[tokio::test]
async fn several_images_are_built_from_several_folders() {
    let (api, folder) = world(&[]).await;
    let here = folder.path();
    program(here, "buildah", "");
    let push = ["container:push", "--recursive", "-a", "my-app"];
    assert!(api.fails(&push).await.contains("There is no Dockerfile.TYPE below"));
    for (place, name) in
        [("", "Dockerfile.web"), ("jobs", "Dockerfile.worker"), ("node_modules/x", "Dockerfile.no")]
    {
        std::fs::create_dir_all(here.join(place)).unwrap();
        std::fs::write(here.join(place).join(name), "FROM scratch\n").unwrap();
    }
    api.ok(&push).await;
    let image = |name: &str| format!("{}/my-app/{name}", api.settings.machine());
    let (web, worker) = (image("web"), image("worker"));
    let options = "--tls-verify=false";
    assert_eq!(
        calls(here),
        format!(
            "buildah build {options} --file HERE/Dockerfile.web --tag {web} HERE\n\
             buildah build {options} --file HERE/jobs/Dockerfile.worker --tag {worker} HERE/jobs\n\
             buildah push {options} {web}\n\
             buildah push {options} {worker}\n"
        )
    );
    std::fs::remove_file(here.join("calls")).unwrap();
    api.ok(&[&push[..], &["worker", "--context-path", "."]].concat()).await;
    assert!(calls(here).contains("--tag") && !calls(here).contains("Dockerfile.web"), "{}", calls(here));
    assert!(calls(here).lines().next().unwrap().ends_with(" ."), "{}", calls(here));
    assert!(api.fails(&[&push[..], &["clock"]].concat()).await.contains("no Dockerfile.clock"));
    std::fs::write(here.join("jobs/Dockerfile.web"), "FROM scratch\n").unwrap();
    assert!(api.fails(&push).await.contains("There are two for web"));
}

#[tokio::test]
async fn images_are_released_and_removed() {
    let digest = "sha256:0123";
    let (api, _folder) = world(&[
        ("HEAD /v2/my-app/web/manifests/latest", json!(digest)),
        ("PATCH /apps/my-app/formation", json!([formation("web", 1)])),
        ("GET /apps/my-app/releases", json!([release(3, true, true, "succeeded")])),
    ])
    .await;
    let said = api.fails(&["container:release", "web", "worker", "-a", "my-app"]).await;
    assert!(said.contains("Nothing was pushed for worker yet. Run kigo container:push worker"), "{said}");
    assert!(!api.was_called("PATCH /apps/my-app/formation"));
    let (_, err) = api.ok(&["container:release", "web", "-a", "my-app"]).await;
    assert_eq!(err, "Releasing images web to ⬢ my-app... done, v3\n");
    let sent = |image: Value| json!({ "updates": [{ "type": "web", "docker_image": image }] });
    assert_eq!(api.sent("PATCH /apps/my-app/formation"), sent(json!(digest)));
    let (_, err) = api.ok(&["container:rm", "web", "-a", "my-app"]).await;
    assert_eq!(err, "Removing container web for ⬢ my-app... done\n");
    assert_eq!(api.sent("PATCH /apps/my-app/formation"), sent(Value::Null));

    let slugs = Api::start(&[("GET /apps/my-app", app("my-app"))]).await;
    let said = slugs.fails(&["container:release", "web", "-a", "my-app"]).await;
    assert!(said.contains("kigo stack:set container --app my-app"), "{said}");
}
