//! Builds against the bare package manager: what somebody would type who had the same files in the
//! same container.
//!
//! The bare commands are a buildpack of two lines that follows the language's own in another app. So
//! they run in a build container as well, with the same image, toolchain, limits and registries, and
//! tell themselves how long they took; starting the container and taking the app out of it is Kigo's
//! alone to pay for. What apps share (the stack's packages, a toolchain) is made before, and told apart.

mod languages;

use crate::figures::{median, ratio, say};
use crate::push::Push;
use anyhow::{Context, Result, ensure};
use e2e::{App, Output, Server, until};
use languages::{LANGUAGES, Language};
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

const ROUNDS: usize = 3;

/// The languages to measure, of [`LANGUAGES`]; all when it is not set.
const WANTED: &str = "KIGO_BENCH_LANGUAGES";

/// Seconds of each round.
#[derive(Default)]
struct Figures {
    /// The app's first build.
    cold: Vec<f64>,
    /// Changed code, the same lockfile.
    warm: Vec<f64>,
    /// The same files once more.
    same: Vec<f64>,
    bare_cold: Vec<f64>,
    bare_warm: Vec<f64>,
}

pub(crate) fn builds() -> Result<()> {
    let wanted = std::env::var(WANTED).unwrap_or_default();
    let wanted: Vec<&str> = wanted.split_whitespace().collect();
    let known = |name: &&str| LANGUAGES.iter().any(|language| language.name == *name);
    if let Some(unknown) = wanted.iter().find(|name| !known(name)) {
        anyhow::bail!("{WANTED} names {unknown}, which is none of those that are measured");
    }
    crate::block_on(async {
        let local = e2e::server::workspace().join("target/bench-buildpacks");
        let path = local.display().to_string();
        let server = Server::start("bench-builds", &[("KIGO_LOCAL_BUILDPACKS", &path)]).await?;
        say("builds, from `git push` until it returns, against the bare package manager (seconds)");
        say("            cold             +over bare   warm             +over bare   no change   first ever");
        for language in LANGUAGES {
            if wanted.is_empty() || wanted.contains(&language.name) {
                measure(&server, &local, language).await.context(language.name)?;
            }
        }
        say("aim: at most 15 % over the bare tool cold, at most 2 s warm");
        server.purge()?;
        fs::remove_dir_all(&local).context("removing the bare buildpacks")
    })
}

async fn measure(server: &Server, local: &Path, language: &Language) -> Result<()> {
    let name = language.name;
    let bare = bare_app(server, local, language)?;
    // Makes what all apps share.
    let first = Push::of(&bare)?.took;
    let mut figures = Figures::default();
    for round in 0..ROUNDS {
        let kigo_first = round % 2 == 0;
        for is_kigo in [kigo_first, !kigo_first] {
            if is_kigo {
                ours(&mut figures, server, language, &format!("{name}-{round}")).await?;
            } else {
                theirs(&mut figures, &bare)?;
            }
        }
    }
    remove(server, &bare.name).await?;
    report(language, &figures, first);
    Ok(())
}

/// A new app: its first build, one of changed code, one of nothing new.
async fn ours(figures: &mut Figures, server: &Server, language: &Language, name: &str) -> Result<()> {
    let app = example(server, language, name)?;
    figures.cold.push(Push::of(&app)?.took);
    stop(&app).await?;
    change(language, &app.checkout, &app.checkout)?;
    app.commit("change")?;
    figures.warm.push(Push::of(&app)?.took);
    app.commit("nothing new")?;
    figures.same.push(Push::of(&app)?.took);
    remove(server, name).await
}

/// Stops the app's dyno: it would take processor time from the builds to come.
async fn stop(app: &App<'_>) -> Result<()> {
    let path = format!("/apps/{}/formation/web", app.name);
    let (status, body) = app.server.api("PATCH", &path, Some(json!({ "quantity": 0 }))).await?;
    ensure!(status == 200, "{status} {body}");
    app.up(&[]).await
}

