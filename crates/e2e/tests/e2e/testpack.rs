//! Tests of apps: what is committed is built for them, they run, and nothing is released.

use crate::run;
use anyhow::{Context, Result, bail, ensure};
use e2e::{App, OtherHost, Output, Server, server};
use std::io::{BufRead, BufReader, Lines, Read};
use std::process::{Child, ChildStdout, Command, Stdio};

/// `kigo ci:run` in the app's checkout.
fn ci_run(app: &App<'_>, words: &[&str]) -> Result<Output> {
    let mut command = Command::new(server::kigo()?);
    command.args(["ci:run", "--app", &app.name]).args(words).current_dir(&app.checkout);
    command.envs(app.server.client_env()?).env("KIGO_API_KEY", server::TOKEN);
    Output::of(&mut command)
}

/// Fails unless the app was never deployed, and has as many builds for tests and none for releases.
async fn nothing_is_released(app: &App<'_>, tests: usize) -> Result<()> {
    let read = async |what: &str| -> Result<Vec<serde_json::Value>> {
        let (_, list) = app.server.api("GET", &format!("/apps/{}/{what}", app.name), None).await?;
        list.as_array().cloned().with_context(|| format!("{what} are no list: {list}"))
    };
    ensure!(read("builds").await?.is_empty(), "a build for tests is none for a release");
    ensure!(read("test-builds").await?.len() == tests, "each is kept");
    let released = read("releases").await?.into_iter().find(|release| !release["slug"].is_null());
    ensure!(released.is_none(), "nothing is released: {released:?}");
    ensure!(app.dynos().await?.is_empty(), "nothing runs");
    Ok(())
}

const TEST_COMPILE: &str = r#"[ ! -f "$1/broken" ] || { echo 'it does not compile'; exit 9; }
echo "test-compile with $(cat "$3/COLOUR"), secret: $(cat "$3/SECRET" 2> /dev/null || echo none)"
mkdir -p "$1/.profile.d" && echo 'export FROM_PROFILE=profile' > "$1/.profile.d/tested.sh"
echo 'export FROM_EXPORT=export' > "$(dirname "$0")/../export"
"#;
const TEST: &str = r#"echo "test of $1 with $FROM_PROFILE and $FROM_EXPORT, $COLOUR, CI $CI, $(cat /app/prepared)"
echo "run $HEROKU_TEST_RUN_ID of $HEROKU_TEST_RUN_BRANCH at $HEROKU_TEST_RUN_COMMIT_VERSION"
exit "$(cat "$1/status")"
"#;
const APP_JSON: &str = r#"{"environments": {"test": {
    "env": {"COLOUR": "blue"}, "scripts": {"test-setup": "echo prepared > prepared"}}}}"#;

/// A buildpack as others write it, by the Testpack API.
pub(crate) fn a_buildpack_with_test_compile_and_test(server: &Server) -> Result<()> {
    run(async {
        let app = App::create(server, "testpack")?;
        let programs = [
            ("detect", "echo Tested"),
            ("compile", "echo 'compile, and not for tests'\nexit 1"),
            ("test-compile", TEST_COMPILE),
            ("test", TEST),
        ];
        let programs = programs.map(|(name, text)| (name, text.to_owned()));
        let pack = crate::commands::programs_of(server, "testpack", &programs)?;
        let web = OtherHost::start(&[("pack.tgz", pack.as_slice())])?;
        app.heroku(&["config:set", "SECRET=live"])?.ok()?;
        app.heroku(&["buildpacks:set", &format!("{}/pack.tgz", web.url())])?.ok()?;
        app.write("app.json", APP_JSON)?;
        app.write("status", "0")?;
        app.commit("passes")?;
        let passed = ci_run(&app, &[])?.ok()?;
        let head = app.head()?;
        for words in [
            "Tested app detected",
            "test-compile with blue, secret: none",
            "test-setup command `echo prepared > prepared` completed successfully",
            "test of /app with profile and export, blue, CI true, prepared",
            &format!(" of main at {head}"),
        ] {
            ensure!(passed.stdout.contains(words), "{words}: {passed:?}");
        }

        app.write("status", "3")?;
        app.commit("fails")?;
        let failed = ci_run(&app, &["--env", "COLOUR=red;SECRET=given"])?;
        ensure!(failed.code == 3, "the status of the tests: {failed:?}");
        failed.says("test-compile with red, secret: given")?.says("failed with exit status 3")?;

        app.write("broken", "")?;
        app.commit("does not compile")?;
        let errored = ci_run(&app, &[])?;
        ensure!(errored.code == 1, "{errored:?}");
        errored.says("it does not compile")?.says("The tests did not run.")?.says_not("test of /app")?;
        nothing_is_released(&app, 3).await
    })
}

