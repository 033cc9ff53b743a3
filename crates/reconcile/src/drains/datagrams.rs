//! Drains that take syslog over UDP: a datagram for each line. Nobody answers, and what gets lost is not noticed.

use super::channel::{Failure, Sent};
use super::frame::Batch;
use super::stream::words;
use crate::reach::{Reach, is_own_network};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use tokio::net::UdpSocket;

/// One drain.
pub(super) struct Datagrams {
    reach: Reach,
    host: String,
    port: u16,
    socket: Option<UdpSocket>,
}

impl Datagrams {
    pub(super) fn new(reach: Reach, host: String, port: u16) -> Self {
        Self { reach, host, port, socket: None }
    }

    pub(super) async fn send(&mut self, batch: &Batch) -> Sent {
        let socket = match self.socket.take() {
            Some(socket) => socket,
            None => match self.open().await {
                Ok(socket) => socket,
                Err(error) if is_own_network(&error) => {
                    return Sent::Failed(Failure::own_network());
                }
                Err(error) => return Sent::Failed(Failure::before(words(&error))),
            },
        };
        for place in &batch.places {
            // An error may be the answer to an earlier datagram.
            if let Err(error) = socket.send(&batch.body[place.clone()]).await {
                return Sent::Failed(Failure::under_way(words(&error)));
            }
        }
        self.socket = Some(socket);
        Sent::Taken
    }

    pub(super) fn close(&mut self) {
        self.socket = None;
    }

    async fn open(&self) -> io::Result<UdpSocket> {
        let addresses = self.reach.addresses(&self.host, self.port).await?;
        let address = addresses.first().ok_or(io::ErrorKind::NotFound)?;
        let any: SocketAddr = match address {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = UdpSocket::bind(any).await?;
        socket.connect(address).await?;
        Ok(socket)
    }
}
