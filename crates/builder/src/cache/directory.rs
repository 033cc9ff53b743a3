//! A directory that programs of a build fill to be faster the next time: Go's build cache, Maven's
//! repository, the `CACHE_DIR` of classic buildpacks.
//!
//! It is kept as layers, so that a build starts with it at no cost, however large it is, and sends
//! only what it adds. When something in it was removed, or when there are many layers, the whole of
//! it is sent and one layer takes the place of all.
//!
//! What a build sends may have as many bytes as `cache_limit` says. When all layers together have more,
//! the next build sends the whole, and if that is too large, nothing is kept: so a directory never takes
//! more than twice the limit.

use super::{Kept, Record};
use crate::build::{Context, pack_tree};
use crate::container::{Ended, Pipe};
use crate::{BuildError, Builder};
use image::{Compression, ImageSpec, Layer, PackOptions};

/// Where such directories are inside a build container.
const PLACE: &str = "kigo-cache";

/// Layers of one directory at most.
const LAYERS: usize = 12;

/// One of an app's directories.
#[derive(Clone, Debug)]
pub(crate) struct Directory {
    name: &'static str,
    key: String,
    layers: Vec<Layer>,
    /// Bytes of the files in all layers, and how many there may be.
    bytes: u64,
    limit: u64,
    times: Times,
}

/// Which times its files have for the next build. Programs take them for various things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Times {
    /// That of the source, as everything that a build makes.
    Source,
    /// One that never comes, for programs that note in a file's time when they used it: a file that
    /// is used has not changed.
    Never,
    /// Those that they had, for programs that compare them.
    Own,
}

/// The first second of 2100.
pub(crate) const NEVER: u64 = 4_102_444_800;

impl Directory {
    /// The directory `name`, with what earlier builds with the same key left in it. The name is that
    /// of the pipe by which the container sends it.
    pub(crate) fn find(
        context: &Context<'_>,
        name: &'static str,
        key: impl Into<String>,
    ) -> Result<Self, BuildError> {
        let (builder, key) = (context.builder, key.into());
        let record = Record::read(&context.cache(), name, &key);
        let found = record.and_then(|record| Some((record.layers(&builder.images)?, record.bytes)));
        let (layers, bytes) = match found {
            Some(found) => found,
            // The directory itself, which no build could make.
            None => (vec![empty(builder, &prefix(name))?], 0),
        };
        Ok(Self { name, key, layers, bytes, limit: builder.settings.cache_limit, times: Times::Source })
    }

    /// With other times.
    pub(crate) fn with_times(self, times: Times) -> Self {
        Self { times, ..self }
    }

    /// Its path inside.
    pub(crate) fn path(&self) -> String {
        format!("/{PLACE}/{}", self.name)
    }

    /// The layers that the container starts with.
    pub(crate) fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// How the container sends it (`keep_directory` in `common.sh`).
    pub(crate) fn pipe(&self) -> Pipe {
        Pipe::optional(self.name, self.limit)
    }

    /// For the program in the container: whether to send the whole.
    pub(crate) fn plan(&self) -> (String, String) {
        let whole = u8::from(self.layers.len() >= LAYERS || self.bytes > self.limit);
        (format!("KIGO_WHOLE_{}", self.name), whole.to_string())
    }

    /// Takes over what the container sent; `None` when nothing changed, or what was added could not be
    /// taken.
    pub(crate) async fn keep(
        self,
        context: &mut Context<'_>,
        ended: &mut Ended,
    ) -> Result<Option<Kept>, BuildError> {
        let whole = ended.told(&format!("cache.{}", self.name))?.as_deref() != Some("added");
        if whole && ended.is_refused(self.name) {
            context.test_layers.extend(self.layers);
            // It would be too large the next time as well.
            return Ok(Some(Kept { name: self.name, record: Record::of_key(&self.key) }));
        }
        let Some((tree, sent)) = ended.sized_tree(self.name) else {
            context.test_layers.extend(self.layers);
            return Ok(None);
        };
        let times = match self.times {
            Times::Source => Some(context.source_time),
            Times::Never => Some(NEVER),
            Times::Own => None,
        };
        let new = pack_tree(context.builder, tree, &prefix(self.name), times).await?;
        let (mut layers, bytes) = if whole { (Vec::new(), 0) } else { (self.layers, self.bytes) };
        layers.push(new);
        context.test_layers.extend(layers.iter().copied());
        let image = context.put_image(&ImageSpec { layers, ..ImageSpec::default() })?;
        let record = Record { bytes: bytes.saturating_add(sent), ..Record::of_image(&self.key, image) };
        Ok(Some(Kept { name: self.name, record }))
    }
}

fn prefix(name: &str) -> String {
    format!("{PLACE}/{name}")
}

/// A layer with an empty directory that a build may write into.
pub(crate) fn empty(builder: &Builder, prefix: &str) -> Result<Layer, BuildError> {
    let nothing = tempfile::tempdir().map_err(BuildError::system("making an empty directory"))?;
    let options = PackOptions { prefix: prefix.into(), ..PackOptions::app(0) };
    Ok(builder.images.add_layer_from_directory(nothing.path(), &options, Compression::Zstd)?)
}
