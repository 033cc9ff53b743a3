//! What handlers take from a request.

pub(crate) mod body;
mod origin;
mod viewer;

pub(crate) use crate::middleware::auth::{Login, PartnerLogin, PasswordLogin, Who};
pub(crate) use body::Body;
pub(crate) use origin::Origin;
pub use origin::Secure;
pub(crate) use viewer::{Viewer, Visit};
