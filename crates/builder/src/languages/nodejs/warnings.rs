//! What users read about Node.js apps that can be built and may yet cause trouble.

use super::app::Asked;
use super::manager::Manager;
use super::ranges::{Ended, LONG_TERM};
use crate::output::Output;

/// Something that works now and may not always, or not as one thinks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Warning {
    NoNodeVersion,
    WideRange(String),
    LimitedRange { range: String, version: String },
    EndOfLife { version: String, end: Ended },
    NoLockfile(&'static Manager),
    NoManagerVersion(&'static Manager),
    InstalledModules,
    OtherRelease { wanted: Asked, release: String },
    IgnoredFiles(Vec<&'static str>),
    NoStart,
}

impl Warning {
    /// Tells it.
    pub(super) async fn tell(&self, output: &Output) {
        output.warning(self.words()).await;
        output.line("").await;
    }

    fn words(&self) -> String {
        match self {
            Self::NoNodeVersion => format!(
                "Node version not specified in package.json\n\
                 Say which one the app needs, for example: \"engines\": {{ \"node\": \"{LONG_TERM}\" }}"
            ),
            Self::WideRange(range) => format!(
                "The requested Node.js version is a wide range ({range})\n\
                 A new major version may come by itself and break the app. Name one, such as {LONG_TERM}."
            ),
            Self::LimitedRange { range, version } => format!(
                "The requested Node.js version is a wide range ({range})\n\
                 The newest version of the long-term support line that fits is used, {version}. Name one major\n\
                 version, such as {LONG_TERM}, or allow all with the config var NODEJS_ALLOW_WIDE_RANGE=true."
            ),
            Self::EndOfLife { version, end } => {
                let since = match end {
                    Ended::On(date) => format!("since {date}"),
                    Ended::LongAgo => "for years".to_owned(),
                };
                format!(
                    "Node.js {version} has reached its end of life\n\
                     It has had no security fixes {since}. Ask for a newer one, such as {LONG_TERM}."
                )
            }
            Self::NoLockfile(manager) => {
                let lockfile = manager.lockfiles.first().copied().unwrap_or_default();
                format!(
                    "No {lockfile} was found\n\
                     Every build may install other versions of the dependencies, and nothing of them is\n\
                     kept from one build to the next. Run `{}` and commit {lockfile}.",
                    manager.lock_command,
                )
            }
            Self::NoManagerVersion(manager) => format!(
                "{} version not specified in package.json\n\
                 The newest that reads the lockfile is used, which changes. Name one as packageManager or as\n\
                 engines.{}.",
                manager.label, manager.command,
            ),
            Self::InstalledModules => "node_modules is checked into source control\n\
                 Packages with programs for another system may not work. Add node_modules to .gitignore."
                .to_owned(),
            Self::OtherRelease { wanted, release } => format!(
                "{} asks for Yarn {}, and {release} is used\n\
                 That release is checked in and named as Yarn's path. Keep one of the two.",
                wanted.place, wanted.text,
            ),
            Self::IgnoredFiles(files) => format!(
                "Settings of this app are not read: {}\n\
                 Yarn 2 and later read .yarnrc.yml only.",
                files.join(", "),
            ),
            Self::NoStart => "This app may not specify any way to start a node process\n\
                 It has no Procfile, no script `start` and no server.js."
                .to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::languages::nodejs::managers::{npm, pnpm};
    use jiff::civil::date;

    #[tokio::test]
    async fn every_warning_tells_what_it_is_about() {
        let (sender, mut lines) = tokio::sync::mpsc::channel(100);
        let output = Output::new(sender);
        for warning in [
            Warning::NoNodeVersion,
            Warning::WideRange(">=26".into()),
            Warning::LimitedRange { range: ">=18".into(), version: "24.21.0".into() },
            Warning::EndOfLife { version: "20.20.2".into(), end: Ended::On(date(2026, 4, 30)) },
            Warning::EndOfLife { version: "8.17.0".into(), end: Ended::LongAgo },
            Warning::NoLockfile(&npm::MANAGER),
            Warning::NoManagerVersion(&pnpm::MANAGER),
            Warning::InstalledModules,
            Warning::OtherRelease {
                wanted: Asked { text: "4.5.0".into(), place: "packageManager".into() },
                release: ".yarn/releases/yarn-4.4.0.cjs".into(),
            },
            Warning::IgnoredFiles(vec![".npmrc", ".yarnrc"]),
            Warning::NoStart,
        ] {
            warning.tell(&output).await;
        }
        drop(output);
        let mut text = String::new();
        while let Some(line) = lines.recv().await {
            text.extend([line.as_str(), "\n"]);
        }
        insta::assert_snapshot!(text);
    }
}
