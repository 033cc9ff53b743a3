//! Cloud Native Buildpacks: one in Rust, some in Bash with an order, some as an image, and what goes
//! wrong.

use crate::commands::classic;
use crate::run;
use anyhow::{Context, Result, ensure};
use e2e::server::TOKEN;
use e2e::{App, OtherHost, Output, Server, server, until};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A file of a buildpack, which is a program if it lies in `bin`.
type File<'a> = (&'a str, &'a str);

/// Writes the files of buildpacks and returns their folder.
fn folder(server: &Server, name: &str, files: &[File<'_>]) -> Result<PathBuf> {
    let folder = server.folder(&format!("cnb-{name}"));
    for (name, text) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().context("a folder")?)?;
        let mode = if name.contains("bin/") { 0o755 } else { 0o644 };
        fs::write(&path, text)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
    }
    Ok(folder)
}

fn archive(folder: &Path) -> Result<Vec<u8>> {
    let archive = folder.with_extension("tgz");
    Output::of(Command::new("tar").arg("-czf").arg(&archive).arg("-C").arg(folder).arg("."))?.ok()?;
    Ok(fs::read(archive)?)
}

/// The buildpack that is written with `libcnb`, compiled; what comes of it is kept for the next run.
fn compiled(server: &Server) -> Result<Vec<u8>> {
    let source = server::workspace().join("crates/e2e/tests/e2e/cnb/buildpack");
    let target = server::workspace().join("target/e2e-buildpack");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--quiet", "--locked", "--manifest-path"]).arg(source.join("Cargo.toml"));
    Output::of(build.arg("--target-dir").arg(&target))?.ok()?;
    let about = fs::read_to_string(source.join("buildpack.toml"))?;
    let colour = fs::read_to_string(source.join("colour"))?;
    let folder = folder(server, "page", &[("buildpack.toml", &about), ("colour", &colour)])?;
    fs::set_permissions(folder.join("colour"), fs::Permissions::from_mode(0o755))?;
    fs::create_dir_all(folder.join("bin"))?;
    fs::copy(target.join("debug/page-buildpack"), folder.join("bin/build"))?;
    std::os::unix::fs::symlink("build", folder.join("bin/detect"))?;
    archive(&folder)
}

/// A cached layer, a launch layer, a process with an environment, a store.
pub(crate) fn one_that_is_written_with_libcnb(server: &Server) -> Result<()> {
    run(async {
        let page = compiled(server)?;
        let web = OtherHost::start(&[("page.tgz", page.as_slice())])?;
        let app = App::create(server, "cnb-page")?;
        app.heroku(&["config:set", "SECRET=sealed"])?.ok()?;
        app.heroku(&["buildpacks:set", &format!("{}/page.tgz", web.url())])?.ok()?;
        app.write("nothing.txt", "x")?;
        app.commit("nothing to serve")?;
        app.push()?
            .fails()?
            .says("None of this app's Cloud Native Buildpacks fits it.")?
            .says("acme/page 1.2.3: fail")?;

        app.write("page.txt", "first page")?;
        app.commit("first")?;
        let push = app.push()?.ok()?;
        let push = push.says("Detecting Cloud Native Buildpacks")?.says("Acme Page (acme/page 1.2.3)")?;
        let push = push.says("For linux debian 13")?.says("SECRET is Some(\"sealed\")")?;
        push.says("Downloading words")?
            .says("Built 0 times before")?
            .says("Default types for buildpack -> tick, web")?;
        app.answers("first page|hello|words that were downloaded|green for hello|yes|$NOT_EXPANDED").await?;

        // What the buildpack keeps is there in the next build; a config var is stronger than a default.
        app.heroku(&["config:set", "GREETING=hi"])?.ok()?;
        app.write("page.txt", "second page")?;
        app.commit("second")?;
        let push = app.push()?.ok()?.says("Reusing words")?.says("Built 1 times before")?;
        push.says_not("Downloading words")?;
        app.answers("second page|hi|words that were downloaded|green for hi|yes|$NOT_EXPANDED").await?;

        // A one-off dyno has the same, but for what is the web process's alone; what only builds need is
        // no part of the app.
        let check = "test \"$COLOUR$ONLY_WEB\" = 'green for hi' && command -v page && ! ls /layers/acme_page/downloads";
        let check = format!("bash -c {}", shell(check));
        app.heroku(&["run", "--no-tty", "--exit-code", "--", &check])?
            .ok()?
            .says("/layers/acme_page/server/bin/page")?;

        // A Procfile wins, and a purged cache is gone.
        app.write("Procfile", "web: sh -c 'echo from the Procfile; exec page procfile'\n")?;
        app.commit("with a Procfile")?;
        purge_cache(&app).await?;
        let push = app.push()?.ok()?.says("Procfile declares types     -> web")?;
        push.says("Default types for buildpack -> tick")?
            .says("Downloading words")?
            .says("Built 0 times before")?;
        app.answers("|procfile").await?;
        app.logs_say("from the Procfile").await?;
        Ok(())
    })
}

