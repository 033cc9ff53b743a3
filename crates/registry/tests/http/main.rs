//! The registry over HTTP, on a real database and a real image store.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod fixture;
mod lists;
mod manifests;
mod refusals;
mod uploads;