/// What languages that are built in do for tests, and how they are run by themselves.
pub(crate) fn built_in_languages(server: &Server) -> Result<()> {
    run(async {
        let app = App::create(server, "tested-node")?;
        app.write(
            "package.json",
            r#"{"name":"n","version":"1.0.0","private":true,"engines":{"node":"24.x"},"scripts":{"start":"node web.js","test":"node test.js"},"devDependencies":{"ms":"2.1.3"}}"#,
        )?;
        app.write(
            "package-lock.json",
            r#"{"name":"n","version":"1.0.0","lockfileVersion":3,"requires":true,"packages":{"":{"name":"n","version":"1.0.0","devDependencies":{"ms":"2.1.3"},"engines":{"node":"24.x"}},"node_modules/ms":{"version":"2.1.3","resolved":"https://registry.npmjs.org/ms/-/ms-2.1.3.tgz","integrity":"sha512-6FlzubTLZG3J2a/NVCAleEhjzq5oxgHyaCU9yYXvcLsvoVaHJq/s5xXI6/XXP6tz7R9xAOtHnSO/tXtF3WRTlA==","dev":true}}}"#,
        )?;
        app.write(
            "test.js",
            "console.log(require('ms')(60000) + ' as ' + process.env.NODE_ENV); process.exit(4)\n",
        )?;
        app.commit("fails")?;
        let failed = ci_run(&app, &[])?;
        ensure!(failed.code == 4, "{failed:?}");
        failed.says("test command `npm test`")?.says("1m as test")?;
        // What was installed for the first is there for the second.
        app.write("test.js", "require('ms')\n")?;
        app.commit("passes")?;
        ci_run(&app, &[])?.ok()?.says("Using the dependencies of the last build")?;
        nothing_is_released(&app, 2).await?;

        let app = App::create(server, "tested-python")?;
        app.write(".python-version", "3.13\n")?;
        app.write("requirements.txt", "itsdangerous==2.2.0\n")?;
        app.write("requirements-test.txt", "pytest==8.4.1\n")?;
        app.write(
            "test_app.py",
            "import itsdangerous\n\n\ndef test_it():\n    assert itsdangerous.Signer\n",
        )?;
        app.commit("first")?;
        let passed = ci_run(&app, &[])?.ok()?;
        passed.says("-r requirements-test.txt")?.says("test command `pytest`")?.says("1 passed")?;
        nothing_is_released(&app, 1).await?;

        let app = App::create(server, "tested-go")?;
        app.write("go.mod", "module example.com/thing\n\ngo 1.24\n")?;
        app.write(
            "main.go",
            "package main\n\nfunc double(n int) int { return 2 * n }\n\nfunc main() { println(double(2)) }\n",
        )?;
        app.write("main_test.go", "package main\n\nimport \"testing\"\n\nfunc TestDouble(t *testing.T) {\n\tif double(3) != 7 {\n\t\tt.Fatal(\"not seven\")\n\t}\n}\n")?;
        app.commit("fails")?;
        let failed = ci_run(&app, &[])?;
        ensure!(failed.code == 1, "{failed:?}");
        failed.says("test command `go test ./...`")?.says("not seven")?;
        app.write("main.go", "package main\n\nfunc main() { this is no Go }\n")?;
        app.commit("does not compile")?;
        let errored = ci_run(&app, &[])?;
        ensure!(errored.code == 1, "{errored:?}");
        errored.says("The app could not be compiled.")?.says_not("test command")?;
        nothing_is_released(&app, 2).await
    })
}

const RAKEFILE: &str = r#"task :test do
  ruby "test/app_test.rb"
end
"#;
const RUBY_TEST: &str = r#"require_relative "../app"

body = Rack::MockRequest.new(App).get("/health").body
abort "no health: #{body}" unless body.include?('"rack_env":"test"')
puts "healthy: #{ENV["GREETING"].inspect}"
"#;
const PHP_TEST: &str = r#"<?php
require __DIR__ . '/../vendor/autoload.php';
$greeting = Greetings\Greeting::text('a test');
echo "$greeting\n";
exit(str_contains($greeting, 'Hello') ? 0 : 5);
"#;

/// The examples of Ruby and PHP with tests of their own.
pub(crate) fn ruby_and_php(server: &Server) -> Result<()> {
    run(async {
        let app = App::example(server, "tested-ruby", "ruby-sinatra")?;
        // It is not among the gems of the repository.
        for (file, gone) in [
            ("Gemfile", "\ngroup :test do\n  gem \"rack-test\"\nend\n"),
            ("Gemfile.lock", "    rack-test (2.2.0)\n      rack (>= 1.3)\n"),
            ("Gemfile.lock", "  rack-test\n"),
        ] {
            change(&app, file, gone, "")?;
        }
        app.write("Rakefile", RAKEFILE)?;
        app.write("test/app_test.rb", RUBY_TEST)?;
        app.commit("passes")?;
        let passed = ci_run(&app, &["--env", "GREETING=hello"])?.ok()?;
        passed.says("test command `bundle exec rake test`")?.says("healthy: \"hello\"")?;
        change(&app, "app.rb", "rack_env: ", "environment: ")?;
        app.commit("fails")?;
        let failed = ci_run(&app, &[])?;
        ensure!(failed.code == 1, "{failed:?}");
        failed.says("no health")?.says("Using the gems of the last build")?;
        nothing_is_released(&app, 2).await?;

        let app = App::example(server, "tested-php", "php-slim")?;
        let compile = "\"compile\": \"php bin/compile.php\"";
        change(
            &app,
            "composer.json",
            compile,
            &format!("{compile},\n        \"test\": \"php tests/run.php\""),
        )?;
        app.write("tests/run.php", PHP_TEST)?;
        app.commit("passes")?;
        let passed = ci_run(&app, &[])?.ok()?;
        passed.says("test command `composer test`")?.says("Hello from PHP in a test")?;
        change(&app, "src/Greeting.php", "Hello", "Goodbye")?;
        app.commit("fails")?;
        let failed = ci_run(&app, &[])?;
        ensure!(failed.code == 5, "{failed:?}");
        failed.says("Goodbye from PHP in a test")?;
        nothing_is_released(&app, 2).await
    })
}

