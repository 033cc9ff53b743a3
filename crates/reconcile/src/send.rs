//! Hands messages to people: by mail, or to a webhook. What is sent, when, and whether it is sent again is up
//! to the loops that use this.

mod mail;
mod webhook;

pub use mail::Mail;

pub(crate) use mail::{Letter, is_address, send as mail};
pub(crate) use webhook::{Post, post};