/// The bare commands once more, with nothing cached at first.
fn theirs(figures: &mut Figures, bare: &App<'_>) -> Result<()> {
    bare.commit("again")?;
    let push = Push::of(bare)?;
    let told = |what: &str| -> Result<f64> {
        let words = format!("bare {what} took ");
        let line = push.lines.iter().find_map(|(_, line)| line.split_once(&words));
        let (_, figure) = line.with_context(|| format!("no {words:?} in {:?}", push.lines))?;
        Ok(figure.split_whitespace().next().context("a figure")?.parse::<f64>()? / 1000.0)
    };
    figures.bare_cold.push(told("cold")?);
    figures.bare_warm.push(told("warm")?);
    Ok(())
}

fn example<'a>(server: &'a Server, language: &Language, name: &str) -> Result<App<'a>> {
    let app = App::example(server, name, language.example)?;
    for (file, text) in language.files {
        app.write(file, text)?;
    }
    app.commit("files")?;
    Ok(app)
}

/// An app whose builds run the bare commands after Kigo's own.
fn bare_app<'a>(server: &'a Server, local: &Path, language: &Language) -> Result<App<'a>> {
    let app = example(server, language, &format!("{}-bare", language.name))?;
    let buildpack = local.join(language.name);
    if buildpack.exists() {
        fs::remove_dir_all(&buildpack)?;
    }
    fs::create_dir_all(buildpack.join("bin"))?;
    let source = buildpack.join("app");
    Output::of(Command::new("git").args(["clone", "--quiet"]).arg(&app.checkout).arg(&source))?.ok()?;
    fs::remove_dir_all(source.join(".git"))?;
    change(language, &source, &buildpack.join("changed"))?;
    program(&buildpack.join("bin/detect"), "#!/bin/sh\necho Bare\n")?;
    program(&buildpack.join("bin/compile"), &language.bare_program())?;
    let list = [language.buildpack.to_owned(), format!("file://{}", buildpack.display())];
    let list = list.map(|url| json!({ "url": url }));
    app.write("app.json", &json!({ "buildpacks": list }).to_string())?;
    // It is built and never run.
    app.write("Procfile", "worker: true\n")?;
    app.commit("with the bare commands")?;
    Ok(app)
}

fn program(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text)?;
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(0o755))?)
}

/// Writes the file that a warm build finds changed, from the one tree into the other.
fn change(language: &Language, from: &Path, to: &Path) -> Result<()> {
    let (file, before, after) = language.change;
    let text = fs::read_to_string(from.join(file)).with_context(|| file.to_owned())?;
    ensure!(text.contains(before), "{file} says {before:?} no more");
    let path: PathBuf = to.join(file);
    fs::create_dir_all(path.parent().context("a folder")?)?;
    Ok(fs::write(path, text.replace(before, after))?)
}

async fn remove(server: &Server, name: &str) -> Result<()> {
    let (status, body) = server.api("DELETE", &format!("/apps/{name}"), None).await?;
    ensure!(status == 200, "{status} {body}");
    // Its containers are stopped, too, before something else is measured.
    until(&format!("{name} to be gone"), async || {
        match server.api("GET", &format!("/apps/{name}"), None).await {
            Ok((404, _)) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await
}

fn report(language: &Language, figures: &Figures, first: f64) {
    let Figures { cold, warm, same, bare_cold, bare_warm } = figures;
    let over: Vec<f64> = warm.iter().zip(bare_warm).map(|(ours, bare)| ours - bare).collect();
    let share = (ratio(cold, bare_cold) - 1.0) * 100.0;
    let share = if language.installs() { format!("{share:+.0} %") } else { "-".into() };
    say(&format!(
        "{:<10}  {:>5.1} / {:>5.1}    {:>10}   {:>5.1} / {:>5.1}    {:>8.1} s   {:>9.1}   {first:>10.1}",
        language.name,
        median(cold),
        median(bare_cold),
        share,
        median(warm),
        median(bare_warm),
        median(&over),
        median(same),
    ));
}
