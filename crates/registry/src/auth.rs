//! Who asks. `docker login` sends a user and a password; the password is an API token, and the user
//! may be called anything (`_`, as Heroku has it). A token may also come as `Bearer`.

use crate::error::Failure;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderMap, header};
use ops::{Actor, Ops};

/// Recognises who asks; everybody else is told how to log in.
pub(crate) async fn authenticate(ops: &Ops, headers: &HeaderMap) -> Result<Actor, Failure> {
    let token = token(headers).ok_or_else(Failure::unauthorized)?;
    Ok(ops::authorizations::authenticate(ops, &token).await?)
}

fn token(headers: &HeaderMap) -> Option<String> {
    let (scheme, rest) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.trim().split_once(' ')?;
    let rest = rest.trim();
    let token = if scheme.eq_ignore_ascii_case("bearer") {
        rest.to_owned()
    } else if scheme.eq_ignore_ascii_case("basic") {
        let decoded = String::from_utf8(BASE64_STANDARD.decode(rest).ok()?).ok()?;
        decoded.split_once(':')?.1.to_owned()
    } else {
        return None;
    };
    (!token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_the_token() {
        for (header, expected) in [
            ("Basic XzpLSUdPLTE=", Some("KIGO-1")),
            ("basic OktJR08tMQ==", Some("KIGO-1")),
            ("Bearer KIGO-1", Some("KIGO-1")),
            ("Basic dXNlcjo=", None),
            ("Basic bm8gY29sb24=", None),
            ("Basic !", None),
            ("Digest x", None),
            ("Basic", None),
        ] {
            let headers = HeaderMap::from_iter([(header::AUTHORIZATION, header.parse().unwrap())]);
            assert_eq!(token(&headers).as_deref(), expected, "{header}");
        }
        assert_eq!(token(&HeaderMap::new()), None);
    }
}
