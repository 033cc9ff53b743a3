//! Decisions: from what users wish and what is seen, to what is to be done and why the rest waits.
//!
//! Everything here is a pure function; time is an argument. It refuses to do input or output, to
//! read the clock and to remember anything between two calls: a plan follows from its arguments
//! alone, so that a server that was killed goes on where it was.

pub mod addons;
pub mod archives;
pub mod builds;
pub mod drains;
pub mod dynos;
pub mod notices;
pub mod papertrail;
pub mod partners;
pub mod routes;
pub mod scheduler;
pub mod transfers;
pub mod webhooks;
