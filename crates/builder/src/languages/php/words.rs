//! What users read about PHP apps that cannot be built.

use crate::errors::{Explain, Words};
use crate::languages::words::{above, copying, unreadable};

/// Why a PHP app cannot be built.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PhpError {
    #[error("{file} cannot be read: {why}")]
    Unreadable { file: String, why: String },
    #[error("{file} is not valid: {why}")]
    NotJson { file: String, why: String },
    #[error("there is no {lockfile}")]
    NoLockfile { file: String, lockfile: String },
    #[error("{0} names no place inside the app")]
    Outside(&'static str),
    #[error("{asked:?} in {file} is no version constraint")]
    BadConstraint { file: String, asked: String },
    #[error("there is no PHP {asked:?} on the stack {stack}")]
    NoVersion { file: String, asked: Option<String>, stack: String, offered: Vec<String> },
    #[error("there are no extensions {missing:?}")]
    NoExtension { missing: Vec<(String, String)>, offered: Vec<&'static str> },
    /// A step of the program in the container.
    #[error("the step {step} failed with status {status}")]
    Step { step: String, status: i32 },
}

/// What works now and may cause trouble.
pub(super) mod warn {
    use crate::output::Output;

    /// An app that is recognised by its index.php.
    pub(in super::super) async fn no_manifest(file: &str, output: &Output) {
        output
            .warning(format!(
                "No {file} was found, only an index.php.\nWithout it there is no say in the version of PHP and its extensions. An empty one is {{}}."
            ))
            .await;
    }

    /// Packages in the repository.
    pub(in super::super) async fn packages(vendor: &str, output: &Output) {
        output
            .warning(format!(
                "Composer's directory {vendor} is checked into source control.\nComposer installs it in the build, and what is installed is kept only without it there.\nRun `git rm -r --cached {vendor}` and add /{vendor} to .gitignore."
            ))
            .await;
    }
}

impl Explain for PhpError {
    fn words(&self) -> Words {
        match self {
            Self::Unreadable { file, why } => unreadable(file, why),
            Self::NotJson { file, why } => Words::new(
                format!("Basic validation for '{file}' failed!"),
                format!("It is not a valid JSON document: {why}."),
                if file.strip_suffix(".lock").is_some() {
                    "A conflict of a merge may not have been resolved. Run `composer update --lock` and commit it."
                } else {
                    "Correct it; `composer validate` tells more."
                },
            ),
            Self::NoLockfile { file, lockfile } => Words::new(
                format!("No '{lockfile}' found!"),
                format!(
                    "{file} requires something, and {lockfile} says which version of it every build installs."
                ),
                format!(
                    "Run `composer update`, see that .gitignore does not name {lockfile}, and commit it."
                ),
            ),
            Self::Outside(setting) => Words::new(
                format!("{setting} of this app cannot be used."),
                "It leads out of the app, or has letters that paths do not have.",
                "Name a path from the root of the repository.",
            ),
            Self::BadConstraint { file, asked } => Words::new(
                format!("The version of PHP in {file} is not a version constraint."),
                format!("{asked:?} is not of the form that Composer takes."),
                "Write for example \"^8.4\".",
            ),
            Self::NoVersion { file, asked, stack, offered } => Words::new(
                match asked {
                    Some(asked) => format!("PHP {asked}, which {file} asks for, cannot be had."),
                    None => "There is no PHP.".to_owned(),
                },
                format!("The stack {stack} has PHP {}.", offered.join(", ")),
                format!(
                    "Require one of these as \"php\" in {file}, run `composer update` and commit both files."
                ),
            ),
            Self::NoExtension { missing, offered } => Words::new(
                "Extensions of PHP that this app needs cannot be had.",
                missing
                    .iter()
                    .map(|(name, by)| format!("ext-{name}, which {by} requires, is not a part of Debian."))
                    .collect::<Vec<_>>()
                    .join("\n"),
                format!("Do without, or require one of these:\n{}.", wrapped(offered)),
            ),
            Self::Step { step, status } => step_words(step, *status),
        }
    }
}

/// A list in lines that are not too long.
fn wrapped(words: &[&str]) -> String {
    let mut lines = vec![String::new()];
    for (index, word) in words.iter().enumerate() {
        if lines.last().is_some_and(|line| line.len() + word.len() > 88) {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
            line.push_str(if index + 1 < words.len() { "," } else { "" });
        }
    }
    lines.join("\n")
}

fn step_words(step: &str, status: i32) -> Words {
    let above = above(status);
    match step {
        "install" => Words::new(
            "Dependency installation failed!",
            above,
            "Run `composer install --no-dev` in a fresh clone of the repository. If composer.lock is out of date,\nrun `composer update` and commit it. Private packages need COMPOSER_AUTH or\nCOMPOSER_GITHUB_OAUTH_TOKEN.",
        ),
        "compile" => Words::new(
            "Compile step failed!",
            above,
            "Check what the script `compile` in composer.json does.",
        ),
        _ => copying(status),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::errors::tests::told;
    use crate::languages::php::{extensions, failed};

    #[tokio::test]
    async fn every_failure_tells_what_to_do() {
        let steps = ["install", "compile", "pack"];
        let steps = steps.map(|step| PhpError::Step { step: step.into(), status: 2 });
        let file = || "composer.json".to_owned();
        let offered = || vec!["8.4".to_owned()];
        let others = [
            PhpError::Unreadable { file: file(), why: "it is not a regular file".into() },
            PhpError::NotJson { file: file(), why: "trailing comma at line 3 column 1".into() },
            PhpError::NotJson {
                file: "composer.lock".into(),
                why: "expected value at line 1 column 1".into(),
            },
            PhpError::NoLockfile { file: file(), lockfile: "composer.lock".into() },
            PhpError::Outside("config.vendor-dir"),
            PhpError::BadConstraint { file: file(), asked: "eight".into() },
            PhpError::NoVersion {
                file: file(),
                asked: Some("~8.2.0".into()),
                stack: "kigo-13".into(),
                offered: offered(),
            },
            PhpError::NoVersion { file: file(), asked: None, stack: "kigo-13".into(), offered: Vec::new() },
            PhpError::NoExtension {
                missing: vec![("imap".into(), "composer.json".into()), ("swoole".into(), "a/b".into())],
                offered: extensions::offered(),
            },
        ];
        insta::assert_snapshot!(told(others.into_iter().chain(steps).map(failed)).await);
    }
}
