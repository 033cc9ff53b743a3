//! Linux containers: launcher, shim, root file systems, cgroups, seccomp, networks.
//!
//! Each container is held by a *shim*: a small single-threaded process that sets it up, collects
//! what it prints, enforces its limits and notes how it ended. The shim is no child of the server
//! that had it started, so that containers run on while the server restarts. Everything that a later
//! server needs lies in the container's directory ([`bundle::Paths`]).
//!
//! [`host::Host`] is what the rest of Kigo uses: it starts shims, talks to them over their sockets
//! and reads their directories. It decides nothing and knows neither apps nor images; a caller
//! brings the unpacked layers and a ready network namespace.
//!
//! This is the one crate with `unsafe`, and `sys` is the one module of it that has any.

pub mod bundle;
pub mod cgroup;
pub mod error;
pub mod host;
pub mod init;
pub mod launch;
pub mod net;
mod oci;
mod power;
pub mod protocol;
pub mod rootfs;
pub mod seccomp;
pub mod shim;
pub mod spool;
pub mod state;
mod stem;
mod sys;
#[cfg(test)]
mod testing;

pub use bundle::{Bundle, Network, Ownership, Paths};
pub use error::Failure;
pub use host::{Host, HostConfig, HostError};
