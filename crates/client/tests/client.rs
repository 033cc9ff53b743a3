//! The client against servers that answer to order.

#![expect(clippy::unwrap_used, reason = "a test says what failed by where it stops")]

use client::{Client, ClientError, Config};
use futures_util::StreamExt;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Requests that a stand-in got, heads with bodies.
type Requests = Arc<Mutex<Vec<String>>>;

/// A server that gives each request the next answer, and the last one ever after. An answer is
/// all of a response; the connection closes after it.
async fn server(answers: Vec<String>) -> (String, Requests) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let requests = Requests::default();
    let seen = requests.clone();
    tokio::spawn(async move {
        let mut answers = answers.into_iter().peekable();
        let mut answer = String::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            answer = answers.next().unwrap_or(answer);
            let request = read_request(&mut stream).await;
            seen.lock().unwrap().push(request);
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    (url, requests)
}

async fn read_request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.to_ascii_lowercase();
            let length = length.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return text;
            }
        }
        match stream.read(&mut piece).await.unwrap() {
            0 => return text,
            length => bytes.extend_from_slice(&piece[..length]),
        }
    }
}

fn answer(status: u16, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n{body}",
        body.len()
    )
}

fn client(url: &str) -> Client {
    let config = Config {
        api_url: url.into(),
        token: Some("secret-token".into()),
        authority: None,
        user_agent: "test".into(),
    };
    Client::new(&config).unwrap()
}

fn stack(name: &str) -> String {
    format!(
        r#"{{"id":"01234567-89ab-4def-8123-456789abcdef","name":"{name}","default":true,"state":"public",
            "created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:00Z"}}"#
    )
}

