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
fn a_trusted_proxy_is_believed_where_it_speaks_clearly() {
    let said = |trusted, headers: &[(&str, &str)]| {
        let peer = Peer {
            address: HeaderValue::from_static("10.0.0.9"),
            port: HeaderValue::from_static("8080"),
            trusted,
        };
        let came = forwarded(request(Version::HTTP_11, "/", headers).headers(), &peer);
        (came.protocol, came.port.to_str().unwrap().to_owned(), came.chain.to_str().unwrap().to_owned())
    };
    let (proto, port) = ("x-forwarded-proto", "x-forwarded-port");
    let all = [(proto, "https"), (port, "8443"), ("x-forwarded-for", "1.1.1.1")];
    let chain = "1.1.1.1, 10.0.0.9".to_owned();
    assert_eq!(said(true, &all), ("https", "8443".into(), chain.clone()));
    assert_eq!(said(false, &all), ("http", "8080".into(), chain));
    for (headers, protocol, expected) in [
        (&[(proto, "HTTPS")][..], "https", "443"),
        (&[(proto, "http")], "http", "80"),
        (&[(port, "80")], "http", "80"),
        (&[], "http", "8080"),
        (&[(proto, "gopher")], "http", "8080"),
        (&[(proto, "https, http")], "http", "8080"),
        (&[(proto, "https"), (proto, "https")], "http", "8080"),
        (&[(proto, "https"), (port, "+443")], "https", "443"),
        (&[(proto, "https"), (port, "0")], "https", "443"),
        (&[(port, "65536")], "http", "8080"),
        (&[(port, "")], "http", "8080"),
        (&[(port, "1"), (port, "1")], "http", "8080"),
    ] {
        assert_eq!(said(true, headers), (protocol, expected.into(), "10.0.0.9".into()), "{headers:?}");
    }
}

#[test]
fn odd_framing_and_expectations_are_refused() {
    let limits = Limits { request_line: 200, ..Limits::default() };
    let refused = |uri: &str, headers: &[(&str, &str)]| {
        let (head, ()) = request(Version::HTTP_11, uri, headers).into_parts();
        check(&head, &limits).err().map(|fault| fault.cause.unwrap())
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

/// The lines of the head that a dyno gets, without the time.
fn written(version: Version, uri: &str, headers: &[(&str, &str)], upgrade: Option<&str>) -> Vec<String> {
    let (head, ()) = request(version, uri, headers).into_parts();
    let forwarded = Forwarded {
        chain: HeaderValue::from_static("1.1.1.1"),
        protocol: "http",
        port: HeaderValue::from_static("80"),
    };
    let upgrade = upgrade.map(|protocol| HeaderValue::from_str(protocol).unwrap());
    let own = Own {
        host: &HeaderValue::from_static("a.b"),
        id: &HeaderValue::from_static("id"),
        forwarded: &forwarded,
        upgrade: upgrade.as_ref(),
    };
    let text = String::from_utf8(write(&head, &own)).unwrap();
    let lines = text.strip_suffix("\r\n\r\n").unwrap().split("\r\n");
    lines.filter(|line| !line.starts_with("x-request-start: ")).map(str::to_owned).collect()
}

const OWN: [&str; 4] =
    ["x-request-id: id", "x-forwarded-for: 1.1.1.1", "x-forwarded-proto: http", "x-forwarded-port: 80"];

/// Everything that the router itself adds, around what it lets through.
fn with_own(first: &str, passed: &[&str], via: &str) -> Vec<String> {
    let via = format!("via: {via}");
    let lines = [first, "host: a.b"].into_iter().chain(passed.iter().copied()).chain(OWN);
    lines.chain([via.as_str()]).map(str::to_owned).collect()
}

#[test]
fn headers_of_one_connection_stay_on_it() {
    let got = written(
        Version::HTTP_11,
        "/",
        &[
            ("connection", "close, X-Drop, Accept-Secret, host, x-forwarded-host, content-length, VIA"),
            ("accept-secret", "1"),
            ("keep-alive", "5"),
            ("upgrade", "h2c"),
            ("proxy-connection", "close"),
            ("proxy-authorization", "secret"),
            ("te", "trailers, gzip"),
            ("expect", "100-continue"),
            ("host", "other"),
            ("x-forwarded-host", "kept"),
            ("x-request-start", "1"),
            ("x-request-id", "theirs"),
            ("x-forwarded-for", "9.9.9.9"),
            ("x-forwarded-proto", "gopher"),
            ("x-forwarded-port", "1"),
            ("via", "1.1 before"),
            ("content-length", "3"),
            ("accept", "*/*"),
            ("cookie", "a"),
            ("cookie", "b"),
        ],
        None,
    );
    let passed = [
        "x-forwarded-host: kept",
        "content-length: 3",
        "accept: */*",
        "cookie: a",
        "cookie: b",
        "te: trailers",
    ];
    assert_eq!(got, with_own("GET / HTTP/1.1", &passed, "1.1 kigo-router"));
}

#[test]
fn a_body_in_chunks_has_no_length() {
    let headers = [("content-length", "5"), ("transfer-encoding", "Chunked"), ("via", "1.0 a")];
    let got = written(Version::HTTP_10, "http://a.b?x", &headers, None);
    let expected = with_own("GET /?x HTTP/1.1", &["transfer-encoding: chunked"], "1.0 a, 1.0 kigo-router");
    assert_eq!(got, expected);
}

#[test]
fn an_upgrade_is_asked_for_by_the_router_itself() {
    let headers = [("connection", "upgrade, x-hop"), ("upgrade", "websocket"), ("x-hop", "1")];
    let got = written(Version::HTTP_11, "*", &headers, Some("websocket"));
    let passed = ["upgrade: websocket", "connection: upgrade"];
    assert_eq!(got, with_own("GET * HTTP/1.1", &passed, "1.1 kigo-router"));
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
