//! What a build with Cloud Native Buildpacks leaves to the app's next one: an image with a layer for
//! each layer of a buildpack that may be used again, and one with what the buildpacks said about them.
//! A label tells which is which.

use super::built::{AtLaunch, Built, Types};
use crate::BuildError;
use crate::build::Context;
use crate::cache::{Kept, Record};
use image::{ImageSpec, Layer};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The record's name.
const NAME: &str = "cnb";

/// The label of such an image.
const LABEL: &str = "io.kigo.buildpack-layers";

/// Bytes of the label.
const LIMIT: usize = 2 << 20;

/// Layers by the directory of their buildpack, and by their name.
pub(crate) type Layers<T> = BTreeMap<String, BTreeMap<String, T>>;

/// A layer of an earlier build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Earlier {
    pub(crate) types: Types,
    pub(crate) layer: Layer,
    pub(crate) at_launch: AtLaunch,
}

/// What an earlier build left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Restored {
    pub(crate) layers: Layers<Earlier>,
    /// Files about layers, `store.toml`, lists of software.
    about: Option<Layer>,
}

#[derive(Serialize, Deserialize)]
struct Told {
    types: Types,
    /// Which layer of the image.
    place: usize,
    at_launch: AtLaunch,
}

impl Restored {
    /// Looks for what the app's last build left on this stack.
    pub(crate) fn find(context: &Context<'_>) -> Self {
        let builder = context.builder;
        let record = Record::read_any(&context.cache(), NAME);
        let Some(record) = record.filter(|record| record.key == context.stack.name) else {
            return Self::default();
        };
        let image = record.images.first().and_then(|image| builder.images.image(image).ok());
        let whole =
            image.filter(|image| image.layers.iter().all(|layer| builder.images.has_blob(&layer.digest)));
        whole.and_then(|image| Self::of(&image.spec)).unwrap_or_default()
    }

    fn of(spec: &ImageSpec) -> Option<Self> {
        let told: Layers<Told> = serde_json::from_str(spec.labels.get(LABEL)?).ok()?;
        let earlier = |told: Told| {
            let layer = *spec.layers.get(told.place)?;
            Some(Earlier { types: told.types, layer, at_launch: told.at_launch })
        };
        let layers = told.into_iter().map(|(buildpack, layers)| {
            let layers = layers.into_iter().map(|(name, told)| Some((name, earlier(told)?)));
            Some((buildpack, layers.collect::<Option<_>>()?))
        });
        Some(Self { layers: layers.collect::<Option<_>>()?, about: spec.layers.last().copied() })
    }

    /// Only what these buildpacks, by their directories, left.
    pub(crate) fn only(mut self, buildpacks: &BTreeSet<String>) -> Self {
        self.layers.retain(|buildpack, _| buildpacks.contains(buildpack));
        self
    }

    /// What a build container starts with.
    pub(crate) fn image_layers(&self) -> Vec<Layer> {
        let cached = self.layers.values().flat_map(BTreeMap::values).filter(|earlier| earlier.types.cache);
        cached.map(|earlier| earlier.layer).chain(self.about).collect()
    }

    /// The directories that are restored with content, `buildpack/layer`.
    pub(crate) fn with_content(&self) -> Vec<String> {
        let all = self.layers.iter().flat_map(|(buildpack, layers)| {
            let cached = layers.iter().filter(|(_, earlier)| earlier.types.cache);
            cached.map(move |(name, _)| format!("{buildpack}/{name}"))
        });
        all.collect()
    }

    /// A layer of an earlier build that may stand in for one without content.
    pub(crate) fn layer(&self, buildpack: &str, name: &str) -> Option<&Earlier> {
        self.layers.get(buildpack)?.get(name)
    }
}

/// Whether a later build may use a layer again, with content or without.
pub(crate) fn is_kept(types: Types) -> bool {
    types.cache || (types.launch && !types.build)
}

/// Writes what a buildpack said about the layers that are kept, and what it stores.
pub(crate) fn write_about(tree: &Path, buildpack: &str, built: &Built) -> std::io::Result<()> {
    let directory = tree.join(buildpack);
    std::fs::create_dir_all(&directory)?;
    if let Some(store) = &built.store {
        std::fs::write(directory.join("store.toml"), store)?;
    }
    for (name, left) in built.layers.iter().filter(|(_, left)| is_kept(left.types)) {
        std::fs::write(directory.join(format!("{name}.toml")), &left.metadata)?;
    }
    Ok(())
}

/// Makes the record; `about` is the layer with what was said.
pub(crate) fn keep(
    context: &mut Context<'_>,
    layers: &Layers<Earlier>,
    about: Layer,
) -> Result<Option<Kept>, BuildError> {
    let mut spec = ImageSpec::default();
    let mut told: Layers<Told> = BTreeMap::new();
    for (buildpack, layers) in layers {
        for (name, earlier) in layers {
            let place = spec.layers.len();
            spec.layers.push(earlier.layer);
            let one = Told { types: earlier.types, place, at_launch: earlier.at_launch.clone() };
            told.entry(buildpack.clone()).or_default().insert(name.clone(), one);
        }
    }
    spec.layers.push(about);
    let label = serde_json::to_string(&told).map_err(|error| BuildError::Container(error.to_string()))?;
    if label.len() > LIMIT {
        return Ok(None);
    }
    spec.labels.insert(LABEL.into(), label);
    let image = context.put_image(&spec)?;
    let record = Record { key: context.stack.name.clone(), images: vec![image], bytes: 0 };
    Ok(Some(Kept { name: NAME, record }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::Digest;
    use image::Compression;

    #[test]
    fn an_image_tells_what_its_layers_are() {
        let layer = |n| Layer {
            digest: Digest::from_bytes([n; 32]),
            diff_id: Digest::from_bytes([n; 32]),
            size: 1,
            compression: Compression::Zstd,
        };
        let types = |cache| format!("{{\"launch\": true, \"cache\": {cache}}}");
        let told = |place: usize, cache| {
            format!(
                "{{\"types\": {}, \"place\": {place}, \"at_launch\": {{\"paths\": [], \"changes\": [], \"of_process\": {{}}, \"exec_d\": [], \"profile_d\": []}}}}",
                types(cache)
            )
        };
        let label = format!(
            "{{\"a\": {{\"x\": {}, \"y\": {}}}, \"b\": {{\"z\": {}}}}}",
            told(0, true),
            told(1, false),
            told(0, true)
        );
        let mut spec = ImageSpec { layers: vec![layer(0), layer(1), layer(2)], ..ImageSpec::default() };
        assert_eq!(Restored::of(&spec), None);
        spec.labels.insert(LABEL.into(), label);
        let restored = Restored::of(&spec).unwrap().only(&["a".to_owned()].into());
        assert_eq!(restored.with_content(), ["a/x"]);
        assert_eq!(restored.image_layers(), [layer(0), layer(2)]);
        assert_eq!(restored.layer("a", "y").unwrap().layer, layer(1));
        assert!(restored.layer("b", "z").is_none());
        // One that does not add up is none.
        spec.layers.truncate(1);
        assert_eq!(Restored::of(&spec), None);
    }

    #[test]
    fn what_is_kept_goes_by_the_types() {
        for (launch, build, cache, kept) in [
            (true, true, true, true),
            (false, true, true, true),
            (true, true, false, false),
            (false, true, false, false),
            (true, false, true, true),
            (false, false, true, true),
            (true, false, false, true),
            (false, false, false, false),
        ] {
            assert_eq!(is_kept(Types { launch, build, cache }), kept);
        }
    }
}
