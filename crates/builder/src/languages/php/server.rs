//! Which web servers an app may start, by what its Procfile says.

use crate::stack::{Runtime, Stack};
use crate::{BuildError, procfile};
use std::path::Path;

/// What serves an app that says nothing else.
pub(super) const DEFAULT: &str = "heroku-php-apache2";

/// The web servers.
#[derive(Clone, Debug)]
pub(super) struct Servers(pub(super) Vec<Runtime>);

impl Servers {
    /// Those that the Procfile in `tree` names; the default's without one; both when a program of
    /// the app may start either.
    pub(super) fn of(tree: &Path, stack: &Stack) -> Result<Self, BuildError> {
        let commands =
            procfile::read(tree)?.map(|procfile| procfile.0.into_values().collect::<Vec<_>>().join("\n"));
        let wanted = names(commands.as_deref());
        Ok(Self(wanted.iter().filter_map(|name| stack.runtimes(name).next().cloned()).collect()))
    }
}

fn names(commands: Option<&str>) -> Vec<&'static str> {
    let commands = commands.unwrap_or(DEFAULT);
    let mentioned = |name: &&str| commands.contains(&format!("heroku-php-{name}"));
    let named: Vec<_> = ["apache2", "nginx"].into_iter().filter(mentioned).collect();
    if named.is_empty() { vec!["apache2", "nginx"] } else { named }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_by_the_procfile() {
        for (commands, expected) in [
            (None, &["apache2"][..]),
            (Some("vendor/bin/heroku-php-nginx -C nginx.conf public/"), &["nginx"]),
            (Some("heroku-php-apache2 public/\nphp artisan queue:work"), &["apache2"]),
            (Some("bin/start"), &["apache2", "nginx"]),
        ] {
            assert_eq!(names(commands), expected, "{commands:?}");
        }
    }
}
