//! Which buildpacks an app is built with. A change takes effect at the next build.

use crate::{Actor, Error, Ops, Result, access};
use domain::BuildpackRef;
use url::Url;

/// The list, in order; empty means that Kigo finds out what fits.
pub async fn list(ops: &Ops, actor: &Actor, app: &str) -> Result<Vec<BuildpackRef>> {
    let mut tx = ops.store().read().await?;
    let app = access::read(&mut tx, actor, app).await?;
    Ok(store::buildpacks::of(&mut tx, app.id).await?)
}

/// Replaces the list.
pub async fn update(ops: &Ops, actor: &Actor, app: &str, list: &[String]) -> Result<Vec<BuildpackRef>> {
    let list = check_all(list, ops.settings().max_buildpacks)?;
    let mut write = ops.store().write().await?;
    let app = access::write(&mut write, actor, app).await?;
    store::buildpacks::set(&mut write, app.id, &list).await?;
    write.commit().await?;
    Ok(list)
}

/// Checks a whole list.
pub(crate) fn check_all(list: &[String], max: usize) -> Result<Vec<BuildpackRef>> {
    if list.len() > max {
        return Err(Error::invalid(format!("An app can have at most {max} buildpacks.")));
    }
    list.iter().map(|text| check(text)).collect()
}

/// A name like `heroku/nodejs` (also as `urn:buildpack:heroku/nodejs`), or an address of a git
/// repository, a tarball or an image.
fn check(text: &str) -> Result<BuildpackRef> {
    let text = text.trim();
    let name = text.strip_prefix("urn:buildpack:").unwrap_or(text);
    let word = |part: &str| {
        // No leading dot: a name may become part of a path.
        part.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    };
    let is_name = name.len() <= 128
        && name.split_once('/').is_some_and(|(namespace, rest)| word(namespace) && word(rest));
    let is_address = text.len() <= 2048
        && Url::parse(text).is_ok_and(|url| match url.scheme() {
            "http" | "https" | "git" | "docker" => url.host().is_some(),
            // Whether the operator has a directory of buildpacks, and whether it is in there, the
            // build says.
            "file" => url.host().is_none(),
            _ => false,
        });
    if is_name {
        Ok(BuildpackRef(name.to_owned()))
    } else if is_address {
        Ok(BuildpackRef(text.to_owned()))
    } else {
        Err(Error::invalid(format!(
            "Buildpack {text:?} is not valid: give a name like heroku/nodejs, an https:// address of a git repository or .tgz file, or a docker:// address of an image."
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses() {
        for (text, kept) in [
            ("heroku/nodejs", "heroku/nodejs"),
            ("urn:buildpack:heroku/nodejs", "heroku/nodejs"),
            (
                "https://github.com/heroku/heroku-buildpack-go",
                "https://github.com/heroku/heroku-buildpack-go",
            ),
            ("https://github.com/a/b.git#v1.2", "https://github.com/a/b.git#v1.2"),
            ("https://example.com/pack.tgz", "https://example.com/pack.tgz"),
            ("docker://localhost:5000/a/b:v1", "docker://localhost:5000/a/b:v1"),
            ("file:///srv/buildpacks/one#main", "file:///srv/buildpacks/one#main"),
        ] {
            assert_eq!(check(text).unwrap().0, kept);
        }
        for bad in [
            "",
            "nodejs",
            "../x",
            "x/..",
            "/etc/passwd",
            "file://host/pack",
            "ext::sh -c x",
            "a/b/c",
            "--upload-pack=x/y z",
            "ssh://h/x",
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
