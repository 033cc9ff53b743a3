//! A real git client against the endpoint over loopback HTTP, with a backend that does as told.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod fixture;
mod limits;
mod pushes;
mod together;
