use super::*;
use proptest::prelude::*;

/// Reads a dyno's bytes as the answer to `method`, with the rest of them.
fn parse_as(method: &Method, text: &[u8]) -> Result<Option<(Head, Vec<u8>)>, &'static Fault> {
    let mut unread = BytesMut::from(text);
    let head = Reader::default().read(&mut unread, method, &Limits::default(), &mut HeaderMap::new())?;
    Ok(head.map(|head| (head, unread.to_vec())))
}

fn parse(text: &str) -> Result<Option<(Head, Vec<u8>)>, &'static Fault> {
    parse_as(&Method::GET, text.as_bytes())
}

/// The framing in a word.
fn framing_of(head: &Head) -> String {
    match head.framing {
        Framing::Length(length) => length.to_string(),
        Framing::Chunked(_) => "chunked".into(),
        Framing::Close => "close".into(),
    }
}

#[test]
fn a_head_says_where_its_body_ends_and_whether_the_connection_stays() {
    for (method, text, framing, keep) in [
        ("GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "5", true),
        ("GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n", "5", true),
        ("GET", "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n", "5", true),
        ("GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: x, Close\r\n\r\n", "5", false),
        (
            "GET",
            "HTTP/1.1 200 OK\r\nConnection: close\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n",
            "0",
            false,
        ),
        ("GET", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", "5", false),
        ("GET", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\n", "5", true),
        ("GET", "HTTP/1.1 200 OK\r\n\r\n", "close", false),
        ("GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n", "chunked", true),
        (
            "GET",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
            "chunked",
            false,
        ),
        ("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "0", true),
        ("HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "0", true),
        ("HEAD", "HTTP/1.1 200 OK\r\n\r\n", "0", true),
        ("GET", "HTTP/1.1 204 No Content\r\n\r\n", "0", true),
        ("GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", "0", true),
        ("GET", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", "0", true),
        ("GET", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", "0", false),
        ("GET", "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", "0", false),
        (
            "GET",
            "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n",
            "18446744073709551615",
            true,
        ),
        ("GET", "HTTP/1.1 200 OK\r\nContent-Length: 005\r\n\r\n", "5", true),
        ("GET", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", "0", true),
    ] {
        let (head, rest) = parse_as(&method.parse().unwrap(), text.as_bytes()).unwrap().unwrap();
        assert_eq!((framing_of(&head).as_str(), head.keep), (framing, keep), "{text:?}");
        assert_eq!(
            head.headers.get(CONTENT_LENGTH).map_or(0, |_| head
                .headers
                .get_all(CONTENT_LENGTH)
                .iter()
                .count()),
            usize::from(text.contains("Content-Length") && framing != "chunked"),
            "{text:?}"
        );
        assert!(rest.is_empty());
    }
}

/// Answers by which a dyno could make the router and a client disagree, and ones that are not HTTP.
#[test]
fn hostile_heads_are_refused() {
    let line = "HTTP/1.1 200 OK\r\n";
    let many = format!("{line}{}\r\n", "A: b\r\n".repeat(FIELDS + 1));
    let cookie = format!("{line}Set-Cookie: {}\r\n\r\n", "a".repeat(8192));
    for (text, fault) in [
        ("SSH-2.0-OpenSSH_9.2\r\n", &MALFORMED),
        ("<html>\n\n", &MALFORMED),
        ("\r\nHTTP/1.1 200 OK\r\n\r\n", &MALFORMED),
        ("http/1.1 200 OK\r\n\r\n", &MALFORMED),
        ("HTTP/2 200 OK\r\n\r\n", &MALFORMED),
        ("HTTP/1.2 200 OK\r\n\r\n", &MALFORMED),
        ("HTTP/1.1  200 OK\r\n\r\n", &MALFORMED),
        ("HTTP/1.1 20 OK\r\n\r\n", &MALFORMED),
        ("HTTP/1.1 099 No\r\n\r\n", &MALFORMED),
        ("HTTP/1.1 2000 OK\r\n\r\n", &MALFORMED),
        ("HTTP/1.1 -20 OK\r\n\r\n", &MALFORMED),
        ("HTTP/1.1 200 O\0K\r\n\r\n", &MALFORMED),
        ("HTTP/1.1 200 O\rK\r\n\r\n", &MALFORMED),
        ("HTTP/1.1 200 OK\r\nNo colon\r\n\r\n", &MALFORMED),
        ("HTTP/1.1 200 OK\r\nA : b\r\n\r\n", &MALFORMED),
        ("HTTP/1.1 200 OK\r\n A: b\r\n\r\n", &MALFORMED),
        ("HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n", &MALFORMED),
        ("HTTP/1.1 200 OK\r\nA: b\0\r\n\r\n", &MALFORMED),
        ("HTTP/1.1 200 OK\r\nA: b\rContent-Length: 3\r\n\r\n", &MALFORMED),
        ("HTTP/1.1 200 OK\r\n: b\r\n\r\n", &MALFORMED),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", &MALFORMED),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", &MALFORMED),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n", &MALFORMED),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n", &MALFORMED),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding:\x0bchunked\r\n\r\n", &MALFORMED),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\n\r\n", &MALFORMED),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", &MALFORMED),
        ("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", &MALFORMED),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", &BAD_LENGTH),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\n", &BAD_LENGTH),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1,\r\n\r\n", &BAD_LENGTH),
        ("HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n", &BAD_LENGTH),
        ("HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n", &BAD_LENGTH),
        ("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", &BAD_LENGTH),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0x1\r\n\r\n", &BAD_LENGTH),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1 1\r\n\r\n", &BAD_LENGTH),
        ("HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551616\r\n\r\n", &BAD_LENGTH),
        ("HTTP/1.1 204 No Content\r\nContent-Length: x\r\n\r\n", &BAD_LENGTH),
        (&many, &BIG_HEADER),
        (&cookie, &BIG_COOKIE),
    ] {
        let got = parse(text).map(|head| head.map(|(head, _)| head.status)).unwrap_err();
        assert_eq!(got, fault, "{text:?}");
    }
}

#[test]
fn a_head_is_bounded_before_its_end_is_there() {
    let limits = Limits { response_head: 100, ..Limits::default() };
    let long = format!("HTTP/1.1 200 OK\r\nA: {}", "a".repeat(100));
    let many = "HTTP/1.1 102 Processing\r\n\r\n".repeat(5);
    for text in [long, many] {
        let mut unread = BytesMut::from(text.as_str());
        let got = Reader::default().read(&mut unread, &Method::GET, &limits, &mut HeaderMap::new());
        assert_eq!(got.err(), Some(&BIG_HEADER), "{text}");
    }
}

#[test]
fn headers_of_one_connection_stay_on_it() {
    let text = "HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Hop, set-cookie\r\nKeep-Alive: timeout=5\r\nX-Hop: 1\r\n\
                Upgrade: h2c\r\nProxy-Connection: close\r\nProxy-Authenticate: Basic\r\nTransfer-Encoding: chunked\r\n\
                Set-Cookie: a\r\nServer: own\r\nVary: a\r\nVary: b\r\nTrailer: x-sum\r\n\r\n";
    let (head, _) = parse(text).unwrap().unwrap();
    let mut left: Vec<&str> = head.headers.keys().map(HeaderName::as_str).collect();
    left.sort_unstable();
    assert_eq!(left, ["server", "trailer", "vary", "via"]);
    assert_eq!(head.headers.get_all("vary").iter().count(), 2);
}

#[test]
fn a_response_has_one_via() {
    for (came, expected) in [
        ("", "1.1 kigo-router"),
        ("Via: 1.0 a\r\nvia: 1.1 b\r\n", "1.0 a, 1.1 b, 1.1 kigo-router"),
        ("Via: 1.0 a\r\nConnection: via\r\n", "1.1 kigo-router"),
    ] {
        let (head, _) = parse(&format!("HTTP/1.1 200 OK\r\n{came}\r\n")).unwrap().unwrap();
        assert_eq!(head.headers.get_all(VIA).iter().collect::<Vec<_>>(), [expected]);
    }
}

#[test]
fn words_of_a_dynos_own_are_kept() {
    let reason = |text| parse(text).unwrap().unwrap().0.reason.map(|reason| reason.as_bytes().to_vec());
    assert_eq!(reason("HTTP/1.1 200 OK\r\n\r\n"), None);
    assert_eq!(reason("HTTP/1.1 200 Fine\r\n\r\n"), Some(b"Fine".to_vec()));
    assert_eq!(reason("HTTP/1.1 599\r\n\r\n"), Some(Vec::new()));
}

#[test]
fn what_comes_before_the_answer_is_passed_over() {
    let text = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n\r\nbody";
    let (head, rest) = parse(text).unwrap().unwrap();
    assert_eq!((head.status, rest.as_slice()), (StatusCode::OK, &b"body"[..]));
    assert!(!head.headers.contains_key("link"));
    assert!(parse("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 2").unwrap().is_none());
}

proptest! {
    #[test]
    fn it_does_not_matter_how_a_head_is_cut(pieces in proptest::collection::vec(1_usize..20, 1..6), bare: bool) {
        let text = "HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 3\r\nX-A: b\r\n\r\n";
        let text = if bare { text.replace("\r\n", "\n") } else { text.to_owned() };
        let (mut unread, mut reader, mut rest) = (BytesMut::new(), Reader::default(), text.as_bytes());
        for length in pieces.iter().cycle() {
            let (now, later) = rest.split_at((*length).min(rest.len()));
            unread.extend_from_slice(now);
            rest = later;
            let got = reader.read(&mut unread, &Method::GET, &Limits::default(), &mut HeaderMap::new()).unwrap();
            prop_assert_eq!(got.is_some(), rest.is_empty());
            if let Some(head) = got {
                prop_assert_eq!(head.status, StatusCode::NOT_FOUND);
                prop_assert_eq!(&head.headers["x-a"], "b");
                break;
            }
        }
    }

    #[test]
    fn noise_is_read_the_same_way_in_one_piece_and_in_many(
        noise in proptest::collection::vec(piece_of_a_head(), 0..12),
        pieces in proptest::collection::vec(1_usize..9, 1..5),
    ) {
        let noise = noise.concat();
        prop_assert_eq!(what_is_read(&noise, &[noise.len().max(1)]), what_is_read(&noise, &pieces));
    }
}

/// Bytes that heads are made of, and ones that they are not.
fn piece_of_a_head() -> impl Strategy<Value = Vec<u8>> {
    let known = [
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.0 304 \r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 ",
        "204",
        "Content-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Connection: close, x\r\n",
        "X: \x7f\r\n",
        "Set-Cookie: a\r\n",
        ": ",
        " ",
        "\t",
        "\r",
        "\n",
        "\r\n",
        "\r\n\r\n",
        "\0",
        "a",
    ];
    prop_oneof![
        4 => proptest::sample::select(known.to_vec()).prop_map(|known| known.as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 1..4),
    ]
}

/// What is made of bytes that come in pieces of these lengths, in words, with what is left.
fn what_is_read(bytes: &[u8], pieces: &[usize]) -> String {
    let (mut unread, mut reader, mut rest) = (BytesMut::new(), Reader::default(), bytes);
    let mut lengths = pieces.iter().cycle();
    loop {
        match reader.read(&mut unread, &Method::GET, &Limits::default(), &mut HeaderMap::new()) {
            Err(fault) => return fault.description.to_owned(),
            Ok(Some(head)) => {
                unread.extend_from_slice(rest);
                let framing = framing_of(&head);
                return format!("{} {framing} {} {:?} {unread:?}", head.status, head.keep, head.headers);
            }
            Ok(None) if rest.is_empty() => return "no end".to_owned(),
            Ok(None) => {
                let (now, later) = rest.split_at((*lengths.next().unwrap()).min(rest.len()));
                unread.extend_from_slice(now);
                rest = later;
            }
        }
    }
}
