//! One file for each package manager, all of the same shape.

pub(super) mod npm;
pub(super) mod pnpm;
pub(super) mod yarn_berry;
pub(super) mod yarn_classic;
