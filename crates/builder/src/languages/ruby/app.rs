//! What an app says about itself: its Gemfile, its lockfile, and what they mean when it runs.

use super::lockfile::Lockfile;
use super::words::{RubyError, warn};
use crate::output::Output;
use crate::source::{has_file, place_without_links, read_file};
use domain::ProcessType;
use std::collections::BTreeMap;
use std::path::Path;

/// The app, as far as a build is concerned.
#[derive(Debug, Default)]
pub(super) struct App {
    /// The version of Ruby that it asks for, and the file that says so.
    pub(super) asked: Option<Asked>,
    pub(super) lockfile: Lockfile,
    /// Whether something in it is likely to want Node.js in the build.
    pub(super) needs_node: bool,
    has_bundle: bool,
    has_bundle_config: bool,
    /// Everything that decides what gets installed, as bytes to be hashed.
    pub(super) inputs: Vec<u8>,
}

/// A constraint on the version, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) text: String,
    pub(super) file: &'static str,
}

impl App {
    /// Reads the app in `tree`.
    pub(super) fn determine(tree: &Path) -> Result<Self, RubyError> {
        let read = |file: &'static str| -> Result<Option<String>, RubyError> {
            let bytes = read_file(tree, file)
                .map_err(|error| RubyError::Unreadable { file, why: crate::errors::chain(&error) })?;
            Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
        };
        let gemfile = read("Gemfile")?.unwrap_or_default();
        let lock = read("Gemfile.lock")?.ok_or(RubyError::NoLockfile)?;
        let version_file = read(".ruby-version")?;
        let lockfile = Lockfile::parse(&lock);
        let locked = lockfile.ruby.clone().map(|text| Asked { text, file: "Gemfile.lock" });
        let written = version_file.as_deref().and_then(version_of_file);
        let mut inputs = Vec::new();
        for text in [
            &gemfile,
            &lock,
            version_file.as_deref().unwrap_or(""),
            &read(".bundle/config")?.unwrap_or_default(),
        ] {
            inputs.extend(text.len().to_le_bytes());
            inputs.extend(text.as_bytes());
        }
        inputs.extend(vendored(tree).into_bytes());
        Ok(Self {
            asked: ruby_of_gemfile(&gemfile)
                .map(|text| Asked { text, file: "Gemfile" })
                .or(locked)
                .or(written),
            needs_node: ["execjs", "webpacker"].iter().any(|gem| lockfile.has(gem))
                || has_file(tree, "package.json"),
            lockfile,
            has_bundle: tree.join("vendor/bundle").symlink_metadata().is_ok(),
            has_bundle_config: has_file(tree, ".bundle/config"),
            inputs,
        })
    }

    /// Tells the user what may cause trouble.
    pub(super) async fn warn(&self, output: &Output) {
        if self.asked.is_none() {
            warn::no_version(output).await;
        }
        if self.has_bundle {
            warn::bundle(output).await;
        }
        if self.has_bundle_config {
            warn::bundle_config(output).await;
        }
    }

    /// What the app runs by itself, as Heroku's buildpack has it.
    pub(super) fn process_types(&self) -> BTreeMap<ProcessType, String> {
        let rails = self.lockfile.major("railties").is_some_and(|major| major >= 4);
        let web = if rails {
            Some("bin/rails server -p ${PORT:-5000} -e $RAILS_ENV")
        } else if !self.lockfile.has("rack") {
            None
        } else if self.lockfile.has("thin") {
            Some("bundle exec thin start -R config.ru -e $RACK_ENV -p ${PORT:-5000}")
        } else if self.has_no_rackup() && self.lockfile.has("puma") {
            Some("bundle exec puma config.ru -p ${PORT:-5000}")
        } else {
            Some("bundle exec rackup config.ru -p ${PORT:-5000}")
        };
        let console = if rails { "bin/rails console" } else { "bundle exec irb" };
        let all = [("web", web), ("rake", Some("bundle exec rake")), ("console", Some(console))];
        let named = |(name, command): (&str, Option<&str>)| {
            Some((ProcessType::parse(name).ok()?, command?.to_owned()))
        };
        all.into_iter().filter_map(named).collect()
    }

    /// Since version 3, rack is without the program `rackup`.
    fn has_no_rackup(&self) -> bool {
        self.lockfile.major("rack").is_some_and(|major| major >= 3) && !self.lockfile.has("rackup")
    }

    /// What an app that is started to make assets finds in the place of its database.
    pub(super) fn database_url(&self) -> Option<&'static str> {
        let drivers = [
            ("pg", "postgresql://user:pass@127.0.0.1/dbname"),
            ("mysql2", "mysql2://user:pass@127.0.0.1/dbname"),
        ];
        drivers.into_iter().find(|(gem, _)| self.lockfile.has(gem)).map(|(_, address)| address)
    }

    /// Variables with their values where nobody sets them.
    fn defaults(&self) -> Vec<(&'static str, &'static str)> {
        let mut all = vec![
            ("LANG", "C.UTF-8"),
            ("PUMA_PERSISTENT_TIMEOUT", "95"),
            ("BUNDLE_WITHOUT", "development:test"),
            ("BUNDLE_DEPLOYMENT", "1"),
        ];
        if self.lockfile.has("rack") {
            all.push(("RACK_ENV", "production"));
        }
        if self.lockfile.has("railties") {
            all.push(("RAILS_ENV", "production"));
            all.push(("RAILS_SERVE_STATIC_FILES", "enabled"));
            all.push(("RAILS_LOG_TO_STDOUT", "enabled"));
        }
        all
    }

    /// What dynos find in their environment.
    pub(super) fn profile(&self) -> String {
        let mut lines = vec!["export PATH=\"$HOME/bin:$HOME/vendor/bundle/bin:$PATH\"".to_owned()];
        lines.extend(
            self.defaults().iter().map(|(name, value)| format!("export {name}=${{{name}:-{value}}}")),
        );
        lines.push("export MALLOC_ARENA_MAX=${MALLOC_ARENA_MAX:-2}".into());
        lines.push("export BUNDLE_PATH=$HOME/vendor/bundle BUNDLE_BIN=$HOME/vendor/bundle/bin".into());
        // The programs there would look for the Gemfile where the build had it.
        lines.push("export BUNDLE_GEMFILE=${BUNDLE_GEMFILE:-$HOME/Gemfile}".into());
        // Debian's Bundler serves whatever version the lockfile was made with.
        lines.push("export BUNDLE_VERSION=system DISABLE_SPRING=1".into());
        lines.join("\n") + "\n"
    }

    /// What later buildpacks are given.
    pub(super) fn export(&self, directory: &str) -> String {
        let own = |name: &str| (format!("$HOME/{name}"), format!("{directory}/{name}"));
        let moved = [own("bin"), own("Gemfile")];
        moved.iter().fold(self.profile(), |text, (from, to)| text.replace(from, to)).replace("$HOME", "/app")
    }
}

