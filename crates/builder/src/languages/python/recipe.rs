//! How a layer is made that all apps share: a package manager, a Python that is no part of a stack.

use crate::BuildError;
use crate::build::Context;
use crate::cache::{self, Found, Shared};
use crate::container::Pipe;
use crate::errand::{self, Errand};
use crate::stack;
use image::Layer;
use sha2::{Digest as _, Sha256};

/// Something that all apps share, and how it is made if it is not there.
pub(super) struct Recipe {
    pub(super) shared: Shared,
    /// The directory that it consists of, without a leading slash; in `KIGO_PLACE` for the script.
    pub(super) place: &'static str,
    /// A file that the script finds in `/kigo`.
    pub(super) file: Option<(&'static str, String)>,
    pub(super) errand: Errand,
}

/// By which pipe a script sends what it made.
const PIPE: &str = "shared";

impl Recipe {
    /// The layer; makes it if need be. Of several builds that want it at once, one makes it and the
    /// others wait. `Err` inside is the status that the script ended with.
    pub(super) async fn make(mut self, context: &mut Context<'_>) -> Result<Result<Layer, i32>, BuildError> {
        let _making = match self.shared.find_or_make(context).await? {
            Found::There(layer) => return Ok(Ok(layer)),
            Found::ToMake(making) => making,
        };
        if let Some((name, text)) = &self.file {
            let written = context.work.write(name, text);
            written.map_err(BuildError::system("writing what a tool consists of"))?;
        }
        self.errand.layers.push(cache::empty(context.builder, self.place)?);
        // The time is none of the app's, so that the same files give the same layer.
        let (disk, time) = (context.builder.settings.limits.disk, stack::SOURCE_DATE.unsigned_abs());
        self.errand.pipes = vec![Pipe::packed(PIPE, disk, self.place, time)];
        self.errand.env.extend([
            ("KIGO_PLACE".into(), format!("/{}", self.place)),
            // Also has Python tell by the hash of a file whether what it compiled is still right: the
            // files of layers do not keep their times.
            ("SOURCE_DATE_EPOCH".into(), stack::SOURCE_DATE.to_string()),
        ]);
        let mut ended = errand::run(context, self.errand).await?;
        if ended.status != 0 {
            return Ok(Err(ended.status));
        }
        let layer = ended.required_layer(PIPE)?;
        self.shared.keep(context.builder, layer)?;
        Ok(Ok(layer))
    }
}

/// Tells contents apart that have the same name.
pub(super) fn short_hash(text: &str) -> String {
    hex::encode(&Sha256::digest(text)[..8])
}
