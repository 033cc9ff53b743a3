//! Node.js: Yarn, pnpm, workspaces, and assets for another language. The sample app with npm is in
//! the tour.

use super::{first_push, refused, snapshot};
use crate::run;
use anyhow::{Result, ensure};
use e2e::{App, Server};

/// What a build prints that installs nothing.
const NOTHING_INSTALLED: &str = "Using the dependencies of the last build";

/// A front end built with Vite, an API that serves it, and a package of theirs.
pub(crate) fn pnpm_workspace(server: &Server) -> Result<()> {
    run(async {
        let app = first_push(server, "node-pnpm-workspace")?;
        let page = app.answers("A page that Vite built").await?;
        let script = page.body.split('"').find(|part| part.starts_with("/assets/") && part.contains(".js"));
        let script = app.get(script.unwrap_or("/no-script")).await?;
        ensure!(script.status == 200 && script.body.contains("Hello, "), "the script: {script:?}");
        let answer = app.get("/api/greeting?name=you").await?;
        ensure!(answer.body.contains("Hello, you"), "the package of the workspace: {answer:?}");
        // The packages that the build needed are gone, those of the app are there.
        app.heroku(&[
            "run",
            "--no-tty",
            "--exit-code",
            "pnpm --version; ls api/node_modules web/node_modules",
        ])?
        .ok()?
        .says("10.34.8")?
        .says("express")?
        .says_not("vite")?;
        app.write("words/index.js", "export const greeting = (name) => `Good morning, ${name}`;\n")?;
        app.commit("another greeting")?;
        app.push()?.ok()?.says(NOTHING_INSTALLED)?.says("Using the pruned dependencies of the last build")?;
        e2e::until("the new greeting", async || match app.get("/api/greeting?name=you").await {
            Ok(answer) if answer.body.contains("Good morning, you") => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .await
    })
}

/// Packages that stay zipped.
pub(crate) fn yarn_with_plug_n_play(server: &Server) -> Result<()> {
    run(async {
        let app = first_push(server, "node-yarn")?;
        app.answers("Written in Markdown").await?;
        let dyno = app.get("/dyno").await?;
        ensure!(dyno.body == r#"{"dyno":"web.1","concurrency":"1"}"#, "the dyno: {dyno:?}");
        let console = "yarn node -p \"require('fastify/package.json').version\"; ls .yarn/cache";
        app.heroku(&["run", "--no-tty", "--exit-code", console])?.ok()?.says("5.8.5")?.says_not("marked")?;
        app.write("page.md", "# A page\n\nWritten once more.\n")?;
        app.commit("another page")?;
        app.push()?.ok()?.says(NOTHING_INSTALLED)?;
        app.answers("Written once more").await?;
        Ok(())
    })
}

const YARN_1_LOCK: &str = "# yarn lockfile v1\n\n
left-pad@1.3.0:
  version \"1.3.0\"
  resolved \"https://registry.yarnpkg.com/left-pad/-/left-pad-1.3.0.tgz#5b8a3a7765dfe001261dde915589e782f8c94d1e\"
  integrity sha512-XI5MPzVNApjAyhQzphX8BkmKsKUxD4LdyK24iZeQGinBN9yTQT3bFlCBy/aVx2HrNcqQGsdot8ghrjyrvMCoEA==

ms@2.1.3:
  version \"2.1.3\"
  resolved \"https://registry.yarnpkg.com/ms/-/ms-2.1.3.tgz#574c8138ce1d2b5861f0b44579dbadd60c6615b2\"
  integrity sha512-6FlzubTLZG3J2a/NVCAleEhjzq5oxgHyaCU9yYXvcLsvoVaHJq/s5xXI6/XXP6tz7R9xAOtHnSO/tXtF3WRTlA==
";

/// Yarn 1: what is kept, and what config vars do.
pub(crate) fn yarn_1(server: &Server) -> Result<()> {
    run(async {
        let app = App::create(server, "yarn-1-app")?;
        let package = r#"{"name":"app","private":true,"license":"MIT","scripts":{"build":"node -p \"require('left-pad')(1, 3)\""},
            "dependencies":{"ms":"2.1.3"},"devDependencies":{"left-pad":"1.3.0"}}"#;
        app.write("package.json", package)?;
        app.write("yarn.lock", YARN_1_LOCK)?;
        app.write(".nvmrc", "v24\n")?;
        app.write_web("a day has")?;
        app.write("Procfile", "web: node -e \"require('ms')\" && node web.js\n")?;
        app.commit("first")?;
        snapshot("node-yarn-1", &app.push()?.ok()?);
        app.answers("a day has").await?;
        app.heroku(&["run", "--no-tty", "--exit-code", "ls node_modules; yarn --version"])?
            .ok()?
            .says("ms\n")?
            .says("1.22.22")?
            .says_not("left-pad")?;
        // Nothing that is installed runs programs, so that it is the same with any config var.
        app.heroku(&["config:set", "GREETING=hello"])?.ok()?;
        app.write("web.txt", "")?;
        app.commit("another file")?;
        app.push()?.ok()?.says(NOTHING_INSTALLED)?;
        app.heroku(&["config:set", "YARN_PRODUCTION=false"])?.ok()?;
        app.commit("nothing")?;
        app.push()?.ok()?.says("Skipping because YARN_PRODUCTION is 'false'")?;
        app.heroku(&["run", "--no-tty", "--exit-code", "ls node_modules"])?.ok()?.says("left-pad")?;
        Ok(())
    })
}

/// npm with a workspace: whose scripts run when, in a build that installs and in one that does not.
pub(crate) fn npm_workspace(server: &Server) -> Result<()> {
    run(async {
        let app = App::create(server, "npm-workspace-app")?;
        let root = r#"{"name":"app","version":"1.0.0","private":true,"workspaces":["lib"],"engines":{"node":">=20"},
            "dependencies":{"ms":"2.1.3"},"scripts":{"heroku-prebuild":"echo it is prebuild",
            "postinstall":"echo it is postinstall","build":"exit 1","heroku-postbuild":"node -p \"require('lib')\"",
            "heroku-cleanup":"echo it is cleanup"}}"#;
        let lib = r#"{"name":"lib","version":"1.0.0","main":"made.js","scripts":
            {"prepare":"echo \"module.exports = 'made for ' + '$PURPOSE'\" > made.js"}}"#;
        let ms = r#"{"version":"2.1.3","resolved":"https://registry.npmjs.org/ms/-/ms-2.1.3.tgz","integrity":
            "sha512-6FlzubTLZG3J2a/NVCAleEhjzq5oxgHyaCU9yYXvcLsvoVaHJq/s5xXI6/XXP6tz7R9xAOtHnSO/tXtF3WRTlA=="}"#;
        let lock = format!(
            r#"{{"name":"app","version":"1.0.0","lockfileVersion":3,"requires":true,"packages":{{
            "":{{"name":"app","version":"1.0.0","hasInstallScript":true,"workspaces":["lib"],
            "dependencies":{{"ms":"2.1.3"}},"engines":{{"node":">=20"}}}},
            "lib":{{"version":"1.0.0"}},"node_modules/lib":{{"resolved":"lib","link":true}},
            "node_modules/ms":{ms}}}}}"#
        );
        app.write("package.json", root)?;
        app.write("lib/package.json", lib)?;
        app.write("package-lock.json", &lock)?;
        app.write_web("the workspace")?;
        app.write("Procfile", "web: node -e \"require('lib')\" && node web.js\n")?;
        app.commit("first")?;
        app.heroku(&["config:set", "PURPOSE=one"])?.ok()?;
        snapshot("node-npm-workspace", &app.push()?.ok()?);
        app.answers("the workspace").await?;
        app.heroku(&["config:set", "PURPOSE=two"])?.ok()?;
        app.commit("nothing")?;
        snapshot("node-npm-workspace-again", &app.push()?.ok()?);
        // As on Heroku, an app for the Model Context Protocol has no web process by itself.
        app.write("Procfile", "mcp-tools: node web.js\n")?;
        app.commit("tools")?;
        app.push()?.ok()?.says("Procfile declares types     -> mcp-tools")?.says_not("Default types")?;
        Ok(())
    })
}

