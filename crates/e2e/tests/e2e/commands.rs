//! Every command of the official CLI that Kigo promises, once.

use crate::run;
use anyhow::{Context, Result, bail, ensure};
use e2e::{App, OtherHost, Output, Server, server, until};
use std::io::{Read, Write};
use std::process::{Command, Stdio};

/// Runs a command line and looks for words in what it prints.
type Line<'a> = (&'a str, &'a str);

/// Everything that is one line and one answer, in an order in which each finds what it needs.
pub(crate) fn every_command_of_the_list(server: &Server) -> Result<()> {
    run(async {
        let app = App::tiny(server, "listed-app", "listed")?;
        app.push()?.ok()?;
        app.up(&["web.1"]).await?;
        let lines: &[Line<'_>] = &[
            ("auth:whoami", "admin@example.com"),
            ("auth:token", server::TOKEN),
            ("apps", "listed-app"),
            ("apps:info", "=== listed-app"),
            ("info --json", "\"name\": \"listed-app\""),
            ("apps:stacks", "kigo-13"),
            ("regions", "local"),
            ("access", "admin@example.com"),
            ("features", "App Features listed-app"),
            ("domains", "listed-app.localhost"),
            ("drains", ""),
            ("status", "No known issues"),
            ("config:set A=1 B=two", "done, v4"),
            ("config", "two"),
            ("config:get A", "1"),
            ("config:unset B", "done, v5"),
            ("releases", "Current: v5"),
            ("releases:info v4", "Set A, B config vars"),
            ("releases:info", "Remove B config vars"),
            ("rollback v3", "done, v6"),
            ("releases", "Rollback to v3"),
            ("ps:scale", "web=1:Basic"),
            ("ps:scale web=2", "now running web at 2:Basic"),
            ("ps:scale web-1", "now running web at 1:Basic"),
            ("ps:type web=standard-1x", "Standard-1X"),
            ("ps:type", "Standard-1X"),
            ("ps", "web (Standard-1X)"),
            ("ps:wait", ""),
            ("ps:restart web.1", "done"),
            ("ps:restart web", "done"),
            ("ps:restart", "done"),
            ("ps:stop web.1", "done"),
            ("maintenance", "off"),
            ("maintenance:on", "done"),
            ("maintenance", "on"),
            ("maintenance:off", "done"),
            ("buildpacks", "heroku/nodejs"),
            ("buildpacks:clear", "Buildpacks cleared"),
            ("buildpacks:search", "heroku/python"),
            ("buildpacks:search node", "heroku/nodejs"),
            ("buildpacks:search --name nodejs --namespace heroku", "1 buildpack found"),
            ("buildpacks:search --description cobol", "No buildpacks found"),
            ("buildpacks:info heroku/nodejs", "Node.js apps with package.json; built in"),
            ("buildpacks:info heroku/nodejs", "Detected by"),
            ("buildpacks:versions heroku/nodejs", "published"),
            ("buildpacks:set heroku/nodejs", "Buildpack set"),
            ("buildpacks:add heroku/python", "2. heroku/python"),
            ("buildpacks:remove heroku/python", "Buildpack removed"),
            ("buildpacks:add --index 1 https://example.com/some.tgz", "Buildpack added"),
            ("buildpacks", "https://example.com/some.tgz"),
            ("buildpacks:remove https://example.com/some.tgz", "Buildpack removed"),
            ("buildpacks:clear", "Buildpacks cleared"),
            ("authorizations", ""),
            ("authorizations:create --description testing --short", "KIGO-"),
            ("authorizations", "testing"),
            ("sessions", ""),
            ("git:remote --app listed-app", "set git remote heroku"),
            ("apps:rename renamed-app", "done"),
            ("info --app renamed-app", "=== renamed-app"),
        ];
        for (line, words) in lines {
            let answer = app.heroku(&line.split(' ').collect::<Vec<_>>())?.ok()?;
            answer.says(words)?;
        }
        app.git(&["remote", "get-url", "heroku"])?.ok()?.says("/renamed-app.git")?;
        keys(server)?;
        authorizations(server)?;
        maintenance(server).await?;
        server.heroku(&["apps:destroy", "--app", "renamed-app", "--confirm", "listed-app"])?.fails()?;
        server.heroku(&["apps:destroy", "--app", "renamed-app", "--confirm", "renamed-app"])?.ok()?;
        server.heroku(&["info", "--app", "renamed-app"])?.fails()?.says("Couldn't find that app.")?;
        Ok(())
    })
}

