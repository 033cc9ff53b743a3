//! Which Ruby: what the app asks for, held against what the stack has.

use super::app::{App, Asked};
use super::words::RubyError;
use crate::languages::constraint;
use crate::output::Output;
use crate::stack::{Runtime, Stack};

/// The version that a build uses.
#[derive(Clone, Debug)]
pub(super) struct Version {
    pub(super) runtime: Runtime,
    asked: Option<Asked>,
}

impl Version {
    /// Decides. What a Gemfile asks for to the last digit is checked by `version.rb`.
    pub(super) fn resolve(app: &App, stack: &Stack) -> Result<Self, RubyError> {
        let mut runtimes = stack.runtimes("ruby");
        let found = match &app.asked {
            None => runtimes.next(),
            Some(asked) => {
                // Of what a lockfile or version file names, the series counts.
                let series = || asked.text.splitn(3, '.').take(2).collect::<Vec<_>>().join(".");
                let wanted = if asked.file == "Gemfile" { asked.text.clone() } else { series() };
                constraint::allows(&wanted, "3.0").ok_or_else(|| RubyError::BadVersion(asked.clone()))?;
                runtimes.find(|runtime| constraint::allows(&wanted, &runtime.version) == Some(true))
            }
        };
        found.cloned().map(|runtime| Self { runtime, asked: app.asked.clone() }).ok_or_else(|| {
            RubyError::NoVersion {
                asked: app.asked.clone(),
                stack: stack.name.clone(),
                offered: stack.runtimes("ruby").map(|runtime| runtime.version.clone()).collect(),
            }
        })
    }

    /// Tells the user.
    pub(super) async fn tell(&self, output: &Output) {
        let version = &self.runtime.version;
        let why = match &self.asked {
            Some(Asked { text, file }) => format!(" ({file} asks for {text})"),
            None => String::new(),
        };
        output.heading(format!("Using Ruby version: ruby-{version}{why}")).await;
    }
}
