//! Gemfile.lock, as far as it says which gems and which Ruby.

use std::collections::{BTreeMap, BTreeSet};

/// What a lockfile names.
#[derive(Clone, Debug, Default)]
pub(super) struct Lockfile {
    /// Versions of each gem, with platforms: `1.18.2-x86_64-linux-gnu`.
    gems: BTreeMap<String, BTreeSet<String>>,
    /// The Ruby that it was made with.
    pub(super) ruby: Option<String>,
}

impl Lockfile {
    /// Reads one. What it does not know, it passes over: Bundler reads the whole.
    pub(super) fn parse(text: &str) -> Self {
        let mut lockfile = Self::default();
        let mut section = "";
        for line in text.lines() {
            let indent = line.len() - line.trim_start().len();
            match (indent, section) {
                (0, _) if !line.is_empty() => section = line.trim_end(),
                (4, "GEM" | "PATH" | "GIT" | "PLUGIN SOURCE") => {
                    if let Some((name, version)) = line.trim().split_once(" (") {
                        let version = version.trim_end_matches(')').to_owned();
                        lockfile.gems.entry(name.to_owned()).or_default().insert(version);
                    }
                }
                (_, "RUBY VERSION") => {
                    let version = line.trim().strip_prefix("ruby ").map(|rest| rest.split(['p', ' ']).next());
                    lockfile.ruby = version.flatten().map(str::to_owned).or(lockfile.ruby);
                }
                _ => {}
            }
        }
        lockfile
    }

    /// Whether it has this gem.
    pub(super) fn has(&self, gem: &str) -> bool {
        self.gems.contains_key(gem)
    }

    /// The first number of a gem's version.
    pub(super) fn major(&self, gem: &str) -> Option<u32> {
        self.gems.get(gem)?.first()?.split('.').next()?.parse().ok()
    }

    /// Whether a gem has to be compiled: none of its variants is for this system.
    pub(super) fn compiles(&self, gem: &str) -> bool {
        let here = format!("-{}-linux", std::env::consts::ARCH);
        self.gems.get(gem).is_some_and(|versions| !versions.iter().any(|version| version.contains(&here)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gems_and_the_ruby() {
        let arch = std::env::consts::ARCH;
        let text = format!(
            "GIT\n  remote: https://x\n  revision: 1\n  specs:\n    own (0.1)\n\nGEM\n  remote: https://rubygems.org/\n  specs:\n    \
             nokogiri (1.18.2-{arch}-linux-gnu)\n    nokogiri (1.18.2-arm64-darwin)\n    rack (3.1.20)\n    rackup (2.1.0)\n      \
             webrick (~> 1.8)\n\nDEPENDENCIES\n  puma\n\nRUBY VERSION\n   ruby 3.3.8p144\n\nBUNDLED WITH\n   2.6.7\n"
        );
        let lockfile = Lockfile::parse(&text);
        assert!(
            lockfile.has("own") && lockfile.has("rack") && !lockfile.has("webrick") && !lockfile.has("puma")
        );
        assert_eq!(lockfile.major("rack"), Some(3));
        assert_eq!(lockfile.ruby.as_deref(), Some("3.3.8"));
        assert!(!lockfile.compiles("nokogiri") && lockfile.compiles("rack") && !lockfile.compiles("pg"));
        let lockfile = Lockfile::parse("RUBY VERSION\n  ruby 3.1.4 (jruby 9.4.8.0)\n");
        assert_eq!(lockfile.ruby.as_deref(), Some("3.1.4"));
    }
}
