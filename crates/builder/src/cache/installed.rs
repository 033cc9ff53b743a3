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
    /// What has another key, but will do to start with.
    like: Option<Layer>,
}

impl Installed {
    /// Looks for what an earlier build kept under this name and key.
    pub(crate) fn find(context: &Context<'_>, name: &'static str, key: Option<String>) -> Self {
        let builder = context.builder;
        let found = key.as_ref().and_then(|key| {
            let record = Record::read(&context.cache(), name, key)?;
            record.layers(&builder.images)?.first().copied()
        });
        Self { name, key, found, like: None }
    }

    /// If nothing has the key: takes what an earlier build kept under one that begins with `family`
    /// to start with. For what is brought from any state into the wanted one.
    pub(crate) fn or_like(mut self, context: &Context<'_>, family: &str) -> Self {
        let builder = context.builder;
        if self.found.is_none() {
            let record = Record::read_any(&context.cache(), self.name);
            let record = record.filter(|record| record.key.starts_with(family));
            self.like = record.and_then(|record| record.layers(&builder.images)?.first().copied());
        }
        self
    }

    /// The layer that an earlier build kept.
    pub(crate) fn layer(&self) -> Option<Layer> {
        self.found
    }

    /// The layer that a build starts with.
    pub(crate) fn start(&self) -> Option<Layer> {
        self.found.or(self.like)
    }

    /// Whether nothing has to be installed.
    pub(crate) fn is_there(&self) -> bool {
        self.found.is_some()
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
