//! Images: pushed by skopeo, released by the official CLI, run.

use crate::run;
use anyhow::{Context, Result, ensure};
use e2e::server::TOKEN;
use e2e::{App, Output, Server, until};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Command;

/// Writes the images below the platform's folder, once for both stories.
fn images(server: &Server, name: &str) -> Result<PathBuf> {
    let folder = server.folder(name);
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("images.py"), include_str!("images.py"))?;
    Output::of(Command::new("python3").arg("images.py").current_dir(&folder))?.ok()?;
    Ok(folder)
}

/// An app of the stack `container`, and the folder of images.
struct Story<'a> {
    app: App<'a>,
    images: PathBuf,
}

impl<'a> Story<'a> {
    fn new(server: &'a Server, name: &str) -> Result<Self> {
        let app = App::create(server, name)?;
        app.heroku(&["stack:set", "container"])?.ok()?;
        Ok(Self { app, images: images(server, &format!("{name}-images"))? })
    }

    /// `localhost:PORT/APP/TYPE:latest`, as skopeo names it.
    fn place(&self, process_type: &str) -> String {
        let api = self.app.server.api_url.trim_start_matches("http://");
        format!("docker://{api}/{}/{process_type}:latest", self.app.name)
    }

    /// Pushes an image with the token as the password; over TLS if the local authority's certificate
    /// is to vouch for the registry.
    fn push(&self, image: &str, process_type: &str, tls: bool) -> Result<Output> {
        let mut command = Command::new("skopeo");
        command.args(["--insecure-policy", "copy", "--quiet", "--dest-creds", &format!("_:{TOKEN}")]);
        if tls {
            let authority = self.app.server.client_env()?["KIGO_CA_CERT"].clone();
            let certificates = self.images.join("certificates");
            std::fs::create_dir_all(&certificates)?;
            std::fs::copy(authority, certificates.join("ca.crt"))?;
            command.arg("--dest-cert-dir").arg(certificates);
        } else {
            command.arg("--dest-tls-verify=false");
        }
        command.arg(format!("oci:{}", self.images.join(image).display())).arg(self.place(process_type));
        Output::of(&mut command)?.ok()
    }

    /// `heroku container:release`, on a machine that finds the registry where the CLI looks for it.
    fn release(&self, process_types: &[&str]) -> Result<Output> {
        let words = [&["container:release"], process_types].concat();
        Output::of(self.app.server.heroku_with_registry(&words)?.current_dir(&self.app.checkout))
    }

    /// Asks for a release of an image by its manifest's digest.
    async fn ask(&self, image: &str) -> Result<(u16, Value)> {
        let digest = std::fs::read_to_string(self.images.join(format!("{image}.digest")))?;
        let path = format!("/apps/{}/formation/web", self.app.name);
        self.app.server.api("PATCH", &path, Some(json!({"docker_image": digest}))).await
    }

    async fn releases(&self) -> Result<Vec<String>> {
        let path = format!("/apps/{}/releases", self.app.name);
        let (_, list) = self.app.server.api("GET", &path, None).await?;
        let list = list.as_array().context("releases are no list")?;
        let text = |release: &Value| release["description"].as_str().unwrap_or_default().to_owned();
        Ok(list.iter().map(text).collect())
    }
}

