use super::*;

fn request(version: Version, uri: &str, headers: &[(&str, &str)]) -> Request<()> {
    let mut request = Request::builder().version(version).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap()
}

#[test]
fn a_request_names_exactly_one_host() {
    let check = |version, uri: &str, headers: &[(&str, &str)]| {
        host(&request(version, uri, headers)).map(|host| host.to_str().unwrap().to_owned())
    };
    let (old, new) = (Version::HTTP_10, Version::HTTP_11);
    let bad = Err(StatusCode::BAD_REQUEST);
    assert_eq!(check(new, "/", &[("host", "a.b:80")]), Ok("a.b:80".into()));
    assert_eq!(check(new, "http://a.b/x", &[("host", "A.b")]), Ok("A.b".into()));
    assert_eq!(check(old, "http://a.b/x", &[]), Ok("a.b".into()));
    assert_eq!(check(new, "http://a.b/x", &[("host", "other")]), bad);
    assert_eq!(check(new, "/", &[("host", "a"), ("host", "a")]), bad);
    assert_eq!(check(new, "/", &[("host", "")]), bad);
    assert_eq!(check(new, "/", &[]), bad);
    let mut connect = request(new, "a.b:443", &[("host", "a.b:443")]);
    *connect.method_mut() = Method::CONNECT;
    assert_eq!(host(&connect), Err(StatusCode::METHOD_NOT_ALLOWED));
}

#[test]
fn hosts_are_looked_up_without_port_case_and_root() {
    for (given, key) in [
        ("my-app.localhost", "my-app.localhost"),
        ("My-App.LOCALHOST:8080", "my-app.localhost"),
        ("my-app.localhost.", "my-app.localhost"),
        ("my-app.localhost.:80", "my-app.localhost"),
        ("[::1]:80", "[::1]"),
        ("a:b", "a:b"),
    ] {
        assert_eq!(route_key(&HeaderValue::from_static(given)).unwrap(), key);
    }
    assert!(route_key(&HeaderValue::from_bytes(b"\xff").unwrap()).is_none());
}

#[test]
fn only_ids_of_the_documented_form_are_kept() {
    let id = |given: &str| {
        let mut headers = HeaderMap::new();
        headers.insert(X_REQUEST_ID, given.parse().unwrap());
        request_id(&headers)
    };
    for good in ["abcdefghij0123456789", "ABCDEFGHIJ+/=-012345", &"a".repeat(200)] {
        assert_eq!(id(good), good);
    }
    for bad in ["short", &"a".repeat(201), "abcdefghij 0123456789", "abcdefghij_0123456789"] {
        let fresh = id(bad);
        assert_ne!(fresh, bad);
        assert!(uuid::Uuid::parse_str(fresh.to_str().unwrap()).is_ok());
    }
    assert_ne!(request_id(&HeaderMap::new()), request_id(&HeaderMap::new()));
}

#[test]
fn the_clients_address_is_appended() {
    let client = HeaderValue::from_static("10.0.0.9");
    let join = |headers: &[(&str, &str)]| {
        forwarded_for(request(Version::HTTP_11, "/", headers).headers(), &client).to_str().unwrap().to_owned()
    };
    assert_eq!(join(&[]), "10.0.0.9");
    assert_eq!(join(&[("x-forwarded-for", "1.1.1.1")]), "1.1.1.1, 10.0.0.9");
    let two = [("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "2.2.2.2")];
    assert_eq!(join(&two), "1.1.1.1, 2.2.2.2, 10.0.0.9");
}

#[test]
fn odd_framing_and_expectations_are_refused() {
    let limits = Limits { request_line: 200, ..Limits::default() };
    let refused = |uri: &str, headers: &[(&str, &str)]| {
        check(&request(Version::HTTP_11, uri, headers), &limits).err().map(|fault| fault.cause.unwrap())
    };
    let bad = Some("bad header");
    assert_eq!(refused("/", &[("transfer-encoding", "chunked")]), None);
    assert_eq!(refused("/", &[("transfer-encoding", "Chunked")]), None);
    for coding in ["gzip, chunked", "chunked, chunked", "xchunked", "identity", "chunked;a=b"] {
        assert_eq!(refused("/", &[("transfer-encoding", coding)]), bad, "{coding}");
    }
    assert_eq!(refused("/", &[("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")]), bad);
    assert_eq!(refused("/", &[("expect", "100-Continue")]), None);
    assert_eq!(refused("/", &[("expect", "200-ok")]), Some("unsupported expect header value"));
    assert_eq!(refused(&format!("/{}", "a".repeat(200)), &[]), bad);
    assert_eq!(refused("/", &[("x", &"a".repeat(198))]), bad);
    assert_eq!(refused("/", &[("x", &"a".repeat(197))]), None);
}

#[test]
fn headers_of_one_connection_stay_on_it() {
    let mut headers = request(
        Version::HTTP_11,
        "/",
        &[
            ("connection", "close, X-Drop, Accept-Secret, host, x-forwarded-for, content-length"),
            ("accept-secret", "1"),
            ("keep-alive", "5"),
            ("upgrade", "h2c"),
            ("proxy-connection", "close"),
            ("host", "a"),
            ("x-forwarded-for", "1.1.1.1"),
            ("content-length", "3"),
            ("accept", "*/*"),
        ],
    )
    .headers()
    .clone();
    strip_hop_by_hop(&mut headers);
    let mut left: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
    left.sort_unstable();
    assert_eq!(left, ["accept", "content-length", "host", "x-forwarded-for"]);
}

#[test]
fn a_response_in_chunks_has_no_length_and_one_via() {
    let mut headers = HeaderMap::new();
    headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from_static("5"));
    headers.append(VIA, HeaderValue::from_static("1.0 a"));
    headers.append(VIA, HeaderValue::from_static("1.1 b"));
    to_client(&mut headers, &Limits::default()).unwrap();
    assert_eq!(headers.get(VIA).unwrap(), "1.0 a, 1.1 b, 1.1 kigo-router");
    assert_eq!(headers.len(), 1);
    headers.insert(SET_COOKIE, "a".repeat(8192).parse().unwrap());
    assert_eq!(to_client(&mut headers, &Limits::default()), Err(&BIG_COOKIE));
}

#[test]
fn an_upgrade_is_wanted_only_when_asked_rightly() {
    let wanted = |version, connection| {
        let headers = [("connection", connection), ("upgrade", "websocket")];
        wanted_upgrade(&request(version, "/", &headers)).is_some()
    };
    assert!(wanted(Version::HTTP_11, "keep-alive, Upgrade"));
    assert!(!wanted(Version::HTTP_11, "keep-alive"));
    assert!(!wanted(Version::HTTP_10, "upgrade"));
}
