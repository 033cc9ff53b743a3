//! Where images of other registries are fetched instead.

use std::fmt;
use std::str::FromStr;

/// A registry and what is asked in its place first: `docker.io=mirror.example.com/hub`. With `http://`
/// before the second name it is asked without TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirror {
    registry: String,
    location: String,
    insecure: bool,
}

/// Why a text is no [`Mirror`].
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no mirror; write it like docker.io=mirror.example.com")]
pub struct BadMirror(String);

impl FromStr for Mirror {
    type Err = BadMirror;

    fn from_str(text: &str) -> Result<Self, BadMirror> {
        let bad = || BadMirror(text.to_owned());
        let (registry, location) = text.trim().split_once('=').ok_or_else(bad)?;
        let (location, insecure) = match location.split_once("://") {
            Some(("http", rest)) => (rest, true),
            Some(("https", rest)) => (rest, false),
            Some(_) => return Err(bad()),
            None => (location, false),
        };
        let is_name = |name: &str| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:/".contains(&byte);
            !name.is_empty() && name.bytes().all(plain) && !name.starts_with('/') && !name.ends_with('/')
        };
        if !is_name(registry) || !is_name(location) {
            return Err(bad());
        }
        Ok(Self { registry: registry.to_owned(), location: location.to_owned(), insecure })
    }
}

/// In the words of containers-registries.conf(5).
impl fmt::Display for Mirror {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { registry, location, insecure } = self;
        // No character of a name needs to be escaped.
        write!(
            f,
            "[[registry]]\nprefix = \"{registry}\"\nlocation = \"{registry}\"\n[[registry.mirror]]\nlocation = \"{location}\"\ninsecure = {insecure}\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mirrors_become_settings_of_buildah() {
        let shown = |text: &str| text.parse::<Mirror>().map(|mirror| mirror.to_string());
        assert_eq!(
            shown("docker.io=http://10.0.0.1:5000/hub").unwrap(),
            "[[registry]]\nprefix = \"docker.io\"\nlocation = \"docker.io\"\n[[registry.mirror]]\nlocation = \"10.0.0.1:5000/hub\"\ninsecure = true\n"
        );
        assert!(shown("quay.io=https://mirror.example.com").unwrap().ends_with("insecure = false\n"));
        for bad in ["", "docker.io", "=x", "x=", "x=ftp://y", "x=y\"", "x=y\nz", "x=/y", "a b=c"] {
            assert!(shown(bad).is_err(), "{bad:?}");
        }
    }
}
