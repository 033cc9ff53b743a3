//! The address of a buildpack, classic or Cloud Native.

use crate::BuildError;
use std::path::Path;

/// Where the directory of local buildpacks is seen by builds.
pub(crate) const LOCAL: &str = "/kigo-buildpacks";

/// Where a buildpack comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// As the user wrote it.
    entry: String,
    kind: Kind,
    /// What the program in the container fetches.
    fetched: String,
    /// A branch, tag or commit of a git repository.
    reference: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Git,
    Archive,
    /// A path below [`LOCAL`]: a directory, a repository or an archive.
    Local,
    /// A directory of the app itself.
    App,
    /// An image in a registry that carries Cloud Native Buildpacks.
    Image,
}

impl Address {
    /// Understands an address: `https`, `http`, `git` or `ssh` for a repository, possibly with `#`
    /// and a reference; the same ending in `.tgz` or `.tar.gz` for an archive; `file` for something
    /// in the operator's directory `local`; `docker` for an image; `./` for a directory of the app.
    pub(crate) fn parse(entry: &str, local: Option<&Path>) -> Result<Self, BuildError> {
        let refuse = |why| BuildError::BuildpackAddress { address: shown(entry), why };
        if entry.chars().any(|letter| letter.is_whitespace() || letter.is_control()) {
            return Err(refuse("It contains a space or a control character."));
        }
        let (address, reference) = entry.split_once('#').map_or((entry, None), |(a, r)| (a, Some(r)));
        let reference = reference.filter(|reference| !reference.is_empty());
        if reference.is_some_and(|reference| reference.starts_with('-')) {
            return Err(refuse("What follows the `#` is not the name of a branch, tag or commit."));
        }
        let make = |kind, fetched: &str| Self {
            entry: entry.to_owned(),
            kind,
            fetched: fetched.to_owned(),
            reference: reference.map(str::to_owned),
        };
        if let Some(path) = address.strip_prefix("file://") {
            let local = local.ok_or(refuse("This installation allows no buildpacks from its own disk."))?;
            let inside = Path::new(path).strip_prefix(local).ok().filter(|inside| {
                inside.components().all(|part| matches!(part, std::path::Component::Normal(_)))
            });
            let inside = inside.and_then(Path::to_str);
            let inside =
                inside.ok_or(refuse("It is outside of this installation's directory of buildpacks."))?;
            return Ok(make(Kind::Local, &format!("{LOCAL}/{inside}")));
        }
        if let Some(path) = address.strip_prefix("./") {
            let inside = Path::new(path).components();
            let inside = inside.into_iter().all(|part| matches!(part, std::path::Component::Normal(_)));
            let inside = inside.then_some(path).filter(|path| !path.is_empty());
            return Ok(make(Kind::App, inside.ok_or(refuse("It is no directory inside of the app."))?));
        }
        if let Some(name) = entry.strip_prefix("docker://") {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:/@".contains(&byte);
            let is_name =
                name.bytes().all(plain) && name.starts_with(|first: char| first.is_ascii_alphanumeric());
            return if is_name { Ok(make(Kind::Image, name)) } else { Err(refuse("It names no image.")) };
        }
        if entry.starts_with("urn:cnb:") {
            return Err(refuse(
                "There is no registry of Cloud Native Buildpacks here; name its image: docker://…",
            ));
        }
        let rest = ["https://", "http://", "git://", "ssh://"]
            .into_iter()
            .find_map(|scheme| address.strip_prefix(scheme))
            .ok_or(refuse("It has to begin with https://, http://, git://, ssh:// or docker://."))?;
        if rest.is_empty() || rest.starts_with(['/', '-', '.']) {
            return Err(refuse("It names no host."));
        }
        let path = address.split('?').next().unwrap_or(address);
        let archive =
            [".tgz", ".tar.gz"].into_iter().any(|end| path.ends_with(end)) && address.starts_with("http");
        Ok(make(if archive { Kind::Archive } else { Kind::Git }, address))
    }

    /// As the user wrote it.
    pub(crate) fn entry(&self) -> &str {
        &self.entry
    }

    /// For the output: without a password.
    pub(crate) fn shown(&self) -> String {
        shown(&self.entry)
    }

    /// The image's name, if it is one.
    pub(crate) fn image(&self) -> Option<&str> {
        (self.kind == Kind::Image).then_some(&self.fetched)
    }

    /// For the program in the container: kind, address and reference, set apart by tabs.
    pub(crate) fn script_line(&self) -> String {
        let kind = match self.kind {
            Kind::Git => "git",
            Kind::Archive => "archive",
            Kind::Local => "local",
            Kind::App => "app",
            Kind::Image => "image",
        };
        format!("{kind}\t{}\t{}\n", self.fetched, self.reference.as_deref().unwrap_or(""))
    }
}

fn shown(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else { return address.to_owned() };
    let host = rest.split('/').next().unwrap_or(rest);
    match host.rsplit_once('@') {
        Some((_, after)) => format!("{scheme}://{after}{}", &rest[host.len()..]),
        None => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn understands_repositories_archives_and_local_ones() {
        let local = Path::new("/srv/buildpacks");
        for (entry, line) in [
            ("https://github.com/a/b", "git\thttps://github.com/a/b\t\n"),
            ("https://github.com/a/b.git#v1.2", "git\thttps://github.com/a/b.git\tv1.2\n"),
            ("https://x.example/b.tgz", "archive\thttps://x.example/b.tgz\t\n"),
            ("http://x.example/b.tar.gz?sig=1", "archive\thttp://x.example/b.tar.gz?sig=1\t\n"),
            ("git://x.example/b.tgz#", "git\tgit://x.example/b.tgz\t\n"),
            ("file:///srv/buildpacks/a/b#main", "local\t/kigo-buildpacks/a/b\tmain\n"),
            ("./buildpacks/mine", "app\tbuildpacks/mine\t\n"),
            ("docker://localhost:5000/a/b:v1", "image\tlocalhost:5000/a/b:v1\t\n"),
        ] {
            assert_eq!(Address::parse(entry, Some(local)).unwrap().script_line(), line);
        }
    }

    #[test]
    fn refuses_what_could_mean_something_else() {
        let local = Some(Path::new("/srv/buildpacks"));
        for (entry, local) in [
            ("", local),
            ("/etc/passwd", local),
            ("file:///etc", local),
            ("file:///srv/buildpacks/../../etc", local),
            ("file:///srv/buildpacks-evil/x", local),
            ("file:///srv/buildpacks/a", None),
            ("https://", local),
            ("https://-oProxyCommand=x/a", local),
            ("ext::sh -c id", local),
            ("https://a/b\tx", local),
            ("https://a/b#--upload-pack=x", local),
            ("git@github.com:a/b.git", local),
            ("./../x", local),
            ("./", local),
            ("docker://", local),
            ("docker://--x", local),
            ("docker://a/b;c", local),
            ("urn:cnb:registry:a/b", local),
        ] {
            assert!(Address::parse(entry, local).is_err(), "{entry}");
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        for (entry, shown) in [
            ("https://me:secret@x.example/a@b#r", "https://x.example/a@b#r"),
            ("https://x.example/a", "https://x.example/a"),
        ] {
            assert_eq!(Address::parse(entry, None).unwrap().shown(), shown);
        }
    }
}
