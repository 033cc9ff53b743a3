//! What users of every language on the JVM read.

use crate::errors::{Explain, Words};
use crate::output::Output;

/// Why there is no Java for an app.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JvmError {
    #[error("{file} cannot be read: {why}")]
    Unreadable { file: &'static str, why: String },
    #[error("{0:?} is not a version of Java")]
    BadVersion(String),
    #[error("there is no Java {asked:?} on the stack {stack}")]
    NoVersion { asked: Option<String>, stack: String, offered: Vec<String> },
}

impl Explain for JvmError {
    fn words(&self) -> Words {
        match self {
            Self::Unreadable { file, why } => Words::new(
                format!("{file} of this app could not be read."),
                why,
                "Make it a regular file of Java properties: one `name=value` a line.",
            ),
            Self::BadVersion(asked) => Words::new(
                format!("Unsupported Java version: {asked}"),
                "The java.runtime.version in system.properties is not a version of OpenJDK.",
                "Write a line with the major version, for example java.runtime.version=21.",
            ),
            Self::NoVersion { asked, stack, offered } => Words::new(
                match asked {
                    Some(asked) => format!("Unsupported Java version: {asked}"),
                    None => "There is no Java.".to_owned(),
                },
                match offered.as_slice() {
                    [] => format!("The stack {stack} has no OpenJDK."),
                    offered => format!("The stack {stack} has OpenJDK {}.", offered.join(", ")),
                },
                "Ask for one of these in system.properties, for example java.runtime.version=21.",
            ),
        }
    }
}

/// What is likely to cause trouble.
#[derive(Debug)]
pub(super) enum Warning {
    NoVersion { used: String },
    Overlay,
}

/// Tells the user.
pub(super) async fn warn(warning: &Warning, output: &Output) {
    let text = match warning {
        Warning::NoVersion { used } => format!(
            "Warning: No OpenJDK version specified\n\n\
             This app does not say which version of OpenJDK it needs. The latest one with\n\
             long-term support is used, which currently is OpenJDK {used}. That changes with\n\
             the stack, and the app may then fail to build.\n\n\
             To choose a version, add a file system.properties with the line:\n\
             java.runtime.version={used}"
        ),
        Warning::Overlay => "Warning: .jdk-overlay has no effect\n\n\
             OpenJDK is a part of the stack here, shared by all apps, and cannot be changed by\n\
             one of them. Certificates: put a key store into the app and name it with\n\
             `heroku config:set JAVA_TOOL_OPTIONS=-Djavax.net.ssl.trustStore=/app/...`."
            .to_owned(),
    };
    caution(text, output).await;
}

/// Prints a warning, set apart from what is around it.
pub(crate) async fn caution(text: impl AsRef<str>, output: &Output) {
    output.line("").await;
    output.warning(text).await;
    output.line("").await;
}

/// About a version that is newer than what was asked for, or by somebody else.
pub(super) fn other_than_asked(asked: &str, used: &str) -> String {
    format!("(system.properties asks for {asked}; the stack has Debian's newest update of {used})")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BuildError;
    use crate::errors::tests::{text, told};

    #[tokio::test]
    async fn every_failure_and_warning_tells_what_to_do() {
        let failures = [
            JvmError::Unreadable { file: "system.properties", why: "It is too long.".into() },
            JvmError::BadVersion("latest".into()),
            JvmError::NoVersion {
                asked: Some("1.8".into()),
                stack: "kigo-13".into(),
                offered: vec!["25".into(), "21".into()],
            },
            JvmError::NoVersion { asked: None, stack: "kigo-14".into(), offered: Vec::new() },
        ];
        let failures = told(failures.map(BuildError::of("Java"))).await;
        let (sender, lines) = tokio::sync::mpsc::channel(64);
        let output = Output::new(sender);
        for warning in [Warning::NoVersion { used: "25".into() }, Warning::Overlay] {
            warn(&warning, &output).await;
        }
        output.detail(other_than_asked("zulu-21.0.4", "21")).await;
        drop(output);
        insta::assert_snapshot!(format!("{failures}\n{}", text(lines).await));
    }
}