/// Throws away what builds of an app keep, and waits until it is gone.
async fn purge_cache(app: &App<'_>) -> Result<()> {
    let (status, answer) = app.server.api("GET", &format!("/apps/{}", app.name), None).await?;
    ensure!(status == 200, "{answer}");
    let cache = app.server.data().join("cache").join(answer["id"].as_str().context("an id")?);
    ensure!(cache.join("cnb.json").exists(), "builds keep something");
    let (status, answer) = app.server.api("DELETE", &format!("/apps/{}/build-cache", app.name), None).await?;
    ensure!(status < 300, "{status} {answer}");
    until(
        "the cache to be gone",
        async || if cache.exists() { Err("it is there".to_owned()) } else { Ok(()) },
    )
    .await
}

fn shell(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

const META: File<'_> = (
    "meta/buildpack.toml",
    "api = \"0.11\"\n[buildpack]\nid = \"acme/meta\"\nversion = \"3.0.0\"\n\
     [[order]]\n[[order.group]]\nid = \"acme/never\"\nversion = \"1.0.0\"\n[[order.group]]\nid = \"acme/tool\"\nversion = \"2.0.0\"\n\
     [[order]]\n[[order.group]]\nid = \"acme/never\"\nversion = \"1.0.0\"\noptional = true\n\
     [[order.group]]\nid = \"acme/tool\"\nversion = \"2.0.0\"\n[[order.group]]\nid = \"acme/user\"\nversion = \"1.0.0\"\n",
);
const NEVER: &[File<'_>] = &[
    ("never/buildpack.toml", "api = \"0.10\"\n[buildpack]\nid = \"acme/never\"\nversion = \"1.0.0\"\n"),
    ("never/bin/detect", "#!/bin/sh\nexit 100\n"),
    ("never/bin/build", "#!/bin/sh\nexit 1\n"),
];
/// Brings a tool in a launch layer, which it does not fill again while the version is the same.
const TOOL: &[File<'_>] = &[
    (
        "tool/buildpack.toml",
        "api = \"0.10\"\n[buildpack]\nid = \"acme/tool\"\nname = \"Tool\"\nversion = \"2.0.0\"\nclear-env = true\n",
    ),
    (
        "tool/bin/detect",
        "#!/usr/bin/env bash\nset -eu\n[ -z \"${SECRET-}\" ] && [ \"$(cat \"$CNB_PLATFORM_DIR/env/SECRET\")\" = sealed ]\n\
         printf '[[provides]]\\nname = \"tool\"\\n' > \"$CNB_BUILD_PLAN_PATH\"\n",
    ),
    (
        "tool/bin/build",
        r#"#!/usr/bin/env bash
set -euo pipefail
[ "$1" = "$CNB_LAYERS_DIR" ] && [ "$2" = "$CNB_PLATFORM_DIR" ] && [ "$3" = "$CNB_BP_PLAN_PATH" ]
layer=$CNB_LAYERS_DIR/tool
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$CNB_BP_PLAN_PATH")
if grep -qs "version = \"$version\"" "$layer.toml"; then
    echo "       Keeping tool $version, of which there is $(ls -d "$layer" 2> /dev/null || echo nothing)"
else
    echo "       Installing tool $version"
    mkdir -p "$layer/bin" "$layer/env.launch/worker" "$layer/exec.d"
    printf '#!/bin/sh\necho "tool %s of $SECRET for $WHO, $FROM"\n' "$version" > "$layer/bin/the-tool"
    printf '#!/bin/sh\necho "FROM = '"'''"'exec.d'"'''"'" >&3\n' > "$layer/exec.d/from"
    chmod +x "$layer/bin/the-tool" "$layer/exec.d/from"
    printf everybody > "$layer/env.launch/WHO.default"
    printf 'the worker' > "$layer/env.launch/worker/WHO.override"
fi
printf '[types]\nlaunch = true\n\n[metadata]\nversion = "%s"\n' "$version" > "$layer.toml"
mkdir -p "$CNB_LAYERS_DIR/sdk/bin" "$CNB_LAYERS_DIR/sdk/env.build" "$CNB_LAYERS_DIR/scratch"
printf '#!/bin/sh\necho sdk\n' > "$CNB_LAYERS_DIR/sdk/bin/sdk-tool" && chmod +x "$CNB_LAYERS_DIR/sdk/bin/sdk-tool"
printf one > "$CNB_LAYERS_DIR/sdk/env.build/WORDS.append" && printf , > "$CNB_LAYERS_DIR/sdk/env.build/WORDS.delim"
printf '[types]\nbuild = true\n' > "$CNB_LAYERS_DIR/sdk.toml"
printf '{"tool": true}' > "$layer.sbom.cdx.json"
"#,
    ),
];
/// Needs the tool.
const USER: &[File<'_>] = &[
    (
        "user/buildpack.toml",
        "api = \"0.9\"\n[buildpack]\nid = \"acme/user\"\nversion = \"1.0.0\"\n[[stacks]]\nid = \"*\"\n",
    ),
    (
        "user/bin/detect",
        "#!/usr/bin/env bash\nprintf '[[requires]]\\nname = \"tool\"\\n[requires.metadata]\\nversion = \"%s\"\\n' \"$(cat version)\" > \"$2\"\n",
    ),
    (
        "user/bin/build",
        r#"#!/usr/bin/env bash
set -euo pipefail
echo "       user has $(sdk-tool) with $WORDS on $CNB_STACK_ID${FROM_FIRST:+ and is $FROM_FIRST}"
ls -d ../layers/acme_tool/scratch* | sed 's/^/       /'
sed 's/^/       for user: /' "$CNB_BP_PLAN_PATH"
echo made > made.txt
cat > "$CNB_LAYERS_DIR/launch.toml" <<'END'
[[processes]]
type = "worker"
command = ["bash", "-c", "the-tool\nexec sleep 100000"]
working-dir = "/tmp"

[[slices]]
paths = ["*.txt"]
END
"#,
    ),
];

