//! Rust: axum, with crates from crates.io.

use super::{refused, snapshot};
use crate::run;
use anyhow::{Result, ensure};
use e2e::{App, Server};

/// An axum app with a page that is compiled in.
pub(crate) fn axum(server: &Server) -> Result<()> {
    run(async {
        let app = App::example(server, "rust-axum-app", "rust-axum")?;
        // Machine code that is quick to make, by a config var that Cargo knows.
        app.heroku(&["config:set", "CARGO_PROFILE_RELEASE_OPT_LEVEL=0"])?.ok()?;
        snapshot("rust-axum", &app.push()?.ok()?);
        app.answers("Hello from Rust in web.1").await?;
        let health = app.get("/health").await?;
        ensure!(health.status == 200 && health.body.contains(r#""status":"ok""#), "{health:?}");
        app.heroku(&["run", "--no-tty", "--exit-code", "rust-axum version"])?
            .ok()?
            .says("rust-axum 1.0.0")?;
        // A compiler and crates are no part of the app, nor is what it was compiled into but the program.
        let absent =
            "! command -v rustc && ! ls -d /kigo-cache .cargo && [ $(ls target/release) = rust-axum ]";
        app.heroku(&["run", "--no-tty", "--exit-code", &format!("bash -c \"{absent}\"")])?.ok()?;

        let first = app.head()?;
        app.write("src/greeting.html", "<p>Goodbye from {dyno}</p>\n")?;
        app.commit("goodbye")?;
        let compiled = |line: &&str| line.contains("Compiling ");
        let push = app.push()?.ok()?.says("Compiling rust-axum")?;
        ensure!(push.stderr.lines().filter(compiled).count() == 1, "{}", push.stderr);
        serves(&app, "Goodbye from web.1").await?;
        // An older commit is not taken for what was compiled last.
        app.git(&["push", "--force", "heroku", &format!("{first}:refs/heads/main")])?.ok()?;
        serves(&app, "Hello from Rust in web.1").await
    })
}

async fn serves(app: &App<'_>, words: &str) -> Result<()> {
    e2e::until(words, async || match app.get("/").await {
        Ok(answer) if answer.body.contains(words) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await
}

/// What a user can get wrong.
pub(crate) fn mistakes(server: &Server) -> Result<()> {
    let manifest = ("Cargo.toml", "[package]\nname = \"refused\"\nversion = \"1.0.0\"\nedition = \"2024\"\n");
    let lock = ("Cargo.lock", "version = 4\n\n[[package]]\nname = \"refused\"\nversion = \"1.0.0\"\n");
    let toolchain = ("rust-toolchain", "1.85\n");
    let main = ("src/main.rs", "fn main() {\n    serve();\n}\n");
    let dependency = format!("{}\n[dependencies]\nitoa = \"1\"\n", manifest.1);
    refused(
        server,
        "rust",
        &[
            ("no-lockfile", &[manifest, main]),
            ("no-manifest", &[toolchain, main]),
            ("bad-manifest", &[("Cargo.toml", "[package]\nname = refused\n"), lock, main]),
            ("bad-toolchain", &[manifest, lock, main, ("rust-toolchain", "newest\n")]),
            ("failing-compile", &[manifest, lock, main, toolchain]),
            ("old-lockfile", &[("Cargo.toml", &dependency), lock, main, toolchain]),
        ],
    )?;
    unknown_version(server)?;
    unknown_crate(server)
}

/// What Cargo calls the registry, too.
fn unknown_crate(server: &Server) -> Result<()> {
    let app = App::create(server, "rust-unknown-crate")?;
    let name = "no-such-crate-of-anybody";
    app.write(
        "Cargo.toml",
        &format!("[package]\nname = \"unknown\"\nversion = \"1.0.0\"\n\n[dependencies]\n{name} = \"1\"\n"),
    )?;
    let source = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";
    app.write(
        "Cargo.lock",
        &format!(
            "version = 4\n\n[[package]]\nname = \"{name}\"\nversion = \"1.0.0\"\n{source}\n\n[[package]]\nname = \"unknown\"\nversion = \"1.0.0\"\ndependencies = [\n \"{name}\",\n]\n"
        ),
    )?;
    app.write("src/main.rs", "fn main() {}\n")?;
    app.commit("unknown crate")?;
    app.push()?
        .fails()?
        .says(&format!("no matching package named `{name}` found"))?
        .says("The app could not be compiled.")?
        .says("If Cargo.lock is out of")?;
    Ok(())
}

/// What rustup says differs from one machine to the next.
fn unknown_version(server: &Server) -> Result<()> {
    let app = App::create(server, "rust-unknown")?;
    app.write("Cargo.toml", "[package]\nname = \"unknown\"\nversion = \"1.0.0\"\n")?;
    app.write("Cargo.lock", "version = 4\n")?;
    app.write("rust-toolchain.toml", "[toolchain]\nchannel = \"1.0.99\"\n")?;
    app.commit("unknown")?;
    app.push()?
        .fails()?
        .says("Rust 1.0.99, which rust-toolchain.toml asks for, could not be installed.")?
        .says("is a part of Debian")?;
    Ok(())
}