fn keys(server: &Server) -> Result<()> {
    let key = server.folder("id_test");
    let _ = std::fs::remove_file(&key);
    let public = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGYV1ou5FaWN0vg2uOBrsE5SAJPcpQG9J1jWRPDbvbr6 tester@example.com\n";
    std::fs::write(server.folder("id_test.pub"), public)?;
    let path = server.folder("id_test.pub").display().to_string();
    server.heroku(&["keys:add", &path, "--yes"])?.ok()?.says("Uploading")?;
    server.heroku(&["keys"])?.ok()?.says("tester@example.com")?;
    server.heroku(&["keys:remove", "tester@example.com"])?.ok()?;
    server.heroku(&["keys:add", &path, "--yes"])?.ok()?;
    server.heroku(&["keys:clear"])?.ok()?;
    server.heroku(&["keys"])?.ok()?.says("You have no SSH keys")?;
    Ok(())
}

fn authorizations(server: &Server) -> Result<()> {
    let made = server.heroku(&["authorizations:create", "--description", "to rotate", "--json"])?.ok()?;
    let made: serde_json::Value = serde_json::from_str(&made.stdout)?;
    let id = made["id"].as_str().context("an id")?;
    let token = made["access_token"]["token"].as_str().context("a token")?;
    server.heroku(&["authorizations:info", id])?.ok()?.says("to rotate")?;
    server.heroku(&["authorizations:update", id, "--description", "renamed"])?.ok()?;
    let rotated = server.heroku(&["authorizations:rotate", id])?.ok()?;
    rotated.says_not(token)?;
    server.heroku(&["authorizations:revoke", id])?.ok()?;
    server.heroku(&["authorizations:info", id])?.fails()?;
    Ok(())
}