/// Replaces words in a file of the checkout, which must be there.
fn change(app: &App<'_>, file: &str, old: &str, new: &str) -> Result<()> {
    let text = std::fs::read_to_string(app.checkout.join(file))?;
    ensure!(text.contains(old), "{file} has no {old:?}: {text}");
    app.write(file, &text.replacen(old, new, 1))
}

/// The status of the app's newest tests.
async fn status(app: &App<'_>) -> Result<String> {
    let (_, list) = app.server.api("GET", &format!("/apps/{}/test-builds", app.name), None).await?;
    let newest = list.as_array().and_then(|list| list.iter().max_by_key(|one| one["created_at"].as_str()));
    Ok(newest.and_then(|one| one["status"].as_str()).unwrap_or_default().to_owned())
}

/// The server is killed while tests run: the next one begins them again, and whoever waits for them gets
/// their status. Ctrl-C cancels them.
pub(crate) async fn killed_and_interrupted(server: &Server) -> Result<()> {
    let app = App::create(server, "tested")?;
    app.write("package.json", r#"{"name":"t","version":"1.0.0","scripts":{"start":"node web.js"}}"#)?;
    app.write("slow.sh", "echo 'tests begin'\nsleep \"$SECONDS_OF_TESTS\"\necho 'tests end'\nexit 7\n")?;
    app.write("app.json", r#"{"environments": {"test": {"scripts": {"test": "bash slow.sh"}}}}"#)?;
    app.commit("slow")?;
    let begin = |seconds: &str| -> Result<Watched> {
        let mut command = Command::new(server::kigo()?);
        command.args(["ci:run", "--app", &app.name, "--env", &format!("SECONDS_OF_TESTS={seconds}")]);
        command.current_dir(&app.checkout).envs(server.client_env()?).env("KIGO_API_KEY", server::TOKEN);
        Watched::start(command)
    };

    let mut killed = begin("5")?;
    killed.says("tests begin")?;
    server.kill_and_restart().await?;
    let ended = killed.ended()?;
    ensure!(ended.code == 7, "the status of the tests: {ended:?}");
    ensure!(ended.stdout.contains("tests end"), "{ended:?}");
    ensure!(status(&app).await? == "failed");

    let mut interrupted = begin("3600")?;
    interrupted.says("tests begin")?;
    interrupted.interrupt()?;
    let ended = interrupted.ended()?;
    ensure!(ended.code == 130, "{ended:?}");
    e2e::until("the tests to be cancelled", async || match status(&app).await {
        Ok(status) if status == "cancelled" => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await?;
    nothing_is_released(&app, 2).await
}

/// A command of which the output is read as it comes.
struct Watched {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    stdout: String,
}

impl Watched {
    fn start(mut command: Command) -> Result<Self> {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let stdout = child.stdout.take().context("its output is not read")?;
        Ok(Self { child, lines: BufReader::new(stdout).lines(), stdout: String::new() })
    }

    /// Waits until it prints a line with these words.
    fn says(&mut self, words: &str) -> Result<()> {
        for line in &mut self.lines {
            let line = line?;
            self.stdout.push_str(&line);
            self.stdout.push('\n');
            if line.contains(words) {
                return Ok(());
            }
        }
        bail!("it never said {words:?}: {}", self.stdout)
    }

    /// What a terminal sends for Ctrl-C.
    fn interrupt(&self) -> Result<()> {
        Output::of(Command::new("kill").args(["-INT", &self.child.id().to_string()]))?.ok().map(drop)
    }

    fn ended(mut self) -> Result<Output> {
        for line in self.lines {
            self.stdout.push_str(&line?);
            self.stdout.push('\n');
        }
        let mut stderr = String::new();
        if let Some(mut end) = self.child.stderr.take() {
            end.read_to_string(&mut stderr)?;
        }
        let code = self.child.wait()?.code().unwrap_or(-1);
        Ok(Output { command: "kigo ci:run".into(), code, stdout: self.stdout, stderr })
    }
}
