//! Which Rust: what an app asks for, held against what the stack has and what rustup could fetch.

use super::app::{App, Asked};
use super::words::RustError;
use crate::stack::{Runtime, Stack};
use std::fmt;

/// What names a toolchain, without the machine that it runs on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Channel {
    Stable,
    /// `beta` or `nightly`, possibly of a day.
    Unstable(String),
    /// The first two numbers, and the third if it was said.
    Number(u32, u32, Option<u32>),
}

/// Where the toolchain of a build comes from.
#[derive(Clone, Debug)]
pub(super) enum Source {
    Debian(Runtime),
    Rustup(Channel),
}

/// The toolchain that a build uses.
#[derive(Clone, Debug)]
pub(super) struct Version {
    pub(super) source: Source,
    pub(super) asked: Option<Asked>,
}

impl Channel {
    fn parse(name: &str) -> Option<Self> {
        let architecture = format!("-{}-unknown-linux-gnu", std::env::consts::ARCH);
        let name = name.strip_suffix(architecture.as_str()).unwrap_or(name);
        if name == "stable" {
            return Some(Self::Stable);
        }
        let unstable = |channel: &str| {
            let day = name.strip_prefix(channel)?;
            let is_day = |day: &str| day.len() == 10 && day.bytes().all(|b| b.is_ascii_digit() || b == b'-');
            (day.is_empty() || day.strip_prefix('-').is_some_and(is_day))
                .then(|| Self::Unstable(name.to_owned()))
        };
        unstable("nightly").or_else(|| unstable("beta")).or_else(|| {
            let (major, minor, patch) = numbers(name)?;
            Some(Self::Number(major, minor, patch))
        })
    }

    /// Whether the same name means something else another day.
    pub(super) fn moves(&self) -> bool {
        match self {
            Self::Stable => true,
            Self::Unstable(name) => !name.contains('-'),
            Self::Number(_, _, patch) => patch.is_none(),
        }
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stable => f.write_str("stable"),
            Self::Unstable(name) => f.write_str(name),
            Self::Number(major, minor, None) => write!(f, "{major}.{minor}"),
            Self::Number(major, minor, Some(patch)) => write!(f, "{major}.{minor}.{patch}"),
        }
    }
}

impl Version {
    /// Decides. Of what an app asks for by number the first two count: Debian's releases have
    /// corrections of their own.
    pub(super) fn resolve(app: &App, stack: &Stack) -> Result<Self, RustError> {
        let channel = match &app.asked {
            None => Channel::Stable,
            Some(asked) => {
                Channel::parse(&asked.name).ok_or_else(|| RustError::BadToolchain(asked.clone()))?
            }
        };
        let least = app.rust_version.as_deref().and_then(numbers);
        let fits = |runtime: &&Runtime| match (numbers(&runtime.version), &channel) {
            (Some((major, minor, _)), Channel::Number(wanted_major, wanted_minor, _)) => {
                (major, minor) == (*wanted_major, *wanted_minor)
            }
            (Some((major, minor, _)), Channel::Stable) => {
                least.is_none_or(|(least_major, least_minor, _)| (major, minor) >= (least_major, least_minor))
            }
            _ => false,
        };
        // Debian has libraries for its own machine alone.
        let other = |target: &String| *target != format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
        let needs_rustup = app.targets.iter().any(other);
        let runtime = stack.runtimes("rust").find(fits).filter(|_| !needs_rustup);
        let source = runtime.cloned().map_or(Source::Rustup(channel), Source::Debian);
        Ok(Self { source, asked: app.asked.clone() })
    }

    /// The first two numbers, if the app asked for some, that Debian's Rust has to have: what a
    /// suite has may have moved on.
    pub(super) fn wanted(&self) -> Option<String> {
        let asked = self.asked.as_ref().and_then(|asked| Channel::parse(&asked.name))?;
        match asked {
            Channel::Number(major, minor, _) => Some(format!("{major}.{minor}")),
            _ => None,
        }
    }
}

/// `1.85` or `1.85.0`.
fn numbers(text: &str) -> Option<(u32, u32, Option<u32>)> {
    let numbers: Vec<u32> = text.split('.').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    match numbers.as_slice() {
        [major, minor] => Some((*major, *minor, None)),
        [major, minor, patch] => Some((*major, *minor, Some(*patch))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::Digest;

    fn stack() -> Stack {
        let runtime = |version: &str| Runtime {
            language: "rust".into(),
            version: version.into(),
            build: Vec::new(),
            run: Vec::new(),
        };
        Stack {
            name: "kigo-13".into(),
            run: Digest::from_bytes([0; 32]),
            build: Digest::from_bytes([1; 32]),
            classic_alias: String::new(),
            runtimes: vec![runtime("1.96"), runtime("1.85")],
        }
    }

    fn resolved(asked: &str, rust_version: &str, target: &str) -> Result<String, RustError> {
        let said = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let app = App {
            asked: said(asked).map(|name| Asked { name, origin: "rust-toolchain.toml" }),
            rust_version: said(rust_version),
            targets: said(target).into_iter().collect(),
            ..App::default()
        };
        Ok(match Version::resolve(&app, &stack())?.source {
            Source::Debian(runtime) => format!("Debian {}", runtime.version),
            Source::Rustup(channel) => format!("rustup {channel}"),
        })
    }

    #[test]
    fn debian_s_where_it_will_do() {
        let host = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
        for (asked, rust_version, target, expected) in [
            ("", "", "", "Debian 1.96"),
            ("stable", "", "", "Debian 1.96"),
            (format!("stable-{host}").as_str(), "", "", "Debian 1.96"),
            ("1.85", "", "", "Debian 1.85"),
            ("1.85.0", "", host.as_str(), "Debian 1.85"),
            ("", "1.90", "", "Debian 1.96"),
            ("", "1.99", "", "rustup stable"),
            ("1.90.0", "", "", "rustup 1.90.0"),
            ("1.90", "", "", "rustup 1.90"),
            ("stable", "", "wasm32-unknown-unknown", "rustup stable"),
            ("1.85", "", "wasm32-unknown-unknown", "rustup 1.85"),
            ("beta", "", "", "rustup beta"),
            ("nightly", "", "", "rustup nightly"),
            ("nightly-2026-01-02", "", "", "rustup nightly-2026-01-02"),
        ] {
            assert_eq!(resolved(asked, rust_version, target).unwrap(), expected, "{asked} {rust_version}");
        }
        for asked in ["mine", "1", "1.x", "nightly-yesterday", "stable; id", "1.85.0-x86_64-pc-windows-msvc"]
        {
            assert!(matches!(resolved(asked, "", ""), Err(RustError::BadToolchain(_))), "{asked}");
        }
    }

    #[test]
    fn some_names_mean_something_else_another_day() {
        for (name, moves) in [
            ("stable", true),
            ("nightly", true),
            ("nightly-2026-01-02", false),
            ("1.90", true),
            ("1.90.0", false),
        ] {
            assert_eq!(Channel::parse(name).unwrap().moves(), moves, "{name}");
        }
    }
}
