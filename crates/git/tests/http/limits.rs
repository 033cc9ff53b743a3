//! What is too large, broken or not meant for us.

use crate::fixture::{Server, TOKEN};
use base64::Engine;
use std::io::Write;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn a_pack_over_the_limit_is_refused_and_not_kept() {
    let mut server = Server::with(|config| config.max_pack = 100_000).await;
    let work = server.work("work").await;
    // Does not compress.
    let mut noise = vec![0; 300_000];
    std::io::Read::read_exact(&mut std::fs::File::open("/dev/urandom").unwrap(), &mut noise).unwrap();
    std::fs::write(work.path.join("noise"), noise).unwrap();
    work.commit("small", "").await;
    let words = work.git(&["push", "kigo", "main"]).await.fails();
    assert!(words.contains("pack exceeds maximum allowed size"), "{words}");
    server.settled(1).await;
    assert_eq!(server.remote_ref("refs/heads/main").await, None);
    server.assert_no_build();
}

#[tokio::test]
async fn many_pushes_at_one_time_are_sent_away() {
    let mut server = Server::with(|config| config.max_pushes = 1).await;
    let (first, second) = (server.work("first").await, server.work("second").await);
    let push = first.push();
    let build = server.build().await;
    let words = second.git(&["push", "kigo", "main:other"]).await.fails();
    assert!(words.contains("503"), "{words}");
    build.succeed().await;
    push.await.unwrap().ok();
    server.settled(1).await;
    second.git(&["push", "kigo", "main:other"]).await.ok();
}

/// A push as a client other than git could send it: one update of `main`, then these bytes.
fn request(new: &str, pack: &[u8]) -> Vec<u8> {
    let update = format!("{} {new} refs/heads/main\0 report-status side-band-64k", "0".repeat(40));
    let mut body = format!("{:04x}{update}0000", update.len() + 4).into_bytes();
    body.extend_from_slice(pack);
    body
}

async fn post(address: SocketAddr, extra: &str, body: &[u8]) -> String {
    let credentials = base64::engine::general_purpose::STANDARD.encode(format!("x:{TOKEN}"));
    let head = format!(
        "POST /my-app.git/git-receive-pack HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {credentials}\r\n\
         Connection: close\r\nContent-Length: {}\r\n{extra}\r\n",
        body.len()
    );
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn broken_packs_are_refused() {
    let mut server = Server::new().await;
    let work = server.work("work").await;
    let commit = work.head().await;
    let mut command = work.command(&["pack-objects", "--stdout", "--revs", "--quiet"]);
    command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut packing = command.spawn().unwrap();
    packing.stdin.take().unwrap().write_all(b"main\n").await.unwrap();
    let whole = packing.wait_with_output().await.unwrap().stdout;
    let mut flipped = whole.clone();
    flipped[40] ^= 0xff;
    let mut endless = whole.clone();
    endless[8..12].copy_from_slice(&u32::MAX.to_be_bytes());
    for (name, pack) in [
        ("cut", &whole[..whole.len() / 2]),
        ("flipped", &flipped),
        ("endless", &endless),
        ("none", &[]),
        ("no pack", b"<html>"),
    ] {
        let answer = post(server.address, "", &request(&commit, pack)).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{name}: {answer}");
        assert!(!answer.contains("unpack ok"), "{name}: {answer}");
        assert_eq!(server.remote_ref("refs/heads/main").await, None, "{name}");
    }
    // A whole pack, but not of the commit it is said to be.
    let other = "1234567890123456789012345678901234567890";
    let answer = post(server.address, "", &request(other, &whole)).await;
    assert!(answer.contains("ng refs/heads/main"), "{answer}");
    server.assert_no_build();

    // The same by gzip is taken, so that it is the packs that were at fault.
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(&request(&commit, &whole)).unwrap();
    let zipped = encoder.finish().unwrap();
    let pushing = post(server.address, "Content-Encoding: gzip\r\n", &zipped);
    let (answer, ()) = tokio::join!(pushing, async { server.build().await.succeed().await });
    assert!(answer.contains("unpack ok") && answer.contains("ok refs/heads/main"), "{answer}");
}
