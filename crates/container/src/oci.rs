//! An OCI runtime (crun, runc, or one that speaks their command line) instead of the own launcher.
//!
//! The shim brings everything as usual: the root with devices, `/sys` and mounts, the network
//! namespace, the control group. The runtime adds what must happen inside: the user and other
//! namespaces, `/proc`, terminals, and the confinement of the program. Its state lies in the
//! container's directory and goes with it.
//!
//! The program is a child of a shell here, where the image has one: as process 1 it would ignore
//! every signal that it does not handle, and SIGTERM would never end it.

mod config;
mod launch;
mod seccomp;

pub(crate) use launch::{Created, Runtime, create, forget};
