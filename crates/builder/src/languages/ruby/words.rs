//! What users read about Ruby apps that cannot be built.

use super::app::Asked;
use crate::errors::{Explain, Words};
use crate::languages::words::{above, copying, unreadable};

/// Why a Ruby app cannot be built.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RubyError {
    #[error("{file} cannot be read: {why}")]
    Unreadable { file: &'static str, why: String },
    #[error("there is no Gemfile.lock")]
    NoLockfile,
    #[error("{:?} in {} is not a version", .0.text, .0.file)]
    BadVersion(Asked),
    #[error("there is no Ruby {asked:?} on the stack {stack}")]
    NoVersion { asked: Option<Asked>, stack: String, offered: Vec<String> },
    #[error("the Gemfile asks for Ruby {asked} and there is {there}")]
    OtherPatch { asked: String, there: String },
    /// A step of the program in the container.
    #[error("the step {step} failed with status {status}")]
    Step { step: String, status: i32 },
}

/// What works now and may cause trouble.
pub(super) mod warn {
    use crate::output::Output;

    /// No version of Ruby is named.
    pub(in super::super) async fn no_version(output: &Output) {
        output
            .warning("You have not declared a Ruby version in your Gemfile.\nThe default changes with the stack. To declare one, add a line such as: ruby \"~> 3.3.0\"")
            .await;
    }

    /// Installed gems in the repository.
    pub(in super::super) async fn bundle(output: &Output) {
        output
            .warning("Removing `vendor/bundle`.\nChecking in `vendor/bundle` is not supported. Add it to .gitignore. To vendor gems, use\n`bundle cache` instead, which puts them into vendor/cache.")
            .await;
    }

    /// Somebody's own settings in the repository.
    pub(in super::super) async fn bundle_config(output: &Output) {
        output
            .warning("You have the `.bundle/config` file checked into your repository.\nIt has settings of one checkout, which builds should not share. Add .bundle to .gitignore.")
            .await;
    }
}

impl Explain for RubyError {
    fn words(&self) -> Words {
        match self {
            Self::Unreadable { file, why } => unreadable(file, why),
            Self::NoLockfile => Words::new(
                "Gemfile.lock required. Please check it in.",
                "It says which version of each gem is used, so that every build uses the same.",
                "Run `bundle lock --add-platform x86_64-linux`, see that .gitignore does not name Gemfile.lock, and\ncommit it.",
            ),
            Self::BadVersion(Asked { text, file }) => Words::new(
                format!("The Ruby version in {file} is not a version."),
                format!(
                    "{text:?} is not one that can be understood here. Only the standard Ruby can be had."
                ),
                "Write for example \"~> 3.3.0\" in the Gemfile.",
            ),
            Self::NoVersion { asked, stack, offered } => Words::new(
                match asked {
                    Some(Asked { text, file }) => {
                        format!("Ruby {text}, which {file} asks for, cannot be had.")
                    }
                    None => "There is no Ruby.".to_owned(),
                },
                format!("The stack {stack} has Ruby {}.", offered.join(", ")),
                match offered.first() {
                    Some(version) => format!(
                        "Write `ruby \"~> {version}.0\"` in the Gemfile, run `bundle update --ruby`, and commit both files."
                    ),
                    None => "Choose another stack with `heroku stack:set`.".to_owned(),
                },
            ),
            Self::OtherPatch { asked, there } => Words::new(
                format!("Ruby {asked}, which the Gemfile asks for, cannot be had."),
                format!("There is Ruby {there}, which is Debian's and is updated with security fixes."),
                format!(
                    "Write `ruby \"~> {}.0\"` in the Gemfile, run `bundle update --ruby`, and commit both files.",
                    there.splitn(3, '.').take(2).collect::<Vec<_>>().join(".")
                ),
            ),
            Self::Step { step, status } => step_words(step, *status),
        }
    }
}

fn step_words(step: &str, status: i32) -> Words {
    let above = above(status);
    match step {
        "version" => Words::new(
            "The Gemfile of this app could not be read by Bundler.",
            above,
            "Run `bundle check` in a fresh clone of the repository.",
        ),
        "install" => Words::new(
            "Failed to install gems via Bundler.",
            above,
            "Run `bundle install` in a fresh clone of the repository and commit Gemfile.lock. If only another\nsystem is listed in its PLATFORMS: `bundle lock --add-platform x86_64-linux`. If a source could not be\nreached, check its address; a private one needs a config var, for example BUNDLE_GEMS__EXAMPLE__COM.",
        ),
        "tasks" => Words::new(
            "Could not detect rake tasks.",
            above,
            "See that `bundle exec rake -P` runs with the production group of the Gemfile, and without what\nonly dynos have.",
        ),
        "assets" => Words::new(
            "Precompiling assets failed.",
            above,
            "Run `RAILS_ENV=production bundle exec rake assets:precompile` in a fresh clone of the repository. If\nit needs Node.js: `heroku buildpacks:add --index 1 heroku/nodejs`.",
        ),
        _ => copying(status),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::errors::tests::told;
    use crate::languages::ruby::failed;

    #[tokio::test]
    async fn every_failure_tells_what_to_do() {
        let steps = ["version", "install", "tasks", "assets", "pack"];
        let steps = steps.map(|step| RubyError::Step { step: step.into(), status: 1 });
        let asked = |text: &str, file| Asked { text: text.into(), file };
        let others = [
            RubyError::Unreadable { file: "Gemfile", why: "it is not a regular file".into() },
            RubyError::NoLockfile,
            RubyError::BadVersion(asked("jruby-9.4", ".ruby-version")),
            RubyError::NoVersion {
                asked: Some(asked("3.4.1", "Gemfile")),
                stack: "kigo-13".into(),
                offered: vec!["3.3".into()],
            },
            RubyError::NoVersion { asked: None, stack: "kigo-13".into(), offered: Vec::new() },
            RubyError::OtherPatch { asked: "3.3.6".into(), there: "3.3.14".into() },
        ];
        insta::assert_snapshot!(told(others.into_iter().chain(steps).map(failed)).await);
    }
}
