//! The version of the API: `Accept: application/vnd.heroku+json; version=3`, or with a variant
//! (`version=3.sdk`), all of which are answered alike.

use crate::ApiError;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, header};

/// Refuses requests that ask for no version, or for another than 3.
pub(crate) async fn check(request: Request, next: Next) -> Response {
    if asks_for_version_3(request.headers()) {
        next.run(request).await
    } else {
        ApiError::not_acceptable().into_response()
    }
}

fn asks_for_version_3(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|range| range.split(';').skip(1).any(is_version_3))
}

fn is_version_3(parameter: &str) -> bool {
    let Some((name, value)) = parameter.split_once('=') else { return false };
    let value = value.trim().trim_matches('"');
    name.trim().eq_ignore_ascii_case("version") && (value == "3" || value.starts_with("3."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_version_3_and_its_variants() {
        for (accept, taken) in [
            ("application/vnd.heroku+json; version=3", true),
            ("application/vnd.heroku+json;version=3", true),
            ("application/vnd.heroku+json; version=3.sdk", true),
            ("application/vnd.heroku+json; version=\"3\"", true),
            ("text/html, application/vnd.heroku+json; version=3.run-inside; q=0.9", true),
            ("application/json; version=3", true),
            ("application/vnd.heroku+json; version=2", false),
            ("application/vnd.heroku+json; version=30", false),
            ("application/vnd.heroku+json", false),
            ("*/*", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT, accept.parse().unwrap())]);
            assert_eq!(asks_for_version_3(&headers), taken, "{accept}");
        }
        assert!(!asks_for_version_3(&HeaderMap::new()));
    }
}
