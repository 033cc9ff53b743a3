//! What a platform has for itself on this machine: a network for its dynos, and ports.
//!
//! Several platforms run at once, also of several test runs, and two in one network would take
//! each other's addresses. A platform's number is claimed by holding a port of it open.

use anyhow::{Result, bail};
use std::net::TcpListener;

/// As many platforms may run at once.
const PLATFORMS: u16 = 40;
/// Below the ports that the kernel gives to connections, so that a server which starts again gets
/// its own back.
const FIRST_PORT: u16 = 20_000;
const PORTS: u16 = 4;

/// A claim on a network. It ends when this is dropped.
pub(crate) struct Network {
    number: u16,
    _claim: TcpListener,
}

impl Network {
    /// Claims a network that no other platform has and whose ports are free.
    pub(crate) fn claim() -> Result<Self> {
        for number in 0..PLATFORMS {
            let first = FIRST_PORT + number * PORTS;
            if let Ok(claim) = listen(first)
                && (1..PORTS).all(|port| listen(first + port).is_ok())
            {
                return Ok(Self { number, _claim: claim });
            }
        }
        bail!("{PLATFORMS} test platforms run already, or others use their ports, from {FIRST_PORT} on")
    }

    /// What all addresses in the network begin with.
    pub(crate) fn prefix(&self) -> String {
        format!("10.{}.", 210 + self.number)
    }

    /// Ports on the loopback interface.
    pub(crate) fn ports(&self) -> [u16; 3] {
        let first = FIRST_PORT + self.number * PORTS;
        [first + 1, first + 2, first + 3]
    }
}

fn listen(port: u16) -> std::io::Result<TcpListener> {
    TcpListener::bind(("127.0.0.1", port))
}
