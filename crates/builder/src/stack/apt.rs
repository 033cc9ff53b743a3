//! What apt and dpkg are told, when a stack is made and when packages are added to one.

use super::definition::{Definition, Further, Source};
use super::{StackError, mirror};
use crate::host;
use std::collections::BTreeSet;
use std::process::Stdio;
use tokio::process::Command;

/// Files of packages that no dyno reads.
pub(super) const DPKG_OPTIONS: [&str; 6] = [
    "force-unsafe-io",
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/locale/*",
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
];

/// Files for an apt that runs in a container of a stack.
pub(crate) struct Apt {
    /// For `APT_CONFIG`.
    pub(crate) configuration: String,
    /// For `/kigo/sources.list`.
    pub(crate) sources: String,
    /// For `/kigo/preferences`.
    pub(crate) preferences: String,
    /// For `apt-get install`, separated by spaces.
    pub(crate) packages: String,
}

/// What apt is to be told to add `packages` to the stack `name`.
pub(crate) async fn apt_of(name: &str, packages: &BTreeSet<String>) -> Result<Apt, StackError> {
    let definition = Definition::named(name).ok_or(StackError::Unknown)?;
    let base = mirror::of_host().ok_or(StackError::NoMirror)?;
    let mut lines: Vec<String> = [
        r#"Dir::Etc::sourcelist "/kigo/sources.list""#,
        r#"Dir::Etc::sourceparts "/dev/null""#,
        r#"Dir::Etc::preferences "/kigo/preferences""#,
        r#"Dir::Etc::preferencesparts "/dev/null""#,
        r#"APT::Install-Recommends "false""#,
        r#"Acquire::Languages "none""#,
        // It is root in a container where nobody else is.
        r#"APT::Sandbox::User "root""#,
    ]
    .map(str::to_owned)
    .into();
    lines.extend(host_options().await.into_iter().map(inside));
    lines.extend(DPKG_OPTIONS.map(|option| format!(r#"Dpkg::Options:: "--{option}""#)));
    let configuration = format!("{};\n", lines.join(";\n"));
    let named = |release: &&Further| packages.iter().any(|package| release.has(package));
    let further: Vec<&Source> =
        definition.further.iter().filter(named).flat_map(|release| &release.sources).collect();
    let packages: Vec<&str> = packages.iter().map(|package| argument(package, &definition.further)).collect();
    let sources = sources(definition.sources.iter().chain(further.iter().copied()), &base);
    let sources = sources.map(|line| line + "\n").collect();
    Ok(Apt { configuration, sources, preferences: preferences(&further), packages: packages.join(" ") })
}

/// Lines of a `sources.list`.
pub(super) fn sources<'a>(
    sources: impl IntoIterator<Item = &'a Source>,
    base: &str,
) -> impl Iterator<Item = String> {
    sources.into_iter().map(move |s| format!("deb {base}/{} {} main", s.archive, s.suite))
}

/// Has apt take from further releases only what the stack's own does not have.
fn preferences(further: &[&Source]) -> String {
    let pins = further
        .iter()
        .map(|source| format!("Package: *\nPin: release n={}\nPin-Priority: 100\n\n", source.suite));
    pins.collect()
}

/// How apt is told of a package. Of a release that is one suite, the suite is named, so that what the
/// stack's own release has as well comes from there, with all that must be of the same version. Where
/// several suites make a release, the newest of them is meant, which is nothing that has a name.
fn argument<'a>(package: &'a str, further: &[Further]) -> &'a str {
    let Some((name, _)) = package.split_once('/') else { return package };
    let release = further.iter().find(|release| release.has(package));
    let is_suite = release.is_some_and(|one| matches!(&one.sources[..], [only] if only.suite == one.name));
    if is_suite { package } else { name }
}

/// Settings of the host's apt without which it may not reach its mirror.
pub(super) async fn host_options() -> Vec<String> {
    const NAMES: [&str; 7] = [
        "Acquire::http::Proxy",
        "Acquire::https::Proxy",
        "Acquire::https::CaInfo",
        "Acquire::http::Timeout",
        "Acquire::Retries",
        "Acquire::Check-Valid-Until",
        "Acquire::Check-Date",
    ];
    let Ok(dump) = Command::new("apt-config").arg("dump").stdin(Stdio::null()).output().await else {
        return Vec::new();
    };
    let text = String::from_utf8_lossy(&dump.stdout).into_owned();
    let wanted = |line: &&str| NAMES.iter().any(|name| is_setting(line, name));
    text.lines().filter(wanted).map(|line| line.trim_end_matches(';').to_owned()).collect()
}

fn is_setting(line: &str, name: &str) -> bool {
    let (start, rest) = line.split_at_checked(name.len()).unwrap_or_default();
    start.eq_ignore_ascii_case(name) && (rest.starts_with(' ') || rest.starts_with("::"))
}

/// A setting of the host's as it is right in a container, where the host's certificates lie
/// elsewhere.
fn inside(line: String) -> String {
    const CA: &str = "Acquire::https::CaInfo";
    if is_setting(&line, CA) { format!(r#"{CA} "{}""#, host::certificates_inside()) } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn apt_is_told_of_a_suite_and_not_of_a_release_with_updates() {
        let further = Definition::named("kigo-13").unwrap().further;
        for (package, told) in [
            ("python3", "python3"),
            ("python3.11/bookworm", "python3.11"),
            ("cargo/trixie-backports", "cargo/trixie-backports"),
        ] {
            assert_eq!(argument(package, &further), told);
        }
    }

    #[test]
    fn a_setting_is_known_by_its_whole_name() {
        for (line, is) in [
            (r#"Acquire::http::Proxy "http://p:1""#, true),
            (r#"acquire::HTTP::proxy "http://p:1""#, true),
            (r#"Acquire::http::Proxy::m.example "DIRECT""#, true),
            (r#"Acquire::http::Proxy-Auto-Detect "/bin/x""#, false),
            ("Acquire", false),
        ] {
            assert_eq!(is_setting(line, "Acquire::http::Proxy"), is, "{line}");
        }
        let inside = inside(r#"Acquire::https::CaInfo "/etc/mine.pem""#.into());
        assert_eq!(inside, r#"Acquire::https::CaInfo "/kigo/host/ca-certificates.crt""#);
    }
}
