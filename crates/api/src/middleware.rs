//! What happens to every request before and after its handler, one layer a module.

pub(crate) mod accept;
pub(crate) mod auth;
pub(crate) mod cors;
pub(crate) mod etag;
pub(crate) mod once;
pub(crate) mod panics;
pub(crate) mod request_id;
