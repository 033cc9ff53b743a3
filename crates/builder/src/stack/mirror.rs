//! Where this host gets Debian from: its apt sources, in both of their formats.

use std::path::Path;

/// What the operator may set instead, for hosts that are no Debian.
const VARIABLE: &str = "KIGO_DEBIAN_MIRROR";

/// The address of a mirror, up to and without `/debian`.
pub(super) fn of_host() -> Option<String> {
    if let Ok(address) = std::env::var(VARIABLE) {
        let address = address.trim_end_matches('/');
        return Some(address.strip_suffix("/debian").unwrap_or(address).to_owned());
    }
    of_sources(Path::new("/etc/apt"))
}

fn of_sources(apt: &Path) -> Option<String> {
    let mut files = vec![apt.join("sources.list")];
    if let Ok(entries) = std::fs::read_dir(apt.join("sources.list.d")) {
        let mut more: Vec<_> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
        more.sort();
        files.extend(more);
    }
    files.iter().find_map(|file| {
        let text = std::fs::read_to_string(file).ok()?;
        let addresses = match file.extension()?.to_str()? {
            "list" => one_line(&text),
            "sources" => deb822(&text),
            _ => return None,
        };
        addresses.iter().find_map(|address| base(address))
    })
}

/// The addresses of lines such as `deb [option] http://deb.debian.org/debian trixie main`.
fn one_line(text: &str) -> Vec<String> {
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or("").trim());
    let addresses = lines.filter_map(|line| {
        let rest = line.strip_prefix("deb ")?.trim_start();
        let rest = rest.strip_prefix('[').map_or(Some(rest), |options| Some(options.split_once(']')?.1))?;
        rest.split_whitespace().next().map(str::to_owned)
    });
    addresses.collect()
}

/// The addresses of stanzas with fields such as `URIs:`, unless they are switched off.
fn deb822(text: &str) -> Vec<String> {
    let mut addresses = Vec::new();
    for stanza in text.split("\n\n") {
        let field = |name: &str| {
            let lines = stanza.lines().filter(|line| !line.starts_with('#'));
            let mut values = lines.filter_map(|line| {
                let (field, value) = line.split_once(':')?;
                field.trim().eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
            });
            values.next()
        };
        if field("Enabled").is_some_and(|value| value.eq_ignore_ascii_case("no")) {
            continue;
        }
        addresses.extend(field("URIs").unwrap_or_default().split_whitespace().map(str::to_owned));
    }
    addresses
}

/// `http://mirror.example/x` of `http://mirror.example/x/debian/`, if that is what it is.
fn base(address: &str) -> Option<String> {
    let known = ["http://", "https://", "file:///"].iter().any(|scheme| address.starts_with(scheme));
    known.then(|| address.trim_end_matches('/').strip_suffix("/debian").map(str::to_owned))?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mirror(files: &[(&str, &str)]) -> Option<String> {
        let apt = tempfile::tempdir().unwrap();
        std::fs::create_dir(apt.path().join("sources.list.d")).unwrap();
        for (name, text) in files {
            std::fs::write(apt.path().join(name), text).unwrap();
        }
        of_sources(apt.path())
    }

    #[test]
    fn finds_debian_in_both_formats() {
        for (files, expected) in [
            (&[][..], None),
            (
                &[(
                    "sources.list",
                    "# deb http://no/debian x\ndeb-src http://no/debian x main\ndeb [arch=amd64 signed-by=/k] http://m.example/a/debian/ trixie main # c\n",
                )][..],
                Some("http://m.example/a"),
            ),
            (
                &[
                    ("sources.list", ""),
                    ("sources.list.d/cloud.list", "deb https://packages.example/apt x main"),
                    (
                        "sources.list.d/debian.sources",
                        "Types: deb\n# URIs: http://no/debian\nURIs: http://deb.debian.org/debian\nSuites: bookworm\n\nTypes: deb\nURIs: http://deb.debian.org/debian-security\n",
                    ),
                ][..],
                Some("http://deb.debian.org"),
            ),
            (
                &[(
                    "sources.list.d/a.sources",
                    "Enabled: no\nURIs: http://off/debian\n\nURIs: http://x/ubuntu https://on/debian\n",
                )][..],
                Some("https://on"),
            ),
            (&[("sources.list", "deb http://archive.ubuntu.com/ubuntu noble main")][..], None),
        ] {
            assert_eq!(mirror(files).as_deref(), expected, "{files:?}");
        }
    }
}