#[tokio::test]
async fn lists_are_read_to_their_end() {
    let (url, requests) = server(vec![
        answer(206, "Next-Range: name ]a..; max=1\r\n", &format!("[{}]", stack("a"))),
        answer(200, "", &format!("[{}]", stack("b"))),
    ])
    .await;
    let stacks = client(&url).stacks().await.unwrap();
    assert_eq!(stacks.iter().map(|stack| stack.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    let requests = requests.lock().unwrap();
    assert!(requests[0].contains("authorization: Bearer secret-token"));
    assert!(requests[0].contains("accept: application/vnd.heroku+json; version=3"));
    assert!(!requests[0].contains("range:"));
    assert!(requests[1].contains("range: name ]a..; max=1"), "{}", requests[1]);
}

#[tokio::test]
async fn a_list_with_a_size_is_one_page() {
    let (url, requests) = server(vec![answer(206, "Next-Range: version ..; max=2\r\n", "[]")]).await;
    assert!(client(&url).releases("my-app", 2).await.unwrap().is_empty());
    let requests = requests.lock().unwrap();
    assert_eq!(requests.len(), 1);
    assert!(requests[0].starts_with("GET /apps/my-app/releases "));
    assert!(requests[0].contains("range: version ..; max=2, order=desc"));
}

#[tokio::test]
async fn what_a_user_types_stays_in_its_place() {
    let (url, requests) = server(vec![answer(200, "", "{}")]).await;
    client(&url).drain_remove("../account", "https://user:pw@h/x?y#z").await.unwrap();
    let request = requests.lock().unwrap()[0].clone();
    let path = request.split(' ').nth(1).unwrap();
    assert_eq!(path, "/apps/..%2Faccount/log-drains/https:%2F%2Fuser:pw@h%2Fx%3Fy%23z");
}

#[tokio::test]
async fn errors_of_the_api_are_told_from_others() {
    let error = r#"{"id":"not_found","message":"Couldn't find that app.","resource":"app"}"#;
    let (url, _) =
        server(vec![answer(404, "", error), answer(502, "", "<html>"), answer(200, "", "[]")]).await;
    let client = client(&url);
    let failed = client.app("x").await.unwrap_err();
    assert_eq!((failed.status(), failed.id()), (Some(404), Some("not_found")));
    assert_eq!(failed.to_string(), "Couldn't find that app.");
    let failed = client.app("x").await.unwrap_err();
    assert!(matches!(failed, ClientError::Foreign { status: 502, .. }), "{failed}");
    assert!(matches!(client.app("x").await.unwrap_err(), ClientError::Shape { .. }));
}

#[tokio::test]
async fn an_api_that_cannot_be_reached_is_named() {
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let failed = client(&format!("http://{address}")).account().await.unwrap_err();
    assert_eq!(failed.to_string(), format!("cannot reach http://{address}"));
}

#[test]
fn what_is_no_origin_is_refused() {
    for url in ["", "localhost:5000", "ftp://localhost", "http://"] {
        let config = Config { api_url: url.into(), token: None, authority: None, user_agent: "test".into() };
        assert!(Client::new(&config).is_err(), "{url}");
    }
}

/// A response of server-sent events, of which the last chunk may be missing.
fn events(body: &str, whole: bool) -> String {
    let end = if whole { "0\r\n\r\n" } else { "" };
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n{end}",
        body.len()
    )
}

#[tokio::test]
async fn a_followed_log_goes_on_where_it_broke_off() {
    let (url, requests) = server(vec![
        events("id: 1\ndata: one\n\nid: 2\ndata: two\n\nid: 3\ndata: thr", false),
        events(": still here\n\nid: 3\ndata: three\n\n", true),
        events("id: 4\ndata: four\n\n", true),
    ])
    .await;
    let mut lines = client(&url).log_lines(&format!("{url}/streams/logs/key"), true);
    for expected in ["one", "two", "three", "four"] {
        assert_eq!(lines.next().await.unwrap().as_deref(), Some(expected));
    }
    let requests = requests.lock().unwrap();
    assert!(requests.iter().all(|request| !request.contains("secret-token")), "the address is the secret");
    assert!(!requests[0].contains("last-event-id"));
    assert!(requests[1].contains("last-event-id: 2"));
    assert!(requests[2].contains("last-event-id: 3"));
}

#[tokio::test]
async fn a_log_that_is_not_followed_ends() {
    let (url, _) = server(vec![events("id: 1\ndata: one\n\n", true)]).await;
    let mut lines = client(&url).log_lines(&url, false);
    assert_eq!(lines.next().await.unwrap().as_deref(), Some("one"));
    assert_eq!(lines.next().await.unwrap(), None);
    let (url, _) = server(vec![answer(404, "", "{}")]).await;
    assert!(matches!(client(&url).log_lines(&url, true).next().await, Err(ClientError::LogStream(_))));
}

#[tokio::test]
async fn output_is_read_when_there_is_some() {
    let (url, _) = server(vec![answer(404, "", ""), answer(200, "", "-----> Building")]).await;
    let client = client(&url);
    assert!(client.output(&url, 0).await.unwrap().is_none());
    let stream = client.output(&url, 0).await.unwrap().unwrap();
    let pieces: Vec<_> = stream.map(|piece| piece.unwrap().to_vec()).collect().await;
    assert_eq!(pieces.concat(), b"-----> Building");
}

/// A TLS server for one rendezvous; gives its port and its certificate's file.
async fn rendezvous(directory: &std::path::Path) -> (u16, std::path::PathBuf) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    let file = directory.join("ca.pem");
    std::fs::write(&file, made.cert.pem()).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let config =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut secret = vec![0; "s3cret?x=1\r\n".len()];
            stream.read_exact(&mut secret).await.unwrap();
            assert_eq!(secret, b"s3cret?x=1\r\n");
            // All at once: what follows the greeting's line must not be lost.
            stream.write_all(b"rendezvous\r\n$ ").await.unwrap();
            let mut typed = [0; 3];
            stream.read_exact(&mut typed).await.unwrap();
            stream.write_all(&typed).await.unwrap();
            stream.shutdown().await.unwrap();
        }
    });
    (port, file)
}

#[tokio::test]
async fn a_dyno_is_attached_to_over_tls_that_is_verified() {
    let directory = tempfile::tempdir().unwrap();
    let (port, authority) = rendezvous(directory.path()).await;
    let config = |authority| Config {
        api_url: "http://localhost:1".into(),
        token: None,
        authority,
        user_agent: "test".into(),
    };
    let url = format!("rendezvous://localhost:{port}/s3cret?x=1");
    let mut attached = Client::new(&config(Some(authority))).unwrap().attach(&url).await.unwrap();
    attached.write_all(b"ls\n").await.unwrap();
    let mut output = String::new();
    attached.read_to_string(&mut output).await.unwrap();
    assert_eq!(output, "$ ls\n");
    let stranger = Client::new(&config(None)).unwrap().attach(&url).await;
    assert!(matches!(stranger, Err(ClientError::Attach(_))), "an unknown authority is not trusted");
}