/// From a push to a page, a one-off dyno, a rollback and the end of a process type.
pub(crate) fn images_are_pushed_released_and_run(server: &Server) -> Result<()> {
    run(async {
        let story = Story::new(server, "image-app")?;
        let app = &story.app;
        story.push("first", "web", true)?;
        story.push("worker", "worker", false)?;
        story.release(&["web", "worker"])?.ok()?.says("Releasing images web,worker to image-app... done")?;
        app.answers("first page").await?;
        app.heroku(&["ps:scale", "worker=1"])?.ok()?;
        app.logs_say("worker of hello from worker in /srv").await?;

        let run = |words: &[&str]| app.heroku(&[&["run", "--exit-code"], words].concat());
        let said = run(&["--", "echo $GREETING; id -u; id -g; pwd; echo $HOME"])?.ok()?.stdout;
        ensure!(said.contains("hello from first"), "{said}");
        for words in ["4321", "5432", "/srv", "/home/web"] {
            ensure!(said.lines().any(|line| line.trim() == words), "no line {words}: {said}");
        }
        // No image runs as root, and each process type has its own.
        let said = run(&["--type", "worker", "--", "echo $GREETING; id -u"])?.ok()?.stdout;
        ensure!(said.contains("hello from worker") && said.contains("1000"), "{said}");
        ensure!(run(&["--", "exit 7"])?.code == 7, "the exit code comes back");

        story.push("second", "web", false)?;
        story.push("release", "release", false)?;
        story
            .release(&["web", "release"])?
            .ok()?
            .says("Running release command...")?
            .says("released by release.")?;
        app.answers("second page").await?;
        story.push("fails", "release", false)?;
        let failed = story.release(&["release"])?;
        ensure!(failed.code != 0 && failed.all().contains("release command failed"), "{failed:?}");
        app.answers("second page").await?;

        // The tag is another image's by now, and the manifest is deleted: the release keeps it.
        let digest = std::fs::read_to_string(story.images.join("first.digest"))?;
        let manifest = story.place("web").replace(":latest", &format!("@{digest}"));
        let mut delete = Command::new("skopeo");
        delete.args(["--insecure-policy", "delete", "--creds", &format!("_:{TOKEN}"), "--tls-verify=false"]);
        Output::of(delete.arg(manifest))?.ok()?;
        app.heroku(&["rollback", "v3"])?.ok()?;
        app.answers("first page").await?;

        app.heroku(&["container:rm", "worker"])?.ok()?.says("Removing container worker")?;
        app.up(&["web.1"]).await?;
        let releases = story.releases().await?;
        ensure!(releases.last().is_some_and(|words| words == "Removed worker"), "{releases:?}");
        // What was pushed can be pulled, byte for byte.
        let back = story.images.join("back");
        let mut pull = Command::new("skopeo");
        pull.args(["--insecure-policy", "copy", "--quiet", "--src-creds", &format!("_:{TOKEN}")]);
        pull.arg("--src-tls-verify=false").arg(story.place("web")).arg(format!("oci:{}:x", back.display()));
        Output::of(&mut pull)?.ok()?;
        let digest = std::fs::read_to_string(story.images.join("second.digest"))?;
        let index = std::fs::read_to_string(back.join("index.json"))?;
        ensure!(index.contains(&digest), "{index} has not {digest}");
        Ok(())
    })
}

/// What a stranger may not do with an image, and that nothing comes of trying.
pub(crate) fn hostile_images_are_refused(server: &Server) -> Result<()> {
    run(async {
        let story = Story::new(server, "hostile-images")?;
        let before = story.releases().await?;
        for (image, words) in [
            ("dots", "its path contains `..`"),
            ("absolute", "its path is absolute"),
            ("hardlink", "hard link"),
            ("symlink", "passes through a link"),
            ("sparse", "unpack to more than 8192 MiB"),
            ("huge", "unpack to more than 8192 MiB"),
            ("many", "more than 800000 files"),
            ("idle", "names no command"),
            ("foreign", "it is for linux/riscv64"),
            ("nobody", "nobody-here"),
        ] {
            story.push(image, "web", false)?;
            let (status, answer) = story.ask(image).await?;
            ensure!(status == 422, "{image}: {status} {answer}");
            let message = answer["message"].as_str().unwrap_or_default();
            ensure!(message.contains(words), "{image} should be refused for {words:?}: {message}");
        }
        let refused = story.release(&["web"])?;
        ensure!(refused.code != 0 && refused.all().contains("nobody-here"), "{refused:?}");
        ensure!(!std::path::Path::new("/etc/evil").exists(), "an image wrote to the host");
        ensure!(story.releases().await? == before, "a release was made");
        // Other stories on this platform unpack layers of their own meanwhile.
        until("half-unpacked layers to be gone", async || {
            let layers =
                std::fs::read_dir(server.data().join("layers")).map_err(|error| error.to_string())?;
            let names = layers.filter_map(Result::ok).map(|entry| entry.file_name());
            let left: Vec<_> = names.filter(|name| name.to_string_lossy().starts_with("incoming-")).collect();
            if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
        })
        .await?;
        // A device node is left out, and the rest runs.
        story.push("device", "web", false)?;
        let (status, answer) = story.ask("device").await?;
        ensure!(status == 200, "{status} {answer}");
        story.app.answers("device page").await?;
        let said = story.app.heroku(&["run", "--", "busybox ls -l /srv"])?.ok()?.stdout;
        ensure!(!said.contains("sda"), "{said}");
        Ok(())
    })
}

