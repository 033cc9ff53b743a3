//! Every limit and every wait of the router, with Heroku's figures as defaults.

use ipnet::IpNet;
use std::net::SocketAddr;
use std::time::Duration;

/// Where the router listens and how it behaves.
#[derive(Clone, Debug)]
pub struct Config {
    /// Plain HTTP. Port 0 takes any free one.
    pub listen: Vec<SocketAddr>,
    /// Threads, each with its own socket and pool; 0 for one per core.
    pub threads: usize,
    /// `X-Forwarded-Port`; without it, the port that the request came in by.
    pub forwarded_port: Option<u16>,
    /// Reverse proxies in front of the router: what they say in `X-Forwarded-Proto` and
    /// `X-Forwarded-Port` is believed. From anybody else these are replaced.
    pub trusted_proxies: Vec<IpNet>,
    pub timeouts: Timeouts,
    pub limits: Limits,
}

/// How long things may take.
#[derive(Clone, Debug)]
pub struct Timeouts {
    /// One attempt to connect to a dyno: H19.
    pub connect: Duration,
    /// From a request's arrival until a dyno takes it, held or trying: H20, H99.
    pub hold: Duration,
    /// From the request's last byte to the response's first: H12.
    pub first_byte: Duration,
    /// Without a byte in either direction: H15 (dyno), H28 (client).
    pub idle: Duration,
    /// For a client's next request on a kept connection, its head included.
    pub client_idle: Duration,
    /// A connection to a dyno is kept unused for this long. Below what dynos are told to keep.
    pub dyno_idle: Duration,
    /// A dyno that could not be connected to is left alone for this long.
    pub quarantine: Duration,
    /// For open requests when the router is told to stop: H24.
    pub shutdown: Duration,
}

/// How much there may be.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Requests of one app at once, for each of its dynos: H11.
    pub in_flight_per_dyno: usize,
    /// Connections of clients at once, tunnels among them; requests on further ones get H22.
    pub connections: usize,
    /// Further connections at most; beyond, they are closed at once.
    pub refusals: usize,
    /// Dynos that are tried for one request.
    pub connect_attempts: usize,
    /// Unused connections kept to one dyno by one thread.
    pub idle_per_dyno: usize,
    /// Bytes of a request's head as a whole; beyond it 431.
    pub request_head: usize,
    /// Bytes of the request line, and of one header line: 400.
    pub request_line: usize,
    /// Bytes of a response's head as a whole: H25.
    pub response_head: usize,
    /// Bytes of one `Set-Cookie` line: H25.
    pub cookie: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::from(([0, 0, 0, 0], 8080))],
            threads: 0,
            forwarded_port: None,
            trusted_proxies: Vec::new(),
            timeouts: Timeouts::default(),
            limits: Limits::default(),
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            hold: Duration::from_secs(75),
            first_byte: Duration::from_secs(30),
            idle: Duration::from_secs(55),
            client_idle: Duration::from_mins(1),
            dyno_idle: Duration::from_secs(90),
            quarantine: Duration::from_secs(5),
            shutdown: Duration::from_secs(30),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            in_flight_per_dyno: 200,
            connections: 20_000,
            refusals: 1000,
            connect_attempts: 10,
            idle_per_dyno: 512,
            request_head: 64 * 1024,
            request_line: 8192,
            response_head: 512 * 1024,
            cookie: 8192,
        }
    }
}
