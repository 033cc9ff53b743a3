//! What people meet less often: what the official CLI shows while something goes wrong, filters,
//! exit codes, slugs that clients make themselves, and a disk without room.

use crate::run;
use anyhow::{Context, Result, bail, ensure};
use e2e::{App, Output, Server, server, until};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

/// While a new release does not come up, `ps` shows its dyno and the one that serves meanwhile.
pub(crate) fn what_serves_is_shown_beside_what_does_not_come_up(server: &Server) -> Result<()> {
    run(async {
        let app = App::tiny(server, "two-releases", "old")?;
        app.push()?.ok()?;
        app.up(&["web.1"]).await?;
        app.write("web.js", "setInterval(() => {}, 1000)\n")?;
        app.commit("never listens")?;
        app.push()?.ok()?;
        let both = [("web.1", "starting", 4), ("web.1", "up", 3)];
        until("both dynos to be shown", async || {
            let dynos = app.dynos().await.map_err(|error| format!("{error:#}"))?;
            let seen = dynos.iter().map(|(name, state, version)| (name.as_str(), state.as_str(), *version));
            if seen.eq(both) { Ok(()) } else { Err(format!("{dynos:?}")) }
        })
        .await?;
        let shown = app.heroku(&["ps"])?.ok()?.says("web.1: up")?.says("web.1: starting")?;
        ensure!(shown.stdout.contains("(2)"), "two of one process type: {}", shown.stdout);
        app.answers("old from web.1").await?;
        app.heroku(&["rollback", "v3"])?.ok()?;
        app.up(&["web.1"]).await?;
        app.answers("old from web.1").await?;
        Ok(())
    })
}

/// `--exit-code` works for commands that end their shell, and for process types.
pub(crate) fn exit_codes_come_back_however_a_command_ends(server: &Server) -> Result<()> {
    run(async {
        let app = App::tiny(server, "exit-codes", "exit")?;
        app.write(
            "Procfile",
            "web: node web.js\ntask: exec node -e 'process.exit(Number(process.argv[1]))'\n",
        )?;
        app.commit("a task")?;
        app.push()?.ok()?;
        for (command, code) in
            [("exit 5", 5), ("exec sh -c 'exit 6'", 6), ("task 7", 7), ("echo \"open", 2), ("true", 0)]
        {
            let official = app.heroku(&["run", "--exit-code", "--", command])?;
            ensure!(official.code == code, "the official CLI ends with {code}: {official:?}");
            let own = server.kigo(&["run", "--exit-code", "--app", "exit-codes", "--", command])?;
            ensure!(own.code == code, "Kigo's own CLI ends with {code}: {own:?}");
        }
        Ok(())
    })
}

/// `logs` by dyno, process type, source and number.
pub(crate) fn logs_are_filtered(server: &Server) -> Result<()> {
    run(async {
        let app = App::tiny(server, "filtered-logs", "filtered")?;
        app.write(
            "Procfile",
            "web: node web.js\nworker: while true; do echo work in $DYNO; sleep 1; done\n",
        )?;
        app.commit("a worker")?;
        app.push()?.ok()?;
        app.heroku(&["ps:scale", "worker=2"])?.ok()?;
        app.up(&["web.1", "worker.1", "worker.2"]).await?;
        app.answers("filtered from web.1").await?;
        for words in ["work in worker.1", "work in worker.2", "heroku[router]", "app[web.1]: listening"] {
            app.logs_say(words).await?;
        }
        for (filter, only) in [
            (&["--dyno-name", "worker.2"][..], &["app[worker.2]", "heroku[worker.2]"][..]),
            (&["--process-type", "worker"], &["[worker.1]", "[worker.2]"]),
            (&["--process-type", "web", "--source", "app"], &["app[web.1]"]),
            (&["--source", "heroku"], &["heroku["]),
            (&["--source", "app", "--dyno-name", "api"], &["app[api]"]),
        ] {
            let words: Vec<_> = ["logs", "--num", "1500"].iter().chain(filter).copied().collect();
            let printed = app.heroku(&words)?.ok()?.stdout;
            for words in only {
                ensure!(printed.contains(words), "{filter:?} shows {words}: {printed}");
            }
            let other = printed.lines().find(|line| !only.iter().any(|words| line.contains(words)));
            ensure!(other.is_none(), "{filter:?} shows nothing else: {other:?}");
        }
        let few = app.heroku(&["logs", "--num", "3"])?.ok()?.stdout;
        ensure!(few.lines().count() == 3, "three lines: {few}");
        Ok(())
    })
}

