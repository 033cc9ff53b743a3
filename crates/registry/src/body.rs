//! Reading what clients send.

use crate::error::{Code, Failure};
use axum::body::Body;
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use std::io;
use std::time::Duration;

/// A client that sends nothing for so long has gone.
const SILENCE: Duration = Duration::from_mins(2);

pub(crate) fn pieces(body: Body) -> impl Stream<Item = io::Result<Bytes>> {
    stream::unfold(body.into_data_stream(), |mut body| async {
        match tokio::time::timeout(SILENCE, body.next()).await {
            Ok(piece) => Some((piece?.map_err(io::Error::other), body)),
            Err(_) => Some((Err(io::ErrorKind::TimedOut.into()), body)),
        }
    })
}

/// A whole body of at most `limit` bytes.
pub(crate) async fn small(body: Body, limit: usize) -> Result<Bytes, Failure> {
    let mut whole = bytes::BytesMut::new();
    let mut pieces = Box::pin(pieces(body));
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|error| {
            Failure::new(Code::ManifestInvalid, format!("The manifest did not come whole: {error}."))
        })?;
        if whole.len() + piece.len() > limit {
            let message = format!("The manifest is larger than {} MiB.", limit >> 20);
            return Err(Failure::new(Code::ManifestTooLarge, message));
        }
        whole.extend_from_slice(&piece);
    }
    Ok(whole.freeze())
}