/// A registry that asks for a token, which is a config var; and directories that are kept.
pub(crate) fn private_registry(server: &Server) -> Result<()> {
    run(async {
        let app = App::create(server, "private-registry-app")?;
        app.write("registry.js", REGISTRY)?;
        app.write("package/package.json", r#"{"name":"@own/word","version":"1.0.0","main":"index.js"}"#)?;
        app.write("package/index.js", "module.exports = 'the word';\n")?;
        app.write(".npmrc", "@own:registry=http://127.0.0.1:4873/\n//127.0.0.1:4873/:_authToken=${TOKEN}\n")?;
        for manager in ["npm@11.6.2", "pnpm@10.34.8"] {
            let package = format!(
                r#"{{"name":"a","packageManager":"{manager}","engines":{{"node":"24.x"}},
                "scripts":{{"heroku-prebuild":"node registry.js & until curl -s 127.0.0.1:4873; do :; done",
                "build":"node -p \"require('@own/word')\" && mkdir -p kept && ls kept && touch kept/before"}},
                "cacheDirectories":["kept"],"dependencies":{{"@own/word":"1.0.0"}}}}"#
            );
            app.write("package.json", &package)?;
            app.heroku(&["config:unset", "TOKEN"])?.ok()?;
            app.commit(&format!("{manager} without a token"))?;
            app.push()?.fails()?.says("The dependencies could not be installed.")?;
            app.heroku(&["config:set", "TOKEN=t0k3n"])?.ok()?;
            app.commit(&format!("{manager} with a token"))?;
            app.push()?.ok()?.says("the word")?;
        }
        app.commit("again")?;
        app.push()?.ok()?.says("the word")?.says("remote:        before")?;
        Ok(())
    })
}