/// Commands around the edges of an app, each with its answer.
pub(crate) fn commands_around_the_app(server: &Server) -> Result<()> {
    run(async {
        let app = App::tiny(server, "around-app", "around")?;
        app.write("Procfile", "web: node web.js\nrelease: echo released $HEROKU_RELEASE_VERSION\n")?;
        app.commit("a release command")?;
        app.push()?.ok()?;
        app.up(&["web.1"]).await?;
        for (line, words) in [
            ("domains:add www.around.example.com", "DNS Target around-app.localhost"),
            ("domains", "www.around.example.com"),
            ("domains:remove www.around.example.com", "done"),
            ("drains:add https://logs.example.com/in", "Successfully added drain"),
            ("drains", "https://logs.example.com/in (d."),
            ("drains:remove https://logs.example.com/in", "Successfully removed drain"),
            ("labs:enable runtime-dyno-metadata", "done"),
            ("run --exit-code -- test${IFS}$HEROKU_APP_NAME${IFS}=${IFS}around-app", ""),
            ("config:set A=1", "done, v4"),
            ("releases:retry", "released v5"),
            ("releases:output v5", "released v5"),
            ("ps:stop --process-type web", "done"),
            ("ps:restart --dyno-name web.1", "done"),
        ] {
            app.heroku(&line.split(' ').collect::<Vec<_>>())?.ok()?.says(words)?;
        }
        for (line, words) in [
            ("access:add stranger@example.com", "Couldn't find the user stranger@example.com"),
            ("ps:scale nope=1", "Couldn't find that process type (nope)."),
            ("ps:stop nope", "Couldn't find that process type (nope)."),
            ("ps:restart nope.1", "Couldn't find that dyno."),
            ("ps:scale release=1", "can't be scaled"),
            ("run:inside web.1 ls", "not offered yet"),
            ("ps:exec", "not offered yet"),
            ("domains:add around-app.localhost", "belong to the apps of those names"),
            ("features:enable nope", "Couldn't find that feature."),
        ] {
            app.heroku(&line.split(' ').collect::<Vec<_>>())?.fails()?.says(words)?;
        }
        Ok(())
    })
}

/// A slug that a client packs itself: row, upload, release.
pub(crate) fn an_uploaded_slug_runs(server: &Server) -> Result<()> {
    run(async {
        server.heroku(&["create", "slug-app", "--no-remote"])?.ok()?;
        let app = App { server, name: "slug-app".into(), checkout: server.folder("slug-app") };
        let archive = server.folder("slug.tgz");
        std::fs::create_dir_all(app.checkout.join("app"))?;
        app.write("app/answer", "HTTP/1.0 200 OK\r\n\r\nfrom a slug")?;
        app.write(
            "app/serve.pl",
            "use IO::Socket::INET; my $s = IO::Socket::INET->new(LocalPort => $ENV{PORT}, Listen => 5);
             while (my $c = $s->accept) { sysread $c, my $in, 4096; open my $f, '<', 'answer'; print {$c} <$f>; close $c }\n",
        )?;
        for number in 0..2000 {
            app.write(&format!("app/more/{number}"), "so that unpacking takes its time")?;
        }
        let mut tar = Command::new("tar");
        tar.arg("-czf").arg(&archive).arg("-C").arg(&app.checkout).arg("./app");
        Output::of(&mut tar)?.ok()?;
        let (status, slug) = server
            .api("POST", "/apps/slug-app/slugs", Some(json!({"process_types": {"web": "perl serve.pl"}})))
            .await?;
        ensure!(status == 201, "{status} {slug}");
        let release = json!({"slug": slug["id"]});
        let (status, early) = server.api("POST", "/apps/slug-app/releases", Some(release.clone())).await?;
        ensure!(status == 422 && early["message"] == "This slug was not uploaded yet.", "{status} {early}");
        let put = slug["blob"]["url"].as_str().context("an address")?;
        let archive = std::fs::read(&archive)?;
        let send = || reqwest::Client::new().put(put).body(archive.clone()).send();
        // A client that lost its patience sends it again while the first is still unpacked.
        let (first, second) = tokio::join!(send(), send());
        for sent in [first?, second?] {
            ensure!(sent.status().is_success(), "upload: {}", sent.status());
        }
        let (status, made) = server.api("POST", "/apps/slug-app/releases", Some(release)).await?;
        ensure!(status == 201 && made["current"] == true, "{status} {made}");
        app.answers("from a slug").await?;
        Ok(())
    })
}

/// A file system of its own, with so little room that it can be filled.
struct SmallDisk {
    image: PathBuf,
    folder: PathBuf,
}

