//! Buildpacks by address, brought to where builds see them: read-only, below `/kigo/buildpacks`.
//!
//! What fetches runs in a build's container, so that an address reaches no further than a build does,
//! and what it sends is unpacked as a stranger's. Only then is it seen of which kind they are. An image
//! is looked at like one that was pushed, and its layers become layers of build containers.

use crate::address::{Address, LOCAL};
use crate::build::{Context, blocking};
use crate::cnb::descriptor::has_api;
use crate::cnb::errors::CnbError;
use crate::container::{self, Phase, Pipe};
use crate::images::{bases, layout};
use crate::{BuildError, stack};
use domain::Digest;
use engine::{Mount, Power};
use image::Layer;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What is needed besides to fetch images of other registries.
const IMAGES: &str = "skopeo";

/// Where buildpacks lie in an image.
pub(crate) const IN_IMAGE: &str = "cnb/buildpacks";

/// A buildpack's files.
#[derive(Clone, Debug)]
pub(crate) struct Fetched {
    pub(crate) address: Address,
    /// Its directory's name below `/kigo/buildpacks`.
    pub(crate) number: usize,
    pub(crate) is_cloud_native: bool,
    /// Of an image.
    pub(crate) image: Option<FromImage>,
}

/// The layers of an image that carries buildpacks.
#[derive(Clone, Debug)]
pub(crate) struct FromImage {
    pub(crate) layers: Vec<Layer>,
    /// The same, unpacked.
    pub(crate) trees: Vec<PathBuf>,
    /// What the image says it is, as JSON.
    pub(crate) label: Option<String>,
}

/// Fetches all of them.
pub(crate) async fn fetch(
    context: &mut Context<'_>,
    addresses: Vec<Address>,
) -> Result<Vec<Fetched>, BuildError> {
    let mut images = own_images(context, &addresses).await?;
    let others: Vec<_> = (0..).zip(&addresses).filter(|(number, _)| !images.contains_key(number)).collect();
    if !others.is_empty() {
        images.extend(run(context, &others).await?);
    }
    let mut all = Vec::new();
    for (number, address) in addresses.into_iter().enumerate() {
        let root = context.work.inside("buildpacks").join(number.to_string());
        let image = match images.get(&number) {
            Some(image) => Some(from_image(context, &address, *image).await?),
            None => None,
        };
        let is_cloud_native = image.is_some() || is_cloud_native(&root, &address)?;
        all.push(Fetched { address, number, is_cloud_native, image });
    }
    Ok(all)
}

/// The images that lie in the registry of this installation.
async fn own_images(
    context: &mut Context<'_>,
    addresses: &[Address],
) -> Result<BTreeMap<usize, Digest>, BuildError> {
    let mut found = BTreeMap::new();
    for (number, address) in addresses.iter().enumerate() {
        let bases = &context.request.bases;
        let Some(name) = address.image() else { continue };
        let Some(bases::Base::Registry(repository, reference)) =
            bases::own(name, &bases.hosts(), &stack::names())
        else {
            continue;
        };
        let digest = bases.find(&repository, &reference).await?;
        let missing = || CnbError::Image {
            image: name.to_owned(),
            why: "The registry of this installation does not have it, or you may not read it".into(),
        };
        found.insert(number, digest.ok_or_else(missing)?);
    }
    Ok(found)
}