/// The literal constraints of the line `ruby` in a Gemfile.
fn ruby_of_gemfile(gemfile: &str) -> Option<String> {
    let rests = gemfile.lines().filter_map(|line| line.trim_start().strip_prefix("ruby"));
    rests.filter(|rest| rest.starts_with([' ', '(', '\t'])).find_map(|rest| {
        let mut constraints = Vec::new();
        for argument in rest.split('#').next().unwrap_or(rest).split(',') {
            let argument = argument.trim().trim_matches(['(', ')', '[', ']']).trim();
            let quoted = ['"', '\''].into_iter().find_map(|q| argument.strip_prefix(q)?.strip_suffix(q));
            match quoted {
                Some(text) => constraints.push(text.trim_start_matches("ruby-").trim()),
                // Other engines, and what is not written here.
                None => break,
            }
        }
        (!constraints.is_empty()).then(|| constraints.join(", "))
    })
}

fn version_of_file(text: &str) -> Option<Asked> {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'))?;
    Some(Asked { text: line.trim_start_matches("ruby-").to_owned(), file: ".ruby-version" })
}

/// The names and sizes of gems in the repository.
fn vendored(tree: &Path) -> String {
    let place = place_without_links(tree, Path::new("vendor/cache")).filter(|place| !place.is_symlink());
    let entries = place.and_then(|place| std::fs::read_dir(place).ok()).into_iter().flatten().flatten();
    let sized = |entry: std::fs::DirEntry| {
        let size = entry.path().symlink_metadata().map_or(0, |metadata| metadata.len());
        format!("{} {size}\n", entry.file_name().to_string_lossy())
    };
    let mut all: Vec<_> = entries.map(sized).collect();
    all.sort_unstable();
    all.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(files: &[(&str, &str)]) -> Result<App, RubyError> {
        let tree = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = tree.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        App::determine(tree.path())
    }

    fn with_gems(gems: &[&str]) -> App {
        let specs = gems.iter().fold(String::new(), |specs, gem| specs + "    " + gem + "\n");
        app(&[("Gemfile", ""), ("Gemfile.lock", &format!("GEM\n  specs:\n{specs}"))]).unwrap()
    }

    #[test]
    fn which_ruby_is_asked_for() {
        let lock = "RUBY VERSION\n   ruby 3.3.6p108\n";
        for (gemfile, lock, file, expected) in [
            ("", "", None, None),
            ("ruby '3.3.8'", lock, Some("3.2.1"), Some(("3.3.8", "Gemfile"))),
            ("ruby \">= 3.1\", \"< 3.4\" # x", lock, None, Some((">= 3.1, < 3.4", "Gemfile"))),
            ("ruby(\"~> 3.3\")", "", None, Some(("~> 3.3", "Gemfile"))),
            (
                "ruby \"3.1.4\", engine: \"jruby\", engine_version: \"9.4\"",
                "",
                None,
                Some(("3.1.4", "Gemfile")),
            ),
            ("ruby file: '.ruby-version'", lock, None, Some(("3.3.6", "Gemfile.lock"))),
            (
                "gem 'ruby-vips'\nrubygems = 1",
                "",
                Some("# c\nruby-3.3.5\n"),
                Some(("3.3.5", ".ruby-version")),
            ),
        ] {
            let mut files = vec![("Gemfile", gemfile), ("Gemfile.lock", lock)];
            files.extend(file.map(|text| (".ruby-version", text)));
            let asked = app(&files).unwrap().asked;
            assert_eq!(asked.as_ref().map(|asked| (asked.text.as_str(), asked.file)), expected, "{gemfile}");
        }
        assert!(matches!(app(&[("Gemfile", "")]), Err(RubyError::NoLockfile)));
    }

    #[test]
    fn what_is_run_by_itself() {
        let rails = "bin/rails server -p ${PORT:-5000} -e $RAILS_ENV";
        for (gems, web, console) in [
            (&["rake (13)"][..], None, "bundle exec irb"),
            (&["rack (2.2)"][..], Some("bundle exec rackup config.ru -p ${PORT:-5000}"), "bundle exec irb"),
            (
                &["rack (3.1)", "rackup (2)", "puma (6)"][..],
                Some("bundle exec rackup config.ru -p ${PORT:-5000}"),
                "bundle exec irb",
            ),
            (
                &["rack (3.1)", "puma (6)"][..],
                Some("bundle exec puma config.ru -p ${PORT:-5000}"),
                "bundle exec irb",
            ),
            (&["rack (3.1)", "railties (8.0.1)"][..], Some(rails), "bin/rails console"),
        ] {
            let types = with_gems(gems).process_types();
            let command = |name: &str| types.get(&ProcessType::parse(name).unwrap()).map(String::as_str);
            assert_eq!((command("web"), command("console")), (web, Some(console)), "{gems:?}");
            assert_eq!(command("rake"), Some("bundle exec rake"));
        }
    }

    #[test]
    fn what_dynos_find() {
        insta::assert_snapshot!(with_gems(&["rack (3.1)", "railties (8.0.1)", "pg (1.5)"]).profile());
        assert!(!with_gems(&["rake (13)"]).profile().contains("RACK_ENV"));
        let database = with_gems(&["pg (1.5)"]).database_url();
        assert!(database.is_some_and(|address| address.starts_with("postgresql:")));
        let export = with_gems(&["rails (8)"]).export("/tmp/build_1");
        assert!(export.contains("PATH=\"/tmp/build_1/bin:/app/vendor"), "{export}");
        assert!(export.contains(":-/tmp/build_1/Gemfile}") && !export.contains("$HOME"), "{export}");
    }

    #[test]
    fn gems_in_the_repository_decide_too() {
        let files = [("Gemfile", ""), ("Gemfile.lock", "")];
        let inputs = |more: &[(&'static str, &'static str)]| {
            app(&files.iter().chain(more).copied().collect::<Vec<_>>()).unwrap().inputs
        };
        let one = inputs(&[("vendor/cache/a-1.gem", "1")]);
        assert_ne!(inputs(&[]), one);
        assert_ne!(one, inputs(&[("vendor/cache/a-1.gem", "12")]));
        assert_eq!(one, inputs(&[("vendor/cache/a-1.gem", "1")]));
    }
}
