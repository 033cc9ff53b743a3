//! The body of a dyno's answer, read off its connection as its head said.

use crate::chunked::Piece;
use crate::head::response::Framing;
use crate::link::Link;
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use std::task::{Context, Poll, ready};

/// A body that a dyno is sending.
pub(crate) struct AnswerBody {
    link: Box<Link>,
    framing: Framing,
    /// Whether the connection is good for another request afterwards.
    keep: bool,
}

/// The body ended before its end, or is not coded as its head says.
#[derive(Debug)]
pub(crate) struct Interrupted;

impl AnswerBody {
    pub(crate) fn new(link: Box<Link>, framing: Framing, keep: bool) -> Self {
        Self { link, framing, keep }
    }

    /// The next piece; nothing after the last one.
    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Interrupted>>> {
        loop {
            let unread = &mut self.link.unread;
            match &mut self.framing {
                Framing::Length(0) => return Poll::Ready(None),
                Framing::Length(left) if !unread.is_empty() => {
                    let length = usize::try_from(*left).unwrap_or(usize::MAX).min(unread.len());
                    *left -= length as u64;
                    return Poll::Ready(Some(Ok(Frame::data(unread.split_to(length).freeze()))));
                }
                Framing::Close if !unread.is_empty() => {
                    return Poll::Ready(Some(Ok(Frame::data(unread.split().freeze()))));
                }
                Framing::Chunked(chunks) => match chunks.take(unread).map_err(|_| Interrupted) {
                    Ok(Piece::Short) => {}
                    Ok(Piece::Data(data)) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                    Ok(Piece::End(trailers)) => return Poll::Ready(trailers.map(Frame::trailers).map(Ok)),
                    Err(error) => return Poll::Ready(Some(Err(error))),
                },
                Framing::Length(_) | Framing::Close => {}
            }
            match ready!(self.link.poll_fill(cx)) {
                Ok(1..) => {}
                Ok(0) if matches!(self.framing, Framing::Close) => self.framing = Framing::Length(0),
                Ok(0) | Err(_) => return Poll::Ready(Some(Err(Interrupted))),
            }
        }
    }

    /// Whether there is no further piece.
    pub(crate) fn is_over(&self) -> bool {
        match &self.framing {
            Framing::Length(left) => *left == 0,
            Framing::Chunked(chunks) => chunks.is_done(),
            Framing::Close => false,
        }
    }

    /// What is still to come.
    pub(crate) fn size_hint(&self) -> SizeHint {
        match self.framing {
            Framing::Length(left) => SizeHint::with_exact(left),
            Framing::Chunked(_) | Framing::Close => SizeHint::default(),
        }
    }

    /// The connection, if it can take another request. The body must be over.
    pub(crate) fn into_link(self) -> Option<Box<Link>> {
        Some(self.link).filter(|link| self.keep && link.is_reusable())
    }
}
