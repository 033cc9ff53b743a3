//! Images in Kigo's own content-addressed store.
//!
//! Whatever the way in, a build ends in an OCI image: a manifest, a config and layers, each a blob
//! named by its SHA-256 ([`ImageStore`]). Layers are unpacked once, into directories that overlayfs
//! can stack. [`unpack()`] is the one place where archives that strangers made (sources, slugs,
//! layers) become files; [`pack()`] makes an archive of a directory whose digest depends on nothing
//! but the content.
//!
//! The code is synchronous: call it from `spawn_blocking`. It refuses to mount anything, to speak
//! to registries, and to know what an app, a build or a release is: what must be kept is told to
//! [`ImageStore::collect`].

mod admit;
mod beneath;
mod blobs;
mod collect;
mod compression;
mod layers;
mod manifest;
mod pack;
mod store;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod unpack;
mod uploads;
mod user;
mod view;

pub use admit::{AdmitError, MAX_LAYERS, Turn};
pub use beneath::{MAX_SMALL_FILE, read_small_file};
pub use blobs::{Blob, BlobWriter};
pub use collect::{Collected, Pin, Roots};
pub use compression::Compression;
pub use layers::Layer;
pub use manifest::{HistoryStep, Image, ImageSpec, MANIFEST};
pub use pack::{PackError, PackOptions, Packed, pack};
pub use store::{ImageStore, StoreError};
pub use unpack::{Limits, Policy, Rule, TooMuch, UnpackError, UnpackOptions, Unpacked, unpack};
pub use user::{Identity, UserError};
pub use view::View;
