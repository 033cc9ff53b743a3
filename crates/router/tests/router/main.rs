//! The router as its users meet it: raw bytes over real sockets, tables published from outside,
//! and the log lines that come of it.

#![expect(clippy::unwrap_used, reason = "a test says what failed by where it stops")]

mod bodies;
mod codes;
mod deploys;
mod holding;
mod messages;
mod shutdown;
mod support;
mod tunnels;
