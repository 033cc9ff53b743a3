//! Which Java: what the app asks for, held against what the stack has.

use super::words::{self, JvmError, Warning};
use crate::output::Output;
use crate::stack::{Runtime, Stack};

/// Makers whose builds of OpenJDK are asked for on Heroku. A stack has Debian's, of the same
/// sources.
const MAKERS: [&str; 3] = ["zulu-", "openjdk-", "heroku-"];

/// The version that a build uses.
#[derive(Clone, Debug)]
pub(super) struct Version {
    pub(super) runtime: Runtime,
    asked: Option<String>,
}

impl Version {
    /// Decides. The first that the stack names is the latest with long-term support.
    pub(super) fn resolve(asked: Option<&str>, stack: &Stack) -> Result<Self, JvmError> {
        let mut runtimes = stack.runtimes("java");
        let found = match asked {
            None => runtimes.next(),
            Some(asked) => {
                let wanted = major(asked).ok_or_else(|| JvmError::BadVersion(asked.to_owned()))?;
                runtimes.find(|runtime| runtime.version == wanted)
            }
        };
        match found {
            Some(runtime) => Ok(Self { runtime: runtime.clone(), asked: asked.map(str::to_owned) }),
            None => Err(JvmError::NoVersion {
                asked: asked.map(str::to_owned),
                stack: stack.name.clone(),
                offered: stack.runtimes("java").map(|runtime| runtime.version.clone()).collect(),
            }),
        }
    }

    /// Tells the user.
    pub(super) async fn tell(&self, output: &Output) {
        let version = &self.runtime.version;
        if self.asked.is_none() {
            words::warn(&Warning::NoVersion { used: version.clone() }, output).await;
        }
        output.heading(format!("Installing OpenJDK {version}")).await;
        if let Some(asked) = self.asked.as_ref().filter(|asked| *asked != version) {
            output.detail(words::other_than_asked(asked, version)).await;
        }
    }
}

/// `21` of `21`, `21.0.4`, `zulu-21` or `21-ea`; `8` of `1.8.0_400`.
fn major(asked: &str) -> Option<String> {
    let version = MAKERS.iter().find_map(|maker| asked.strip_prefix(maker)).unwrap_or(asked);
    let version = version.strip_prefix("1.").unwrap_or(version);
    let digits = version.find(|c: char| !c.is_ascii_digit()).unwrap_or(version.len());
    let (major, rest) = version.split_at(digits);
    let is_version = !major.is_empty() && (rest.is_empty() || rest.starts_with(['.', '-', '_', '+', 'u']));
    is_version.then(|| major.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_version_the_first_number_counts() {
        for (asked, expected) in [
            ("21", Some("21")),
            ("21.0.4", Some("21")),
            ("zulu-21.0.4", Some("21")),
            ("openjdk-25", Some("25")),
            ("1.8", Some("8")),
            ("1.8.0_402", Some("8")),
            ("8u402", Some("8")),
            ("25-ea", Some("25")),
            ("latest", None),
            ("graalvm-21", None),
            ("21x", None),
            ("zulu-", None),
            ("", None),
        ] {
            assert_eq!(major(asked).as_deref(), expected, "{asked}");
        }
    }
}