async fn maintenance(server: &Server) -> Result<()> {
    let app = App { server, name: "renamed-app".into(), checkout: server.folder("listed-app") };
    app.answers("listed from web.1").await?;
    app.heroku(&["maintenance:on"])?.ok()?;
    until("the maintenance page", async || match app.get("/").await {
        Ok(answer) if answer.status == 503 => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await?;
    app.logs_say("code=H80 desc=\"Maintenance mode\"").await?;
    app.heroku(&["maintenance:off"])?.ok()?;
    app.answers("listed from web.1").await?;
    Ok(())
}

/// `heroku login -i` at a terminal, and git with what it stored.
pub(crate) fn login_with_a_password(server: &Server) -> Result<()> {
    let home = server.folder("login-home");
    std::fs::create_dir_all(&home)?;
    let mut login = Command::new("script");
    let heroku = server::heroku()?.display().to_string();
    login.args(["--quiet", "--return", "--command", &format!("{heroku} login -i"), "/dev/null"]);
    login.envs(server.client_env()?).env_remove("HEROKU_API_KEY").env("HOME", &home);
    login.env_remove("SSL_CERT_FILE").env_remove("SSL_CERT_DIR");
    let mut child = login.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let (mut input, mut output) =
        (child.stdin.take().context("stdin")?, child.stdout.take().context("stdout")?);
    let mut seen = String::new();
    for (prompt, answer) in [("Email", server::EMAIL), ("Password", server::PASSWORD)] {
        read_until(&mut output, &mut seen, prompt)?;
        write!(input, "{answer}\r")?;
        input.flush()?;
    }
    read_until(&mut output, &mut seen, "Logged in as")?;
    drop(input);
    child.wait()?;
    let netrc = std::fs::read_to_string(home.join(".netrc")).context("login writes .netrc")?;
    ensure!(netrc.contains("localhost:"), "for this server: {netrc}");
    let mut whoami = server.heroku_command(&["auth:whoami"])?;
    Output::of(whoami.env_remove("HEROKU_API_KEY").env("HOME", &home))?.ok()?.says(server::EMAIL)?;
    let mut logout = server.heroku_command(&["logout"])?;
    Output::of(logout.env_remove("HEROKU_API_KEY").env("HOME", &home))?.ok()?;
    Ok(())
}

fn read_until(output: &mut impl Read, seen: &mut String, words: &str) -> Result<()> {
    let mut bytes = [0; 1024];
    while !seen.contains(words) {
        match output.read(&mut bytes)? {
            0 => bail!("ended before it said {words:?}: {seen}"),
            count => seen.push_str(&String::from_utf8_lossy(&bytes[..count])),
        }
    }
    Ok(())
}

/// `run`, `run:detached`, their exit codes, input and environment.
pub(crate) fn one_off_dynos(server: &Server) -> Result<()> {
    run(async {
        let app = App::tiny(server, "one-off-app", "one-off")?;
        app.push()?.ok()?;
        app.heroku(&["config:set", "WORD=from config"])?.ok()?;
        let run = app.heroku(&["run", "--exit-code", "--", "bash -c 'echo $WORD in $DYNO; exit 7'"])?;
        ensure!(run.code == 7, "the exit code is the command's: {run:?}");
        run.says("from config in run.")?;
        let run = app.heroku(&[
            "run",
            "--exit-code",
            "--env",
            "MORE=1;LESS=0",
            "--",
            "echo $MORE $LESS; pwd; whoami",
        ])?;
        run.ok()?.says("1 0")?.says("/app")?.says("dyno")?;
        let prompt = app.heroku(&["run", "--", "bash -ic 'echo \"$PS1\"'"])?;
        prompt.ok()?.says(r"\[\033[01;34m\]\w")?;
        // More than all pipes on the way hold: `cat` prints while it is still being told more.
        let long = "through the pipe\n".repeat(100_000);
        std::fs::write(server.folder("one-off-input"), &long)?;
        let mut piped = server.heroku_command(&["run", "--no-tty", "--app", "one-off-app", "--", "cat"])?;
        let output = piped.stdin(std::fs::File::open(server.folder("one-off-input"))?).output()?;
        let printed = String::from_utf8_lossy(&output.stdout);
        ensure!(printed.contains(&long), "input reaches the dyno: {} bytes come back", printed.len());
        app.heroku(&["run:detached", "echo detached as $DYNO"])?.ok()?.says("run.")?;
        app.logs_say("detached as run.").await?;
        let log = app.logs_say("State changed from up to complete").await?;
        ensure!(log.contains("Starting process with command `echo detached as $DYNO`"), "{log}");
        Ok(())
    })
}

/// Classic buildpacks: a tarball by address, two in order, what the first exports.
pub(crate) fn buildpacks_by_address(server: &Server) -> Result<()> {
    run(async {
        let app = App::create(server, "classic-app")?;
        let first = classic(
            server,
            "first",
            "echo 'export FROM_FIRST=handed-on' > \"$(dirname \"$0\")/../export\"",
            "",
        )?;
        let second = classic(
            server,
            "second",
            "echo \"       got $FROM_FIRST and $(cat \"$3/SECRET\") on $STACK\"; mkdir -p $1/.profile.d; echo 'export GREETING=hi' > $1/.profile.d/greet.sh",
            "default_process_types:\n  web: sleep 1000\n",
        )?;
        let web = OtherHost::start(&[("first.tgz", first.as_slice()), ("second.tgz", second.as_slice())])?;
        let files = web.url();
        app.heroku(&["config:set", "SECRET=sealed"])?.ok()?;
        app.heroku(&["buildpacks:set", &format!("{files}/first.tgz")])?.ok()?;
        app.heroku(&["buildpacks:add", &format!("{files}/second.tgz")])?.ok()?;
        app.write("anything.txt", "x")?;
        app.commit("first")?;
        let push = app.push()?.ok()?;
        let push = push.says("first app detected")?.says("second app detected")?;
        push.says("got handed-on and sealed on heroku-24")?.says("Default types for buildpack -> web")?;
        app.heroku(&["run", "--exit-code", "--", "test $GREETING = hi"])?.ok()?;
        Ok(())
    })
}

/// What buildpacks out there do: programs below `.heroku` that know they will be in `/app`, scripts
/// in `.profile.d`, a Procfile of their own, an export that changes `PATH`, a cache, a report.
pub(crate) fn buildpacks_as_others_write_them(server: &Server) -> Result<()> {
    run(async {
        let app = App::create(server, "third-party")?;
        let tool = classic(
            server,
            "tool",
            r#"build=$1 cache=$2
mkdir -p "$build/.heroku/tool/bin" "$build/.profile.d" /app/.heroku
ln -nsf "$build/.heroku/tool" /app/.heroku/tool
printf '#!/bin/sh\necho tool of %s\n' "$STACK" > /app/.heroku/tool/bin/the-tool
chmod +x /app/.heroku/tool/bin/the-tool
echo 'export PATH="$HOME/.heroku/tool/bin:$PATH"' > "$build/.profile.d/tool.sh"
echo "export PATH=\"/app/.heroku/tool/bin:\$PATH\"" > "$(dirname "$0")/../export"
echo "       built $(cat "$cache/count" 2> /dev/null || echo 0) times before"
echo $(($(cat "$cache/count" 2> /dev/null || echo 0) + 1)) > "$cache/count""#,
            "",
        )?;
        let user = classic(
            server,
            "user",
            r#"the-tool | sed 's/^/       says: /'
echo "       of ${SOURCE_VERSION:0:8} for ${REQUEST_ID:+somebody}, ${HEROKU_BUILD_COMMIT:0:8}, SECRET is ${SECRET:-unset}"
echo 'web: the-tool; sleep 1000' > "$1/Procfile""#,
            "addons:\n  - heroku-redis:mini\n  - no-such-service\nconfig_vars:\n  FROM_PACK: wanted\ndefault_process_types:\n  worker: sleep 1000\n",
        )?;
        let web = OtherHost::start(&[("tool.tgz", tool.as_slice()), ("user.tgz", user.as_slice())])?;
        app.heroku(&["config:set", "SECRET=sealed"])?.ok()?;
        app.heroku(&["features:enable", "runtime-dyno-build-metadata"])?.ok()?;
        app.heroku(&["buildpacks:add", &format!("{}/tool.tgz", web.url())])?.ok()?;
        app.heroku(&["buildpacks:add", &format!("{}/user.tgz", web.url())])?.ok()?;
        app.write("anything.txt", "x")?;
        app.commit("first")?;
        let commit = app.head()?[..8].to_owned();
        let push = app.push()?.ok()?.says("built 0 times before")?.says("says: tool of heroku-24")?;
        let push = push.says(&format!("of {commit} for somebody, {commit}, SECRET is unset"))?;
        let push = push.says("heroku-redis:mini is there as redis-")?;
        let push = push.says("no-such-service was not added: Couldn't find")?;
        push.says("Procfile declares types     -> web")?.says("Default types for buildpack -> worker")?;
        app.heroku(&["config:get", "FROM_PACK"])?.ok()?.says("wanted")?;
        app.heroku(&["config:get", "REDIS_URL"])?.ok()?.says("rediss://")?;
        app.logs_say("tool of").await?;
        ensure!(server.log().contains("report of user"), "bin/report is kept for operators");
        app.commit("second")?;
        app.push()?.ok()?.says("built 1 times before")?.says_not("Adding the add-ons")?;
        app.heroku(&["addons:destroy", "REDIS", "--confirm", &app.name])?.ok()?;
        Ok(())
    })
}

pub(crate) fn classic(server: &Server, name: &str, compile: &str, release: &str) -> Result<Vec<u8>> {
    let programs = [
        ("detect", format!("echo {name}")),
        ("compile", compile.to_owned()),
        ("report", format!("echo 'words: report of {name}'")),
        ("release", format!("cat <<'YAML'\n---\n{release}YAML")),
    ];
    programs_of(server, name, &programs)
}

/// The archive of a classic buildpack with these programs, which end with their first failure.
pub(crate) fn programs_of(server: &Server, name: &str, programs: &[(&str, String)]) -> Result<Vec<u8>> {
    use std::os::unix::fs::PermissionsExt;
    let folder = server.folder(&format!("buildpack-{name}"));
    std::fs::create_dir_all(folder.join("bin"))?;
    for (file, text) in programs {
        let path = folder.join("bin").join(file);
        std::fs::write(&path, format!("#!/usr/bin/env bash\nset -e\n{text}\n"))?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
    }
    let archive = server.folder(&format!("{name}.tgz"));
    Output::of(Command::new("tar").arg("-czf").arg(&archive).arg("-C").arg(&folder).arg("."))?.ok()?;
    Ok(std::fs::read(archive)?)
}

/// `POST /apps/{app}/builds` with an uploaded source, its output stream, and its release.
pub(crate) fn builds_from_a_tarball(server: &Server) -> Result<()> {
    run(async {
        let app = App::tiny(server, "tarball-app", "tarball")?;
        let archive = server.folder("tarball.tgz");
        let mut git = Command::new("git");
        // As code hosts make them: everything below one folder.
        git.args(["archive", "--format=tar.gz", "--prefix=tarball-1.0/", "--output"])
            .arg(&archive)
            .arg("HEAD");
        Output::of(git.current_dir(&app.checkout))?.ok()?;
        let build = crate::failures::build_from(server, &app.name, std::fs::read(&archive)?).await?;
        let stream = build["output_stream_url"].as_str().context("an output address")?;
        let output = until("the build's output", async || {
            let answer = reqwest::get(stream).await.map_err(|error| error.to_string())?;
            if !answer.status().is_success() {
                return Err(answer.status().to_string());
            }
            answer.text().await.map_err(|error| error.to_string())
        })
        .await?;
        ensure!(output.contains("Node.js app detected"), "the stream has the whole output: {output}");
        app.answers("tarball from web.1").await?;
        Ok(())
    })
}
