//! Libraries of the operating system that gems need and the stack does not have.

use super::lockfile::Lockfile;
use crate::packages::Packages;

/// A gem, and the packages of Debian that it is compiled with and runs with.
type Needs = (&'static str, &'static [&'static str], &'static [&'static str]);

const NEEDS: [Needs; 7] = [
    ("charlock_holmes", &["libicu-dev"], &["libicu76"]),
    ("curb", &["libcurl4-openssl-dev"], &["libcurl4t64"]),
    ("mini_magick", &[], &["imagemagick"]),
    ("mysql2", &["libmariadb-dev"], &["libmariadb3"]),
    ("nokogiri", &["libxml2-dev", "libxslt1-dev"], &[]),
    ("rmagick", &["libmagickwand-7.q16-dev"], &["imagemagick"]),
    ("ruby-vips", &["libvips42t64"], &["libvips42t64"]),
];

/// Packages of both kinds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct More {
    pub(super) build: Packages,
    pub(super) run: Packages,
}

/// Those that the gems of an app need.
pub(super) fn packages(lockfile: &Lockfile) -> More {
    let mut more = More::default();
    for (gem, build, run) in NEEDS.iter().filter(|(gem, ..)| lockfile.has(gem)) {
        if lockfile.compiles(gem) {
            more.build.extend(build.iter().map(|&package| package.to_owned()));
        }
        more.run.extend(run.iter().map(|&package| package.to_owned()));
    }
    more
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_gems_need() {
        let arch = std::env::consts::ARCH;
        let lockfile = |gems: &str| Lockfile::parse(&format!("GEM\n  specs:\n{gems}"));
        assert_eq!(packages(&lockfile("    rack (3.1)\n")), More::default());
        let needs = packages(&lockfile("    mysql2 (0.5.6)\n    nokogiri (1.18.2)\n"));
        assert_eq!(needs.build.len(), 3);
        assert_eq!(needs.run, ["libmariadb3".to_owned()].into());
        let ready = format!("    nokogiri (1.18.2-{arch}-linux-gnu)\n");
        assert_eq!(packages(&lockfile(&ready)), More::default());
    }
}