fn several() -> Vec<File<'static>> {
    [&[META], NEVER, TOOL, USER].concat()
}

/// A group that is found among others, a layer that is used again unseen, a classic buildpack before.
pub(crate) fn several_with_an_order(server: &Server) -> Result<()> {
    run(async {
        let first = classic(
            server,
            "cnb-before",
            "echo 'export FROM_FIRST=handed-on' > \"$(dirname \"$0\")/../export\"; mkdir -p $1/.profile.d; echo 'export SCRIPT=ran' > $1/.profile.d/x.sh",
            "",
        )?;
        let tools = archive(&folder(server, "several", &several())?)?;
        let web = OtherHost::start(&[("first.tgz", first.as_slice()), ("tools.tgz", tools.as_slice())])?;
        let app = App::create(server, "cnb-several")?;
        app.heroku(&["config:set", "SECRET=sealed", "WORDS=zero"])?.ok()?;
        app.heroku(&["buildpacks:add", &format!("{}/first.tgz", web.url())])?.ok()?;
        app.heroku(&["buildpacks:add", &format!("{}/tools.tgz", web.url())])?.ok()?;
        app.write("version", "2")?;
        app.commit("first")?;
        let push = app.push()?.ok()?;
        let push = push.says("cnb-before app detected")?.says("remote:        acme/tool 2.0.0 ")?;
        let push = push.says("-----> Tool (acme/tool 2.0.0)")?.says("Installing tool 2")?;
        let push = push.says("user has sdk with zero on heroku-24 and is handed-on")?;
        push.says("acme/user 1.0.0")
            .and_then(|push| push.says("../layers/acme_tool/scratch.ignore"))?
            .says("for user: entries = []")?;
        let told = |words: &'static str| {
            let check = "bash -c 'the-tool && cat made.txt && test $SCRIPT = ran && ls /layers/acme_tool && cat /layers/sbom/launch/acme_tool/tool/sbom.cdx.json'";
            app.heroku(&["run", "--no-tty", "--exit-code", "--", check])?.ok()?.says(words)
        };
        told("tool 2 of sealed for everybody, exec.d")?
            .says("made")?
            .says("{\"tool\": true}")?
            .says_not("sdk")?;
        app.heroku(&["ps:scale", "worker=1"])?.ok()?;
        app.logs_say("tool 2 of sealed for the worker, exec.d").await?;

        app.commit("again")?;
        app.push()?.ok()?.says("Keeping tool 2, of which there is nothing")?.says_not("Installing")?;
        told("tool 2 of sealed for everybody, exec.d")?;
        app.write("version", "3")?;
        app.commit("another version")?;
        app.push()?.ok()?.says("Installing tool 3")?;
        told("tool 3 of sealed for everybody, exec.d")?;
        Ok(())
    })
}

