//! What shim and init say to each other while a container starts.

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, send, sendmsg, socketpair,
};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// From the shim to init.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Ids and control groups are set; set yourself up.
    Continue,
    /// Start the program.
    Start,
}

/// From init to the shim.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Report {
    /// All is set up. Comes with the terminal, if there is one.
    Ready,
    Started,
    Failed(String),
}

/// One end of a socket pair that keeps messages apart. Closed when a program is executed.
pub(crate) struct Channel(OwnedFd);

const LONGEST: usize = 4096;

impl Channel {
    pub(crate) fn pair() -> io::Result<(Self, Self)> {
        let (one, other) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        Ok((Self(one), Self(other)))
    }

    pub(crate) fn order(&self, order: Order) -> io::Result<()> {
        let byte = match order {
            Order::Continue => b"c",
            Order::Start => b"s",
        };
        send(&self.0, byte, SendFlags::NOSIGNAL)?;
        Ok(())
    }

    /// Waits for an order; `None` when the shim is gone.
    pub(crate) fn wait_order(&self) -> io::Result<Option<Order>> {
        let mut byte = [0];
        loop {
            return match rustix::net::recv(&self.0, &mut byte, RecvFlags::empty()) {
                Ok((0, _)) => Ok(None),
                Ok(_) if byte == *b"c" => Ok(Some(Order::Continue)),
                Ok(_) => Ok(Some(Order::Start)),
                Err(Errno::INTR) => continue,
                Err(error) => Err(error.into()),
            };
        }
    }

    pub(crate) fn send_report(&self, report: &Report, terminal: Option<BorrowedFd<'_>>) -> io::Result<()> {
        let text = match report {
            Report::Ready => "r".to_owned(),
            Report::Started => "s".to_owned(),
            Report::Failed(text) => format!("f{text}"),
        };
        let bytes = &text.as_bytes()[..text.len().min(LONGEST)];
        let descriptors = terminal.as_slice();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() {
            ancillary.push(SendAncillaryMessage::ScmRights(descriptors));
        }
        sendmsg(&self.0, &[IoSlice::new(bytes)], &mut ancillary, SendFlags::NOSIGNAL)?;
        Ok(())
    }

    /// Waits for a report; `None` when init is gone or has nothing more to say.
    pub(crate) fn report(&self) -> io::Result<Option<(Report, Option<OwnedFd>)>> {
        let mut bytes = [0; LONGEST];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let received = loop {
            let mut buffers = [IoSliceMut::new(&mut bytes)];
            match recvmsg(&self.0, &mut buffers, &mut ancillary, RecvFlags::CMSG_CLOEXEC) {
                Err(Errno::INTR) => {}
                other => break other?,
            }
        };
        let terminal = ancillary.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
            _ => None,
        });
        let report = match &bytes[..received.bytes] {
            [] => return Ok(None),
            [b'r', ..] => Report::Ready,
            [b's', ..] => Report::Started,
            [_, text @ ..] => Report::Failed(String::from_utf8_lossy(text).into_owned()),
        };
        Ok(Some((report, terminal)))
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_and_reports_arrive_whole_with_their_descriptor() {
        let (shim, init) = Channel::pair().unwrap();
        shim.order(Order::Continue).unwrap();
        shim.order(Order::Start).unwrap();
        assert_eq!(init.wait_order().unwrap(), Some(Order::Continue));
        assert_eq!(init.wait_order().unwrap(), Some(Order::Start));
        init.send_report(&Report::Ready, Some(init.as_fd())).unwrap();
        init.send_report(&Report::Failed("x".repeat(2 * LONGEST)), None).unwrap();
        let (report, terminal) = shim.report().unwrap().unwrap();
        assert_eq!(report, Report::Ready);
        assert!(terminal.is_some());
        drop(terminal);
        let (report, terminal) = shim.report().unwrap().unwrap();
        assert_eq!(report, Report::Failed("x".repeat(LONGEST - 1)));
        assert!(terminal.is_none());
        drop(init);
        assert!(shim.report().unwrap().is_none());
    }
}
