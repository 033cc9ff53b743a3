//! `Request-Id`: every answer names its request, and the ids that the client sent along.
//!
//! The official CLI collects the ids it is answered, newest first, and sends them with the next
//! request, so that one command's requests can be found together in a log.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue};
use tracing::Instrument;
use uuid::Uuid;

const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
/// How many of a client's ids are kept.
const KEPT: usize = 16;

/// Gives the request an id, writes it into the log's span and into the answer.
pub(crate) async fn assign(request: Request, next: Next) -> Response {
    let id = Uuid::new_v4();
    let chain = chain(id, request.headers());
    let span =
        tracing::info_span!("request", %id, method = %request.method(), path = shown(request.uri().path()));
    let mut response = next.run(request).instrument(span).await;
    if let Ok(value) = HeaderValue::from_str(&chain) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

/// In front of something that is a secret: keys of addresses, passwords in those of drains.
const SECRET_FOLLOWS: [&str; 9] = [
    "/streams/logs/",
    "/streams/builds/",
    "/streams/releases/",
    "/uploads/sources/",
    "/uploads/slugs/",
    "/addon-pages/enter/",
    "/auth/browser/",
    "/auth/cli/",
    "/log-drains/",
];

/// A path without its secrets, fit for the server's log.
fn shown(path: &str) -> &str {
    let end = |word: &&str| path.find(*word).map(|at| at + word.len());
    &path[..SECRET_FOLLOWS.iter().filter_map(end).min().unwrap_or(path.len())]
}

/// The new id, then what the client sent, as far as it has the form that Heroku accepts: 20 to 200
/// characters of `[A-Za-z0-9+/=-]`.
fn chain(own: Uuid, headers: &HeaderMap) -> String {
    let mut chain = own.to_string();
    for id in sent(headers).take(KEPT) {
        chain.push(',');
        chain.push_str(id);
    }
    chain
}

/// The ids that the client sent, newest first, as far as they have the right form.
pub(crate) fn sent(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let accepted = |id: &&str| {
        (20..=200).contains(&id.len())
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=' | b'-'))
    };
    let values = headers.get_all(REQUEST_ID).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).filter(accepted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_of_paths_are_not_shown() {
        for (path, logged) in [
            ("/apps/blog/releases/5", "/apps/blog/releases/5"),
            ("/uploads/slugs/0123abcd", "/uploads/slugs/"),
            ("/streams/logs/claims.tag", "/streams/logs/"),
            ("/apps/blog/log-drains", "/apps/blog/log-drains"),
            ("/apps/blog/log-drains/https%3A%2F%2Fme%3Asecret%40host", "/apps/blog/log-drains/"),
        ] {
            assert_eq!(shown(path), logged);
        }
    }

    #[test]
    fn keeps_ids_of_the_right_form() {
        let own = Uuid::nil();
        let good = "8601b555-6a83-4c12-8269-97c8e32cdb22";
        for (sent, kept) in [
            ("", String::new()),
            ("short", String::new()),
            (good, format!(",{good}")),
            (&format!("{good}, bad id with spaces in it, {good}")[..], format!(",{good},{good}")),
            (&"x".repeat(201)[..], String::new()),
        ] {
            let headers = HeaderMap::from_iter([(REQUEST_ID, sent.parse().unwrap())]);
            assert_eq!(chain(own, &headers), format!("{own}{kept}"), "{sent}");
        }
    }
}
