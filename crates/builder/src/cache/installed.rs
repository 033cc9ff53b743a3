//! Something that is installed into the same files whenever the same inputs decide it: an app's
//! dependencies, say. It is a layer of its own, which builds start with and images refer to.

use super::{Kept, Record};
use crate::BuildError;
use crate::build::Context;
use image::{ImageSpec, Layer};

/// What an earlier build of the app installed, or what this one will.
#[derive(Clone, Debug)]
pub(crate) struct Installed {
    name: &'static str,
    /// Hash of everything that decides what gets installed. `None` when the inputs alone do not.
    key: Option<String>,
    found: Option<Layer>,
}

impl Installed {
    /// Looks for what an earlier build kept under this name and key.
    pub(crate) fn find(context: &Context<'_>, name: &'static str, key: Option<String>) -> Self {
        let builder = context.builder;
        let found = key.as_ref().and_then(|key| {
            let record = Record::read(&builder.data, context.request.app, name, key)?;
            record.layers(&builder.images)?.first().copied()
        });
        Self { name, key, found }
    }

    /// The layer that an earlier build kept.
    pub(crate) fn layer(&self) -> Option<Layer> {
        self.found
    }

    /// Whether nothing has to be installed.
    pub(crate) fn is_there(&self) -> bool {
        self.found.is_some()
    }

    /// Whether what gets installed is worth keeping.
    pub(crate) fn is_kept(&self) -> bool {
        self.key.is_some()
    }

    /// Keeps what this build installed.
    pub(crate) fn keep(
        &self,
        context: &mut Context<'_>,
        new: Option<Layer>,
    ) -> Result<Option<Kept>, BuildError> {
        let (Some(key), Some(layer)) = (&self.key, new) else { return Ok(None) };
        let image = context.put_image(&ImageSpec { layers: vec![layer], ..ImageSpec::default() })?;
        Ok(Some(Kept { name: self.name, record: Record::of_image(key, image) }))
    }
}
