//! Taking the bytes of an upload, and no more of them than the app's repositories have room for.
//!
//! What a request announces is reserved before its first byte is read. One that announces nothing, as
//! Docker's, reserves as it goes on, in steps that grow, so that several at a time cannot take together
//! what there is room for once.

use crate::Registry;
use crate::body::pieces;
use crate::error::Failure;
use axum::body::{Body, HttpBody};
use domain::{RepositoryName, UploadId};
use futures_util::{Stream, StreamExt, stream};
use ops::Actor;
use std::io;
use std::sync::{Mutex, PoisonError};
use tokio_util::io::StreamReader;

/// Bytes that are reserved ahead at most.
const STEP: u64 = 32 << 20;

/// Adds a body to an upload and returns how many bytes it has then. `offset` is where the client
/// takes it to be.
pub(crate) async fn receive(
    registry: &Registry,
    actor: &Actor,
    name: &RepositoryName,
    id: UploadId,
    offset: Option<u64>,
    body: Body,
) -> Result<u64, Failure> {
    let (images, limit) = (&registry.images, registry.blob_limit);
    let room = Room { registry, actor, name, id, refused: Mutex::new(None) };
    let before = images.upload_size(id.0)?;
    let announced = body.size_hint().exact().unwrap_or(0);
    let all = before.saturating_add(announced).min(limit);
    let promised = if announced > 0 { room.reserve(all, all).await? } else { before };
    let reader = StreamReader::new(Box::pin(room.metered(before, promised, body)));
    let received = images.receive_upload(id.0, offset, reader, limit).await;
    let refused = room.refused.into_inner().unwrap_or_else(PoisonError::into_inner);
    // What is there now is what counts; another request may have ended the upload meanwhile.
    if let Ok(size) = images.upload_size(id.0)
        && size != all
    {
        ops::registry::settle_upload(&registry.ops, id, size).await?;
    }
    match refused {
        Some(error) => Err(error.into()),
        None => Ok(received?),
    }
}

/// The room that one request uses.
struct Room<'a> {
    registry: &'a Registry,
    actor: &'a Actor,
    name: &'a RepositoryName,
    id: UploadId,
    /// Why a piece was not taken.
    refused: Mutex<Option<ops::Error>>,
}

impl Room<'_> {
    async fn reserve(&self, need: u64, wish: u64) -> Result<u64, ops::Error> {
        ops::registry::reserve_upload(&self.registry.ops, self.actor, self.name, self.id, need, wish).await
    }

    /// The pieces of a body for which there is room. `taken` bytes are there before it, and `promised`
    /// are reserved.
    fn metered(&self, taken: u64, promised: u64, body: Body) -> impl Stream<Item = io::Result<bytes::Bytes>> {
        let body = Box::pin(pieces(body));
        stream::unfold((body, taken, promised), async |(mut body, taken, mut promised)| {
            let piece = match body.next().await? {
                Ok(piece) => piece,
                Err(error) => return Some((Err(error), (body, taken, promised))),
            };
            let need = taken.saturating_add(piece.len() as u64);
            // What is too large for a blob is refused as such, by whoever writes it.
            if need > promised && need <= self.registry.blob_limit {
                let wish = need.saturating_add(need.min(STEP)).min(self.registry.blob_limit);
                match self.reserve(need, wish).await {
                    Ok(more) => promised = more,
                    Err(error) => {
                        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                        return Some((Err(io::ErrorKind::QuotaExceeded.into()), (body, taken, promised)));
                    }
                }
            }
            Some((Ok(piece), (body, need, promised)))
        })
    }
}
