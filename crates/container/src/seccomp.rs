//! The system call filter of containers, compiled when Kigo was built (`build.rs`; the lists are
//! in `seccomp/`).
//!
//! Two filters, because one can answer with one error only: what is not known answers ENOSYS, what
//! is known and refused answers EPERM. The kernel takes the stricter answer of the two.

use crate::sys;
use std::io;

static ALLOW: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/allow.bpf"));
static DENY: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/deny.bpf"));

/// Puts this process and all it will ever start under the filter. It must already have
/// `no_new_privs`.
pub(crate) fn install() -> io::Result<()> {
    sys::install_seccomp_filter(DENY)?;
    sys::install_seccomp_filter(ALLOW)
}
