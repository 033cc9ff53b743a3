//! PHP: Slim with Composer, behind Apache and behind nginx.

use super::{refused, snapshot};
use crate::run;
use anyhow::{Result, ensure};
use e2e::{App, Server};

const APACHE: &str = "heroku-php-apache2 public/";
const NGINX: &str = "vendor/bin/heroku-php-nginx -C nginx.conf -F fpm.conf public/";

/// A Slim app with an extension, a script `compile` and rewritten addresses.
pub(crate) fn slim(server: &Server) -> Result<()> {
    run(async {
        let app = App::example(server, "php-slim-app", "php-slim")?;
        // Both, so that one set of packages does for all.
        app.write("Procfile", &format!("web: {APACHE}\nother: {NGINX}\n"))?;
        app.commit("both")?;
        snapshot("php-slim", &app.push()?.ok()?);
        app.answers("Hello from PHP in web.1").await?;
        for (path, words) in [
            ("/built", "with PHP 8.4"),
            ("/sum/99999999999999999999/1", "100000000000000000000"),
            ("/style.css", "sans-serif"),
            ("/log", r#""memory":"128M""#),
        ] {
            let answer = app.get(path).await?;
            ensure!(answer.status == 200 && answer.body.contains(words), "{path}: {answer:?}");
        }
        app.logs_say("a line of the app").await?;
        app.logs_say("GET /built HTTP/1.1").await?;
        app.logs_say("Starting php-fpm with 4 workers").await?;
        let console = "bash -c \"echo 'echo 6 * 7 . PHP_EOL;' | php -a\"";
        app.heroku(&["run", "--no-tty", "--exit-code", console])?.ok()?.says("42")?;

        app.write("Procfile", &format!("web: {NGINX}\nother: {APACHE}\n"))?;
        app.write(
            "nginx.conf",
            "location / {\n  index index.php;\n  try_files $uri /index.php$is_args$args;\n}\n",
        )?;
        app.write("fpm.conf", "php_value[memory_limit] = 64M\n")?;
        app.write(
            "src/Greeting.php",
            "<?php\nnamespace Greetings;\nfinal class Greeting {\n    public static function text(string $name): string {\n        return Words::GOODBYE . $name;\n    }\n}\n",
        )?;
        app.write(
            "src/Words.php",
            "<?php\nnamespace Greetings;\nenum Words { const GOODBYE = 'Goodbye from '; }\n",
        )?;
        app.commit("nginx")?;
        app.push()?
            .ok()?
            .says("Nothing to install, update or remove")?
            .says_not("Extracting archive")?
            .says_not("Downloading")?;
        app.answers("Goodbye from web.1").await?;
        let log = app.get("/log").await?;
        ensure!(log.body.contains(r#""memory":"64M""#), "{log:?}");
        app.logs_say("Starting php-fpm with 8 workers").await?;
        Ok(())
    })
}

/// A lockfile of no packages.
const LOCK: &str = r#"{
    "content-hash": "0", "packages": [], "packages-dev": [], "aliases": [], "minimum-stability": "stable",
    "stability-flags": {}, "prefer-stable": false, "prefer-lowest": false, "platform": {}, "platform-dev": {}
}"#;

/// What a user can get wrong. There is one lockfile, so none that could contradict it.
pub(crate) fn mistakes(server: &Server) -> Result<()> {
    let requires = |more: &str| {
        format!(
            "{{\"require\": {{\"ext-bcmath\": \"*\"{more}}}, \"repositories\": [{{\"packagist.org\": false}}]}}"
        )
    };
    let lock = ("composer.lock", LOCK);
    refused(
        server,
        "php",
        &[
            ("not-json", &[("composer.json", "{ require: {} }")]),
            ("no-lockfile", &[("composer.json", &requires(""))]),
            ("unknown-version", &[("composer.json", &requires(r#", "php": "~8.2.0""#)), lock]),
            (
                "unknown-extension",
                &[("composer.json", &requires(r#", "ext-imap": "*", "ext-gd": "*""#)), lock],
            ),
            ("outdated-lockfile", &[("composer.json", &requires(r#", "slim/slim": "^4""#)), lock]),
            (
                "failing-compile",
                &[
                    (
                        "composer.json",
                        r#"{"require": {"ext-bcmath": "*"}, "scripts": {"compile": "echo broken; exit 3"}}"#,
                    ),
                    lock,
                ],
            ),
        ],
    )
}
