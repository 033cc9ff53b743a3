//! What handlers take from a request.

pub(crate) mod body;
mod origin;

pub(crate) use crate::middleware::auth::{Login, PasswordLogin};
pub(crate) use body::Body;
pub(crate) use origin::Origin;
pub use origin::Secure;