/// Fetches in a container; returns the images among them.
async fn run(
    context: &mut Context<'_>,
    addresses: &[(usize, &Address)],
) -> Result<BTreeMap<usize, Digest>, BuildError> {
    let builder = context.builder;
    let list = addresses.iter().flat_map(|(number, one)| [format!("{number}\t"), one.script_line()]);
    let list: String = list.collect();
    let mirrors = builder.settings.mirrors.iter().map(ToString::to_string);
    let texts = [
        ("common.sh", include_str!("scripts/common.sh")),
        ("fetch.sh", include_str!("scripts/fetch.sh")),
        ("registries.conf", &mirrors.collect::<String>()),
        ("addresses", &list),
    ];
    texts
        .iter()
        .try_for_each(|(name, text)| context.work.write(name, text))
        .map_err(BuildError::system("writing the build's programs"))?;
    let mut mounts = Vec::new();
    if let Some(local) = &builder.settings.local_buildpacks {
        mounts.push(Mount { source: local.clone(), target: LOCAL.into(), read_only: true });
    }
    let has_images = addresses.iter().any(|(_, address)| address.image().is_some());
    // Only here.
    let packages = context.build_packages.clone();
    context.build_packages.extend(has_images.then(|| IMAGES.to_owned()));
    let image = context.build_image([]).await;
    context.build_packages = packages;
    let limit = builder.settings.limits.disk;
    let phase = Phase {
        image: image?,
        script: "fetch.sh",
        env: context.env("/app"),
        mounts,
        pipes: vec![
            Pipe::tree("buildpacks", limit),
            Pipe::tree("images", limit).with_entries(layout::entries(addresses.len())),
        ],
        power: Power::Plain,
        decide: None,
    };
    let mut ended =
        container::run(builder, context.request, &context.work, phase, context.deadline, context.output)
            .await?;
    if ended.status != 0 {
        let number = ended.told("buildpack")?.and_then(|text| text.parse::<usize>().ok());
        let address = addresses.iter().find(|(one, _)| Some(*one) == number);
        return Err(match (ended.told("step")?.as_deref(), address) {
            (Some("fetch"), Some((_, address))) => BuildError::BuildpackFetch(address.shown()),
            _ => BuildError::Container(format!("fetching buildpacks ended with status {}", ended.status)),
        });
    }
    let tree = ended.required_tree("buildpacks")?;
    std::fs::rename(tree, context.work.inside("buildpacks"))
        .map_err(BuildError::system("laying out the buildpacks"))?;
    let Some(sent) = ended.tree("images") else { return Ok(BTreeMap::new()) };
    let imported = layout::import(&builder.images, &sent, addresses.len())?;
    context.pins.extend(imported.pins);
    let manifests = imported.manifests.into_iter();
    Ok(manifests.filter_map(|(name, digest)| Some((name.parse().ok()?, digest))).collect())
}

/// Looks at an image as at a stranger's. Of files that are no buildpacks, build containers are to see
/// nothing.
async fn from_image(
    context: &mut Context<'_>,
    address: &Address,
    digest: Digest,
) -> Result<FromImage, BuildError> {
    let images = &context.builder.images;
    let bad = |why: String| CnbError::Image { image: address.image().unwrap_or_default().to_owned(), why };
    context.pins.push(images.pin(digest));
    let turn = crate::images::turn(context).await?;
    let (store, limit) = (images.clone(), context.builder.settings.image_limit);
    let admitted = blocking(move || Ok(store.admit(&turn, &digest, limit))).await?;
    let image = admitted.map_err(|error| {
        if error.is_images_fault() {
            bad(crate::errors::sentence(&error)).into()
        } else {
            BuildError::Container(crate::errors::chain(&error))
        }
    })?;
    context.pins.push(images.pin(image.digest));
    let trees = images.layers(&image.digest)?;
    for tree in &trees {
        let only = |directory: &Path, name: &str| -> std::io::Result<bool> {
            let mut entries = std::fs::read_dir(directory)?;
            entries.try_fold(true, |only, entry| {
                let entry = entry?;
                Ok(only && entry.file_name() == name && entry.file_type()?.is_dir())
            })
        };
        let fits = only(tree, "cnb").and_then(|fits| {
            let inner = tree.join("cnb");
            Ok(fits && (!inner.exists() || only(&inner, "buildpacks")?))
        });
        if !fits.map_err(BuildError::system("looking into an image"))? {
            return Err(bad(format!("It has other files than those below /{IN_IMAGE}")).into());
        }
    }
    let label = image.labels.get("io.buildpacks.buildpackage.metadata").cloned();
    Ok(FromImage { layers: image.layers.clone(), trees, label })
}

/// Classic ones may have a `buildpack.toml`, and some are both: then they are what Heroku takes them
/// for.
fn is_cloud_native(root: &Path, address: &Address) -> Result<bool, BuildError> {
    let has = |path: &str| root.join(path).symlink_metadata().is_ok_and(|found| !found.is_dir());
    if has("bin/detect") && has("bin/compile") {
        return Ok(false);
    }
    let text = image::read_small_file(root, Path::new("buildpack.toml"), 1 << 20);
    let text = text.ok().flatten().map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    // One that cannot be read is told as such later.
    let says_so =
        text.is_some_and(|text| has_api(&text) || text.parse::<toml::Table>().is_err() || has("bin/build"));
    if says_so || !crate::cnb::sources::inside(root).is_empty() {
        return Ok(true);
    }
    Err(BuildError::NotABuildpack(address.shown()))
}