/// The same as an image of this platform's registry.
pub(crate) fn an_image_of_the_registry(server: &Server) -> Result<()> {
    run(async {
        let folder = folder(server, "image", &several())?;
        fs::write(folder.join("image.py"), include_str!("cnb/image.py"))?;
        let app = App::create(server, "cnb-image")?;
        let place = format!("{}/cnb-image/buildpack:v1", server.api_url.trim_start_matches("http://"));
        let push = |more: &[&str]| {
            let _ = fs::remove_dir_all(folder.join("image"));
            Output::of(Command::new("python3").arg("image.py").args(more).current_dir(&folder))?.ok()?;
            let mut push = Command::new("skopeo");
            push.args(["--insecure-policy", "copy", "--quiet", "--dest-tls-verify=false"]);
            push.args(["--dest-creds", &format!("_:{TOKEN}")]);
            push.arg(format!("oci:{}", folder.join("image").display())).arg(format!("docker://{place}"));
            Output::of(&mut push)?.ok()
        };
        app.heroku(&["config:set", "SECRET=sealed", "WORDS=zero"])?.ok()?;
        app.heroku(&["buildpacks:set", &format!("docker://{place}")])?.ok()?;
        app.write("version", "2")?;
        app.commit("first")?;
        app.push()?.fails()?.says("The registry of this installation does not have it")?;
        push(&["bin/evil"])?;
        app.push()?.fails()?.says("It has other files than those below /cnb/buildpacks")?;
        push(&[])?;
        app.push()?.ok()?.says("Installing tool 2")?.says("user has sdk with zero on heroku-24")?;
        app.heroku(&["run", "--no-tty", "--exit-code", "--", "the-tool"])?
            .ok()?
            .says("tool 2 of sealed for everybody")?;
        Ok(())
    })
}

