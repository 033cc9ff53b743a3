//! The images that a Dockerfile begins from and copies from, as far as they are this platform's own:
//! a stack, or what lies in the registry. All others are for whoever builds to fetch.

use domain::{Digest, Reference, RepositoryName};
use std::collections::BTreeMap;

/// An image of the platform's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Base {
    /// A stack as dynos run on it, or as builds do.
    Stack { name: String, build: bool },
    /// Of the registry.
    Registry(RepositoryName, Reference),
}

/// Every image that a Dockerfile names, with variables replaced as far as the Dockerfile and the
/// build's arguments tell them.
pub(crate) fn named(dockerfile: &str, arguments: &BTreeMap<String, String>) -> Vec<String> {
    let mut known = BTreeMap::new();
    let mut names = Vec::new();
    for line in instructions(dockerfile) {
        let mut words = line.split_whitespace();
        let keyword = words.next().unwrap_or_default().to_ascii_uppercase();
        match keyword.as_str() {
            "ARG" => {
                for word in words {
                    let (name, usual) = word.split_once('=').unwrap_or((word, ""));
                    let usual = expand(usual.trim_matches(['"', '\'']), &known);
                    known.insert(name.to_owned(), arguments.get(name).cloned().unwrap_or(usual));
                }
            }
            "FROM" => {
                let image = words.find(|word| !word.starts_with("--"));
                names.extend(image.map(|word| expand(word, &known)));
            }
            "COPY" | "ADD" | "RUN" => {
                let options = words.take_while(|word| word.starts_with("--"));
                let from = options.filter_map(|word| {
                    let (_, from) = word.split_once("from=")?;
                    from.split(',').next()
                });
                names.extend(from.map(|word| expand(word, &known)));
            }
            _ => {}
        }
    }
    names.sort();
    names.dedup();
    names
}

/// Whose image a name means; `None` for another registry's. `hosts` are the names of the own one.
pub(crate) fn own(name: &str, hosts: &[String], stacks: &[&str]) -> Option<Base> {
    let (stack, build) = name.strip_suffix("-build").map_or((name, false), |stack| (stack, true));
    if stacks.contains(&stack) {
        return Some(Base::Stack { name: stack.to_owned(), build });
    }
    let (host, rest) = name.split_once('/')?;
    if !hosts.iter().any(|own| own == host) {
        return None;
    }
    let (rest, digest) = rest.split_once('@').map_or((rest, None), |(rest, digest)| (rest, Some(digest)));
    let (repository, tag) = rest.rsplit_once(':').map_or((rest, None), |(before, tag)| (before, Some(tag)));
    let reference = match digest {
        Some(digest) => Reference::Digest(digest.parse::<Digest>().ok()?),
        None => Reference::parse(tag.unwrap_or("latest")).ok()?,
    };
    Some(Base::Registry(RepositoryName::parse(repository).ok()?, reference))
}

/// Lines without comments, with those that go on joined.
fn instructions(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut begun = String::new();
    for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
        let line = line.trim_end();
        if let Some(before) = line.strip_suffix('\\') {
            begun.push_str(before);
            continue;
        }
        begun.push_str(line);
        all.push(std::mem::take(&mut begun).trim().to_owned());
    }
    all.push(begun.trim().to_owned());
    all
}

/// Replaces `$NAME`, `${NAME}`, `${NAME:-usual}` and `${NAME:+other}`.
fn expand(text: &str, known: &BTreeMap<String, String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        let braced = after.strip_prefix('{').and_then(|after| after.split_once('}'));
        let (inner, end) = braced.unwrap_or_else(|| {
            let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
            after.split_at(after.bytes().take_while(is_word).count())
        });
        let (name, form) = inner.split_once(':').map_or((inner, ""), |(name, form)| (name, form));
        let value = known.get(name).map(String::as_str).filter(|value| !value.is_empty());
        out.push_str(match (value, form.split_at_checked(1)) {
            (Some(_), Some(("+", other))) => other,
            (None, Some(("-", usual))) => usual,
            (value, _) => value.unwrap_or_default(),
        });
        rest = end;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_wherever_they_stand() {
        let text = "# FROM comment\nARG TAG=13\nARG BASE=\"kigo-${TAG}\"\nARG GIVEN\nFROM --platform=linux/amd64 $BASE-build AS build\n\
                    RUN --mount=type=cache,target=/x true\nRUN echo --from=no\nCOPY \\\n  --from=localhost:5000/blog/tools:v1 \\\n  /a /b\n\
                    from ${GIVEN:-scratch}\nCOPY --chown=1:1 --from=build /x /y\n";
        let names = |arguments: &[(&str, &str)]| {
            let arguments =
                arguments.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            named(text, &arguments)
        };
        assert_eq!(names(&[]), ["build", "kigo-13-build", "localhost:5000/blog/tools:v1", "scratch"]);
        let given = names(&[("TAG", "14"), ("GIVEN", "debian:13")]);
        assert_eq!(given, ["build", "debian:13", "kigo-14-build", "localhost:5000/blog/tools:v1"]);
    }

    #[test]
    fn one_s_own_are_told_from_others() {
        let hosts = ["localhost:5000".to_owned()];
        let shown = |name: &str| match own(name, &hosts, &["kigo-13"]) {
            Some(Base::Stack { name, build }) => format!("{name} {build}"),
            Some(Base::Registry(name, reference)) => format!("{name} {reference}"),
            None => "other".into(),
        };
        let digest = format!("sha256:{}", "a".repeat(64));
        for (name, expected) in [
            ("kigo-13", "kigo-13 false".to_owned()),
            ("kigo-13-build", "kigo-13 true".into()),
            ("localhost:5000/blog", "blog latest".into()),
            ("localhost:5000/blog/web:v1", "blog/web v1".into()),
            (&format!("localhost:5000/blog/web@{digest}"), format!("blog/web {digest}")),
            (&format!("localhost:5000/blog/web:v1@{digest}"), format!("blog/web {digest}")),
            ("scratch", "other".into()),
            ("debian:13", "other".into()),
            ("docker.io/library/debian", "other".into()),
            ("localhost:5000/Blog", "other".into()),
        ] {
            assert_eq!(shown(name), expected, "{name}");
        }
    }
}
