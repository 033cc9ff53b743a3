//! The harness of the end-to-end tests: a real server with its own data, network and ports, the
//! official CLI, git, and what is left behind afterwards.
//!
//! It knows nothing of Kigo's insides: it starts the binary, types what a person types, and looks
//! at what a person sees.

pub mod app;
pub mod leftovers;
mod network;
pub mod other_host;
mod other_side;
pub mod output;
pub mod server;
pub mod wait;

pub use app::App;
pub use other_host::OtherHost;
pub use other_side::{Asked, OtherSide, Reply};
pub use output::Output;
pub use server::Server;
pub use wait::until;
