//! A realistic app of each language, pushed, served, looked into and pushed again; and what its
//! users read when it cannot be built. The output of a push is a snapshot: all that a user sees.

pub(crate) mod go;
pub(crate) mod gradle;
pub(crate) mod java;
pub(crate) mod nodejs;
pub(crate) mod php;
pub(crate) mod python;
pub(crate) mod ruby;
pub(crate) mod rust;
pub(crate) mod scala;
pub(crate) mod site;

use anyhow::Result;
use e2e::{App, Output, Server};

/// Lines that only the first builds of a platform have, whichever those are.
const ONCE: [&str; 5] = [
    "Preparing the stack",
    "Installing packages of Debian:",
    "Downloading and installing",
    "once for all apps",
    "Waiting for another build, which installs",
];

/// Headings of steps that do several things at once, so that their lines come in any order.
const ANY_ORDER: [&str; 5] = [
    "Determining packages to install",
    "Running: go install",
    "Running: cargo build",
    "Installing dependencies using bundler",
    "Preparing app for Rails asset pipeline",
];

/// Lines of which there are more or fewer, as the network is.
const PROGRESS: &str = "Progress: resolved ";

/// What differs from one run to the next, and what stands for it.
const VARIES: [(&str, &str); 12] = [
    (r"(?:Installing|Using cached) (pip|uv|Poetry|Pipenv) [\d.]+", "Installing $1 [version]"),
    (r"\bgo\d+\.\d+\.\d+", "go[version]"),
    (r"└ Completed in .*", "└ Completed"),
    (r"localhost:\d+", "localhost"),
    (r"/tmp/build_[0-9a-f]{8}", "/tmp/build_[app]"),
    (r"Total time: .*", "Total time: [time]"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "[time]"),
    (r"\b[0-9a-f]{40}\b", "[commit]"),
    (r"\[\d{4}-\d\d-\d\dT[\d:.]+ #\d+\]", "[time and process]"),
    (r"\b\d+\.\d+\.\d+[-.\w]*", "[version]"),
    (r"\b\d+(\.\d+)?[KMG]\b", "[size]"),
    (r"\b(\d+m )?\d+(\.\d+)? ?(ms|s|seconds)\b", "[time]"),
];

/// Compares all that a push printed with the snapshot `name`.
pub(crate) fn snapshot(name: &str, push: &Output) {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.set_snapshot_path("languages/snapshots");
    for (pattern, shown) in VARIES {
        settings.add_filter(pattern, shown);
    }
    settings.bind(|| insta::assert_snapshot!(name, told(push)));
}

/// The remote's lines, without what git adds and what only a first build says.
fn told(push: &Output) -> String {
    let lines = push.stderr.lines().filter_map(|line| line.strip_prefix("remote:"));
    let lines = lines.map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end());
    let mut stack = false;
    let kept = lines.filter(|line| {
        stack = (stack || line.contains(ONCE[0])) && !line.starts_with("-----> Building");
        !stack && !ONCE.iter().chain([&PROGRESS]).any(|words| line.contains(words))
    });
    let mut kept: Vec<&str> = kept.collect();
    // What a failing step says last is in order.
    let succeeded = push.code == 0;
    for step in kept.chunk_by_mut(|_, line| line.starts_with(' ')) {
        if succeeded
            && step.first().is_some_and(|heading| ANY_ORDER.iter().any(|words| heading.contains(words)))
        {
            step[1..].sort_unstable();
        }
    }
    kept.join("\n") + "\n"
}

/// An example, pushed for the first time.
pub(crate) fn first_push<'a>(server: &'a Server, example: &str) -> Result<App<'a>> {
    let app = App::example(server, &format!("{example}-app"), example)?;
    snapshot(example, &app.push()?.ok()?);
    Ok(app)
}

/// Pushes that are refused, each for what its files say, on one app. What is pushed is nothing but
/// the files.
pub(crate) fn refused(server: &Server, language: &str, cases: &[(&str, &[(&str, &str)])]) -> Result<()> {
    let app = App::create(server, &format!("{language}-refused"))?;
    for (name, files) in cases {
        app.git(&["rm", "-r", "--quiet", "--force", "--ignore-unmatch", "."])?.ok()?;
        files.iter().try_for_each(|(path, text)| app.write(path, text))?;
        app.commit(name)?;
        snapshot(&format!("{language}-{name}"), &app.push()?.fails()?);
    }
    Ok(())
}