/// `git push` of a heroku.yml: built by buildah, from an image of the registry.
pub(crate) fn dockerfiles_are_built(server: &Server) -> Result<()> {
    run(async {
        let story = Story::new(server, "docker-app")?;
        let app = &story.app;
        app.write("README", "nothing else")?;
        app.commit("empty")?;
        let nothing = app.push()?.says("There is nothing to build a container from.")?;
        ensure!(nothing.code != 0, "{nothing:?}");

        let registry = story.place("base").replace("docker://", "").replace(":latest", "");
        let dockerfile = format!(
            "ARG BASE\nFROM $BASE AS page\nUSER root\nARG WORD\n\
             RUN echo \"$WORD page by $(id -u)\" > /www/index.html\n\
             RUN busybox head -c 16 /dev/urandom | busybox md5sum > /www/stamp\n\
             FROM {registry}\nCOPY --from=page /www/ /www/\nCOPY note /srv/note\n\
             CMD exec busybox httpd -f -p $PORT -h /www\n"
        );
        app.write("web/Dockerfile", &dockerfile)?;
        app.write("web/note", "a note")?;
        let manifest = format!(
            "build:\n  docker:\n    web: web/Dockerfile\n  config:\n    WORD: built\n    BASE: {registry}:latest\n\
             run:\n  clock:\n    command: [\"echo tick from $GREETING; exec sleep 100000\"]\n    image: web\n\
             release:\n  command: [cat /srv/note, echo releasing]\n"
        );
        app.write("heroku.yml", &manifest)?;
        app.commit("with a Dockerfile")?;
        let missing = app.push()?.says("An image that a Dockerfile begins from cannot be had.")?;
        ensure!(missing.code != 0, "{missing:?}");

        story.push("first", "base", false)?;
        let pushed = app.push()?.ok()?.says("Building web (web/Dockerfile)")?.says("STEP")?;
        pushed.says("Released v3")?.says("releasing")?;
        app.answers("built page by 0").await?;
        // As on Heroku, it is in the registry, and can be released again by name.
        let mut look = Command::new("skopeo");
        look.args(["--insecure-policy", "inspect", "--raw", "--creds", &format!("_:{TOKEN}")]);
        look.arg("--tls-verify=false").arg(story.place("web"));
        Output::of(&mut look)?.ok()?.says("application/vnd.oci.image.manifest.v1+json")?;
        let again = server.kigo(&["container:release", "web", "--app", &app.name])?.ok()?;
        again.says("Releasing images web to")?.says("releasing")?;
        app.answers("built page by 0").await?;
        app.heroku(&["ps:scale", "clock=1"])?.ok()?;
        app.logs_say("tick from hello from first").await?;
        app.heroku(&["run", "--exit-code", "--", "cat /srv/note"])?.ok()?.says("a note")?;

        // Only the app's own files change: what came before them is not run again.
        let stamp = || -> Result<String> {
            Ok(app.heroku(&["run", "--exit-code", "--", "cat /www/stamp"])?.ok()?.stdout.trim().to_owned())
        };
        let first = stamp()?;
        app.write("web/note", "another note")?;
        app.commit("another note")?;
        let again = app.push()?.ok()?.says("Restoring the build cache")?.says("Using cache")?;
        again.says("another note")?;
        ensure!(stamp()? == first, "a step was run again");
        // What `heroku builds:cache:purge` asks for.
        server.api("DELETE", &format!("/apps/{}/build-cache", app.name), None).await?;
        until("the cache to be purged", async || {
            let mut caches =
                std::fs::read_dir(server.data().join("cache")).map_err(|error| error.to_string())?;
            let left = caches.any(|one| one.is_ok_and(|one| one.path().join("steps.json").exists()));
            if left { Err("it is there".to_owned()) } else { Ok(()) }
        })
        .await?;
        app.write("web/note", "a third note")?;
        app.commit("a third note")?;
        let anew = app.push()?.ok()?;
        ensure!(!anew.all().contains("Using cache"), "{anew:?}");
        ensure!(stamp()? != first, "the cache was not purged");

        for (step, words) in [
            ("RUN exit 3", "The Dockerfile could not be built."),
            (
                "RUN busybox awk 'BEGIN { s = \"doubles\"; while (1) s = s s }'",
                "The build used too much memory",
            ),
            ("NONSENSE", "The Dockerfile could not be built."),
        ] {
            app.write("web/Dockerfile", &format!("{dockerfile}USER root\n{step}\n"))?;
            app.commit(step)?;
            let failed = app.push()?.says(words)?.says("Push rejected")?;
            ensure!(failed.code != 0, "{failed:?}");
        }
        app.answers("built page by 0").await?;
        // Without a heroku.yml the Dockerfile in the root is that of web.
        app.git(&["rm", "-rq", "web", "heroku.yml"])?.ok()?;
        app.write(
            "Dockerfile",
            &dockerfile
                .replace("ARG BASE\n", &format!("ARG BASE={registry}\n"))
                .replace("COPY note", "COPY README"),
        )?;
        app.commit("only a Dockerfile")?;
        app.push()?.ok()?.says("Building web (Dockerfile)")?;
        app.answers(" page by 0").await?;
        app.up(&["web.1"]).await
    })
}