const REGISTRY: &str = "// A registry with one package, for those who have the token.
const { execFileSync } = require('child_process');
const tarball = execFileSync('tar', ['-cz', 'package']);
const shasum = require('crypto').createHash('sha1').update(tarball).digest('hex');
require('http').createServer((request, response) => {
  if (request.url === '/') return response.end();
  response.statusCode = request.headers.authorization === 'Bearer t0k3n' ? 200 : 401;
  if (response.statusCode === 401) return response.end('{}');
  if (request.url.endsWith('.tgz')) return response.end(tarball);
  const dist = { tarball: 'http://127.0.0.1:4873/@own/word/-/word-1.0.0.tgz', shasum };
  const version = { name: '@own/word', version: '1.0.0', main: 'index.js', dist };
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ name: '@own/word', 'dist-tags': { latest: '1.0.0' }, versions: { '1.0.0': version } }));
}).listen(4873, '127.0.0.1');
";

/// Node.js builds what Django collects.
pub(crate) fn assets_for_django(server: &Server) -> Result<()> {
    run(async {
        let app = App::example(server, "django-vite-app", "python-django-vite")?;
        app.heroku(&["buildpacks:set", "heroku/python"])?.ok()?;
        app.heroku(&["buildpacks:add", "--index", "1", "heroku/nodejs"])?.ok()?;
        snapshot("python-django-vite", &app.push()?.ok()?);
        app.answers("Hello from Django in web.1").await?;
        let script = app.get("/static/main.js").await?;
        ensure!(script.status == 200 && script.body.contains("from the browser"), "the script: {script:?}");
        app.write("frontend/main.css", "p { color: green; }\n")?;
        app.commit("green")?;
        app.push()?.ok()?.says(NOTHING_INSTALLED)?.says_not("Installing node modules")?;
        e2e::until("the new style sheet", async || match app.get("/static/main.css").await {
            Ok(answer) if answer.body.contains("green") => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .await
    })
}

/// What a user can get wrong.
pub(crate) fn mistakes(server: &Server) -> Result<()> {
    let start = ("server.js", "");
    let npm_lock = ("package-lock.json", r#"{"name":"a","lockfileVersion":3,"packages":{"":{"name":"a"}}}"#);
    let empty = ("package.json", r#"{"name":"a","engines":{"node":"24.x"}}"#);
    let with_ms = r#"{"name":"a","license":"MIT","engines":{"node":"24.x","npm":"11.6.2"},"dependencies":{"ms":"2.1.3"}}"#;
    let pinned = |manager: &str| {
        format!(
            r#"{{"name":"a","engines":{{"node":"24.x"}},"packageManager":"{manager}","dependencies":{{"ms":"2.1.3"}}}}"#
        )
    };
    let (pnpm, yarn) = (pinned("pnpm@10.34.8"), pinned("yarn@4.18.1"));
    let other_checksum = pinned("pnpm@10.34.8+sha256.00");
    let pnpm_lock = "lockfileVersion: '9.0'\n\nsettings:\n  autoInstallPeers: true\n  excludeLinksFromLockfile: false\n\nimporters:\n\n  .: {}\n";
    let berry_lock = "__metadata:\n  version: 10\n  cacheKey: 10c0\n\n\"a@workspace:.\":\n  version: 0.0.0-use.local\n  resolution: \"a@workspace:.\"\n  languageName: unknown\n  linkType: soft\n";
    let script = |name: &str| {
        format!(r#"{{"name":"a","engines":{{"node":"24.x"}},"scripts":{{"{name}":"echo broken; exit 3"}}}}"#)
    };
    let (build, postinstall) = (script("build"), script("postinstall"));
    refused(
        server,
        "node",
        &[
            ("not-json", &[("package.json", "{,}"), start]),
            (
                "no-lockfile-and-failing-install",
                &[("package.json", r#"{"dependencies":{"no-such-package-of-anybody":"1"}}"#)],
            ),
            ("several-lockfiles", &[empty, npm_lock, ("yarn.lock", ""), start]),
            ("other-lockfile", &[("package.json", &pnpm), npm_lock, start]),
            ("unknown-version", &[("package.json", r#"{"engines":{"node":"99.x"}}"#), npm_lock, start]),
            ("no-version", &[("package.json", "{}"), (".nvmrc", "twenty"), npm_lock, start]),
            ("other-checksum", &[("package.json", &other_checksum), ("pnpm-lock.yaml", pnpm_lock), start]),
            ("npm-outdated", &[("package.json", with_ms), npm_lock, start]),
            ("yarn-1-outdated", &[("package.json", with_ms), ("yarn.lock", "# yarn lockfile v1\n"), start]),
            ("yarn-outdated", &[("package.json", &yarn), ("yarn.lock", berry_lock), start]),
            ("pnpm-outdated", &[("package.json", &pnpm), ("pnpm-lock.yaml", pnpm_lock), start]),
            ("failing-build", &[("package.json", &build), npm_lock, start]),
            ("failing-postinstall", &[("package.json", &postinstall), npm_lock, start]),
        ],
    )
}
