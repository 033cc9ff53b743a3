//! Request bodies on their way into a git process.

use axum::body::Body;
use futures_util::StreamExt;
use std::io::{self, Write};
use tokio::io::{AsyncWrite, AsyncWriteExt};

/// Compressed bytes that are inflated at one time; they become a thousand times as many at most.
const PIECE: usize = 4096;

/// Writes a body to a process's standard input and closes that; with `gzip`, inflates it on the
/// way. When the process stops reading, the rest is read and dropped up to `limit` bytes in all, so
/// that the client gets to read the answer.
///
/// # Errors
/// The client went away, sent no gzip, or sent more than `limit` bytes.
pub(crate) async fn forward(
    body: Body,
    gzip: bool,
    limit: u64,
    mut input: impl AsyncWrite + Unpin,
) -> io::Result<()> {
    let mut pieces = body.into_data_stream();
    let mut inflate = gzip.then(|| flate2::write::MultiGzDecoder::new(Vec::new()));
    let mut total = 0;
    let mut listening = true;
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(io::Error::other)?;
        for part in piece.chunks(if gzip { PIECE } else { usize::MAX }) {
            let plain = match &mut inflate {
                None => part.into(),
                Some(decoder) => {
                    decoder.write_all(part)?;
                    std::borrow::Cow::Owned(std::mem::take(decoder.get_mut()))
                }
            };
            total += plain.len() as u64;
            if total > limit {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            listening = listening && input.write_all(&plain).await.is_ok();
        }
    }
    if let Some(decoder) = inflate {
        let rest = decoder.finish()?;
        if total + rest.len() as u64 > limit {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        listening = listening && input.write_all(&rest).await.is_ok();
    }
    if listening {
        // The process may have ended in between; its answer tells.
        let _ = input.shutdown().await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gzip(content: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    #[tokio::test]
    async fn inflates_and_limits() {
        let content = b"0000".repeat(100_000);
        for (body, zipped) in [(content.clone(), false), (gzip(&content), true)] {
            let mut input = Vec::new();
            forward(Body::from(body.clone()), zipped, 400_000, &mut input).await.unwrap();
            assert!(input == content);
            let over = forward(Body::from(body), zipped, 399_999, tokio::io::sink()).await;
            assert_eq!(over.unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        }
        let mut cut = gzip(&content);
        cut.truncate(cut.len() - 5);
        for bad in [cut, b"no gzip".to_vec()] {
            forward(Body::from(bad), true, 1 << 20, tokio::io::sink()).await.unwrap_err();
        }
    }

    #[tokio::test]
    async fn drains_what_nobody_reads() {
        let (input, far_end) = tokio::io::duplex(16);
        drop(far_end);
        forward(Body::from(vec![0; 1 << 20]), false, 1 << 20, input).await.unwrap();
    }
}