impl SmallDisk {
    fn new() -> Result<Self> {
        let name = format!("/var/tmp/kigo-small-disk-{}", std::process::id());
        let disk = Self { image: format!("{name}.img").into(), folder: name.into() };
        std::fs::create_dir_all(&disk.folder)?;
        std::fs::File::create(&disk.image)?.set_len(1800 << 20)?;
        Output::of(Command::new("mkfs.ext4").args(["-q", "-F", "-m", "0"]).arg(&disk.image))?.ok()?;
        Output::of(Command::new("mount").args(["-o", "loop"]).args([&disk.image, &disk.folder]))?.ok()?;
        Ok(disk)
    }

    fn fillers(&self) -> PathBuf {
        self.folder.join("fillers")
    }

    /// Takes all room there is.
    fn fill(&self) -> Result<()> {
        std::fs::create_dir_all(self.fillers())?;
        let mut size = 256 << 20;
        let mut number = std::fs::read_dir(self.fillers())?.count();
        while size >= 4096 {
            number += 1;
            let file = self.fillers().join(number.to_string());
            let mut command = Command::new("fallocate");
            if Output::of(command.args(["-l", &size.to_string()]).arg(&file))?.code != 0 {
                std::fs::remove_file(&file)?;
                size /= 2;
            }
        }
        Ok(())
    }

    fn clear(&self) -> Result<()> {
        Ok(std::fs::remove_dir_all(self.fillers())?)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Output::of(Command::new("umount").arg(&self.folder));
        let _ = std::fs::remove_dir(&self.folder);
        let _ = std::fs::remove_file(&self.image);
    }
}

/// On a full disk everything that cannot be done says so, apps serve on, and once there is room
/// everything works again without anybody's help.
pub(crate) fn a_full_disk_is_told_and_got_over() -> Result<()> {
    run(async {
        let disk = SmallDisk::new()?;
        let data = disk.folder.join("data");
        std::fs::create_dir(&data)?;
        for part in ["blobs", "layers", "stacks"] {
            Output::of(Command::new("cp").arg("-a").arg(server::seed()?.join(part)).arg(&data))?.ok()?;
        }
        let server = Server::start("full-disk", &[("KIGO_DATA_DIR", &data.display().to_string())]).await?;
        let told = full_disk(&server, &disk).await.with_context(|| server.log());
        let purged = server.purge();
        told.and(purged)?;
        nothing_mounted(&data)
    })
}

async fn full_disk(server: &Server, disk: &SmallDisk) -> Result<()> {
    let app = App::tiny(server, "full-app", "before")?;
    app.push()?.ok()?;
    app.answers("before from web.1").await?;
    disk.fill()?;
    let mut set = 0;
    let refused = loop {
        set += 1;
        let vars = json!({"LONG": "x".repeat(20_000) + &set.to_string()});
        match server.api("PATCH", "/apps/full-app/config-vars", Some(vars)).await? {
            (200, _) if set < 100 => {}
            (507, answer) => break answer,
            other => bail!("a config var on a full disk: {other:?}"),
        }
    };
    ensure!(refused["id"] == "insufficient_storage", "{refused}");
    app.heroku(&["create", "one-more"])?.fails()?.says("The disk of this server is full")?;
    app.write_web("after")?;
    app.commit("second")?;
    app.push()?.fails()?.says("The disk of this server is full")?;
    app.answers("before from web.1").await?;
    // However the server ends on a full disk, the next one serves what runs.
    server.kill()?;
    disk.fill()?;
    server.start_again().await?;
    app.answers("before from web.1").await?;
    server.stop()?;
    disk.fill()?;
    server.start_again().await?;
    app.answers("before from web.1").await?;
    disk.clear()?;
    let (_, vars) = server.api("GET", "/apps/full-app/config-vars", None).await?;
    let kept = vars["LONG"].as_str().is_none_or(|text| !text.ends_with(&format!("x{set}")));
    ensure!(kept, "what was refused was not done");
    let vars = Some(json!({"LONG": Value::Null, "WORD": "room"}));
    let (status, answer) = server.api("PATCH", "/apps/full-app/config-vars", vars).await?;
    ensure!(status == 200, "there is room again: {status} {answer}");
    app.push()?.ok()?;
    app.answers("after from web.1 \"room\"").await?;
    app.up(&["web.1"]).await
}

fn nothing_mounted(below: &Path) -> Result<()> {
    let mounts = std::fs::read_to_string("/proc/self/mounts")?;
    let below = below.display().to_string();
    match mounts.lines().find(|line| line.contains(&below)) {
        Some(line) => bail!("left behind: {line}"),
        None => Ok(()),
    }
}
