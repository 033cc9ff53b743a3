//! The endpoints of Heroku's API that Kigo knows of and does not have.
//!
//! One checked-in list, `docs/platform-api.tsv`, names every link of the published schema. Its
//! gaps are answered from here with their reason: status 404, because the official CLI passes over
//! that where a resource is optional to it, and id `not_implemented`, so that a gap can never be
//! taken for a missing resource.

use crate::ApiError;
use http::{Method, StatusCode};
use std::sync::LazyLock;

/// One line of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The schema's definition, for example `app-feature`.
    pub definition: String,
    pub method: Method,
    /// `/apps/{app}/features`: what is in braces stands for any one segment.
    pub path: String,
    /// The schema's title; one method and path can have several.
    pub title: String,
    pub state: State,
    /// Why it is a gap or empty; a remark otherwise.
    pub reason: String,
}

/// Whether Kigo has a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It works.
    Done,
    /// It answers truthfully that there is none of what it lists.
    Empty,
    /// It is missing.
    Gap,
}

/// The whole list.
pub static LINKS: LazyLock<Vec<Link>> =
    LazyLock::new(|| include_str!("../../../docs/platform-api.tsv").lines().filter_map(parse).collect());

/// Reads one line; comments, blank lines and what has another shape give nothing (a test finds
/// the latter, because the schema's link then has no line).
fn parse(line: &str) -> Option<Link> {
    let columns: Vec<&str> = line.split('\t').collect();
    let [definition, method, path, title, state, reason] = columns[..] else { return None };
    if definition.starts_with('#') {
        return None;
    }
    let state = match state {
        "done" => State::Done,
        "empty" => State::Empty,
        "gap" => State::Gap,
        _ => return None,
    };
    Some(Link {
        definition: definition.into(),
        method: method.parse().ok()?,
        path: path.into(),
        title: title.into(),
        state,
        reason: reason.into(),
    })
}

/// What to answer to a request that no route takes.
pub(crate) fn answer(method: &Method, path: &str) -> ApiError {
    let known = LINKS.iter().filter(|link| link.method == *method && link.state == State::Gap);
    let closest = known.filter_map(|link| Some((literals_if_matching(&link.path, path)?, link)));
    match closest.max_by_key(|(literals, _)| *literals) {
        Some((_, link)) => ApiError::new(
            StatusCode::NOT_FOUND,
            "not_implemented",
            format!("Kigo does not have {} {}: {}", link.method, link.path, link.reason),
        ),
        None => ApiError::no_endpoint(),
    }
}

/// How many segments of `template` are literal, if `path` fits it.
fn literals_if_matching(template: &str, path: &str) -> Option<usize> {
    let (mut template, mut path) = (template.split('/'), path.trim_end_matches('/').split('/'));
    let mut literals = 0;
    loop {
        match (template.next(), path.next()) {
            (None, None) => return Some(literals),
            (Some(pattern), Some(given)) if pattern.starts_with('{') && !given.is_empty() => {}
            (Some(pattern), Some(given)) if pattern == given => literals += 1,
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_match_whole_paths() {
        for (template, path, literals) in [
            ("/apps/{app}/acm", "/apps/x/acm", Some(3)),
            ("/apps/{app}/acm", "/apps/x/acm/", Some(3)),
            ("/apps/{app}/acm", "/apps//acm", None),
            ("/apps/{app}", "/apps/x/acm", None),
            ("/apps/{app}/acm", "/apps/x", None),
        ] {
            assert_eq!(literals_if_matching(template, path), literals, "{template} {path}");
        }
    }

    #[test]
    fn a_gap_says_why_and_the_rest_is_not_found() {
        let gap = answer(&Method::POST, "/pipelines");
        assert_eq!((gap.status, gap.body.id.as_str()), (StatusCode::NOT_FOUND, "not_implemented"));
        assert!(gap.body.message.starts_with("Kigo does not have POST /pipelines: "), "{gap:?}");
        assert_eq!(answer(&Method::GET, "/no-such-thing").body.id, "not_found");
    }
}