/// The same from a registry elsewhere, by way of a mirror.
pub(crate) fn an_image_of_another_registry(server: &Server) -> Result<()> {
    run(async {
        let folder = folder(server, "elsewhere", &several())?;
        fs::write(folder.join("image.py"), include_str!("cnb/image.py"))?;
        Output::of(Command::new("python3").arg("image.py").current_dir(&folder))?.ok()?;
        let image = folder.join("image");
        let index: serde_json::Value = serde_json::from_slice(&fs::read(image.join("index.json"))?)?;
        let digest = index["manifests"][0]["digest"].as_str().context("a digest")?;
        let blob = |digest: &str| fs::read(image.join("blobs").join(digest.replace(':', "/")));
        let mut files = vec![("v2/acme/meta/manifests/v3".to_owned(), blob(digest)?)];
        files.push((format!("v2/acme/meta/manifests/{digest}"), blob(digest)?));
        for entry in fs::read_dir(image.join("blobs/sha256"))? {
            let name = format!("sha256:{}", entry?.file_name().to_string_lossy());
            files.push((format!("v2/acme/meta/blobs/{name}"), blob(&name)?));
        }
        let files: Vec<_> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
        let _web = OtherHost::start(&files)?;
        let app = App::create(server, "cnb-elsewhere")?;
        app.heroku(&["config:set", "SECRET=sealed", "WORDS=zero"])?.ok()?;
        app.heroku(&["buildpacks:set", "docker://packs.example.com/acme/meta:v3"])?.ok()?;
        app.write("version", "2")?;
        app.commit("first")?;
        app.push()?.ok()?.says("Installing tool 2")?;
        app.heroku(&["buildpacks:set", "docker://packs.example.com/acme/nothing:v1"])?.ok()?;
        app.commit("another")?;
        app.push()?.fails()?.says("docker://packs.example.com/acme/nothing:v1 could not be fetched.")?;
        Ok(())
    })
}

/// What goes wrong, as the person reads it. The buildpacks lie in the app itself.
pub(crate) fn mistakes(server: &Server) -> Result<()> {
    run(async {
        let app = App::create(server, "cnb-mistakes")?;
        app.write(
            "project.toml",
            "[_]\nschema-version = \"0.2\"\n[[io.buildpacks.group]]\nuri = \"./pack\"\n",
        )?;
        let about =
            |api: &str| format!("api = \"{api}\"\n[buildpack]\nid = \"acme/bad\"\nversion = \"1.0.0\"\n");
        let build = |text: &str| format!("#!/bin/bash\ncd \"$CNB_LAYERS_DIR\"\n{text}\n");
        for (api, detect, program, words) in [
            ("0.5", "exit 0", "", &["version 0.5 of the Buildpack API; here are spoken 0.8, 0.9, 0.10"][..]),
            (
                "0.10",
                "echo 'what a mess'; exit 7",
                "",
                &[" !     what a mess", "acme/bad 1.0.0: error: bin/detect ended with status 7"],
            ),
            (
                "0.10",
                "echo '[[requires]]\nname = \"x\"' > $2",
                "",
                &["acme/bad 1.0.0: pass", "acme/bad 1.0.0 requires x, which no buildpack before it provides"],
            ),
            (
                "0.10",
                "exit 0",
                "echo as far as this; exit 9",
                &["as far as this", "Its bin/build ended with status 9"],
            ),
            (
                "0.10",
                "exit 0",
                "echo '[[processes]]' > launch.toml",
                &["launch.toml: line 1, column 1: missing field `type`"],
            ),
            (
                "0.10",
                "exit 0",
                "echo '[types]\nlaunch = true' > ...toml",
                &["A layer cannot be called \"..\"."],
            ),
            (
                "0.10",
                "exit 0",
                "ln -s / leak; echo '[types]\nlaunch = true' > leak.toml",
                &["its layer leak again"],
            ),
        ] {
            app.write("pack/buildpack.toml", &about(api))?;
            app.write("pack/bin/detect", &format!("#!/bin/bash\n{detect}\n"))?;
            app.write("pack/bin/build", &build(program))?;
            app.commit(words[0])?;
            let push = app.push()?.fails()?.says("Push rejected")?;
            words.iter().try_fold(push, |push, words| push.says(words))?;
        }
        Ok(())
    })
}
