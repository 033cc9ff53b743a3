//! Debian packages as layers on a stack.
//!
//! What a language needs of the operating system is not in its stack: it is installed on top, once
//! for each set of packages, and shared by all apps that need that set. A set is one layer, made by
//! apt in a container on exactly the image that it will lie on, so that dpkg's list of packages is
//! right in every image. A new version of the stack has new layers. An app with several languages
//! has one layer with the packages of all of them.

use crate::build::Context;
use crate::container::{self, Phase, Pipe};
use crate::{BuildError, Builder, cache, stack, waiting};
use domain::Digest;
use engine::{Mount, Power};
use image::{ImageSpec, ImageStore, Layer};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Counts up when the same packages would be made into something else.
const RECIPE: u32 = 1;

/// Packages by name; `name/release` is one of a further release of Debian that the stack names.
pub(crate) type Packages = BTreeSet<String>;

/// What is written down about a set.
#[derive(Serialize, Deserialize)]
struct Record {
    /// What it lies on.
    base: Digest,
    packages: Packages,
    /// An image of the one layer.
    images: Vec<Digest>,
}

/// The layer with `packages` on the image `base`, which is one of the context's stack; makes it
/// first if need be. `None` if there are no packages.
pub(crate) async fn layer(
    context: &Context<'_>,
    base: Digest,
    packages: &Packages,
) -> Result<Option<Layer>, BuildError> {
    let builder = context.builder;
    if packages.is_empty() {
        return Ok(None);
    }
    let path = cache::packages(&builder.data).join(format!("{}.json", key(base, packages)));
    if let Some(layer) = recorded(&builder.images, &path) {
        return Ok(Some(layer));
    }
    // One at a time: they share apt's lists and downloads, and often each other's packages.
    let lock = Arc::clone(&builder.apt).lock_owned();
    let _alone = waiting::wait(context, "Waiting for another build, which installs packages", lock).await?;
    if let Some(layer) = recorded(&builder.images, &path) {
        return Ok(Some(layer));
    }
    let layer = install(context, base, packages).await?;
    let image = ImageSpec { layers: vec![layer], ..ImageSpec::default() };
    let record = Record { base, packages: packages.clone(), images: vec![builder.images.put_image(&image)?] };
    cache::write(&path, &record).map_err(BuildError::system("writing down which packages are there"))?;
    Ok(Some(layer))
}

fn key(base: Digest, packages: &Packages) -> String {
    let mut hash = Sha256::new();
    hash.update(format!("{RECIPE} {base}"));
    for package in packages {
        hash.update(format!("\n{package}"));
    }
    hex::encode(hash.finalize())
}

fn recorded(images: &ImageStore, path: &Path) -> Option<Layer> {
    let record: Record = cache::read(path)?;
    let layer = images.image(record.images.first()?).ok()?.spec.layers.first().copied()?;
    cache::renew(images, path, layer)
}

/// Runs apt in a container and takes over what that changed.
async fn install(context: &Context<'_>, base: Digest, packages: &Packages) -> Result<Layer, BuildError> {
    let (names, further) = parts(packages);
    context.output.heading(format!("Installing packages of Debian: {}", names.join(", "))).await;
    let apt = stack::apt_of(&context.stack.name, packages)
        .await
        .map_err(|error| BuildError::Stack(context.stack.name.clone(), error))?;
    let files = [
        ("common.sh", include_str!("scripts/common.sh")),
        ("changes.sh", include_str!("stack/common.sh")),
        ("packages.sh", include_str!("scripts/packages.sh")),
        ("apt.conf", &apt.configuration),
        ("sources.list", &apt.sources),
        ("preferences", &apt.preferences),
    ];
    files
        .iter()
        .try_for_each(|(name, text)| context.work.write(name, text))
        .map_err(BuildError::system("writing what apt is told"))?;
    let mut env = context.env("/tmp");
    env.insert("HOME".into(), "/root".into());
    env.insert("KIGO_PACKAGES".into(), apt.packages);
    env.insert("SOURCE_DATE_EPOCH".into(), stack::SOURCE_DATE.to_string());
    let phase = Phase {
        image: base,
        script: "packages.sh",
        env,
        mounts: shared(context.builder, &context.stack.name, &further)
            .map_err(BuildError::system("making room for packages"))?,
        pipes: vec![Pipe::layer("packages")],
        power: Power::Packages,
        decide: None,
    };
    let mut ended = container::run(
        context.builder,
        context.request,
        &context.work,
        phase,
        context.deadline,
        context.output,
    )
    .await?;
    match ended.layer("packages") {
        Some(layer) if ended.status == 0 => Ok(layer),
        _ => Err(BuildError::Packages(packages.iter().cloned().collect())),
    }
}

/// The names of packages, and the further releases that some are of.
fn parts(packages: &Packages) -> (Vec<&str>, BTreeSet<&str>) {
    let split = |package| str::split_once(package, '/').map_or((package, None), |(n, of)| (n, Some(of)));
    let (names, further): (Vec<_>, Vec<_>) = packages.iter().map(|package| split(package)).unzip();
    (names, further.into_iter().flatten().collect())
}

/// apt's lists and downloads, which all sets of one stack share; lists, which apt removes when they
/// are of no source it is told, with those that name the same releases.
fn shared(builder: &Builder, stack: &str, further: &BTreeSet<&str>) -> std::io::Result<Vec<Mount>> {
    let place = builder.data.join("cache").join("apt").join(stack);
    let mount = |name: &str, target: &str| -> std::io::Result<Mount> {
        let source: PathBuf = place.join(name);
        std::fs::create_dir_all(source.join("partial"))?;
        Ok(Mount { source, target: target.into(), read_only: false })
    };
    let lists = further.iter().fold("lists".to_owned(), |name, release| format!("{name}-{release}"));
    Ok(vec![mount(&lists, "/var/lib/apt/lists")?, mount("archives", "/var/cache/apt/archives")?])
}

/// Forgets the sets that lie on none of the images `current`, and those that were not used for so long,
/// so that they are collected. What runs keeps its own.
pub(crate) fn forget(data: &Path, current: &[Digest], unused: Duration) -> std::io::Result<()> {
    for path in cache::records_in(&cache::packages(data))? {
        let known = cache::read::<Record>(&path).is_some_and(|record| current.contains(&record.base));
        if !known || cache::is_unused(&path, unused) {
            cache::forget(&path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packages<const N: usize>(names: [&str; N]) -> Packages {
        names.map(str::to_owned).into()
    }

    #[test]
    fn a_set_is_named_by_what_it_lies_on_and_not_by_its_order() {
        let (one, two) = (Digest::from_bytes([1; 32]), Digest::from_bytes([2; 32]));
        assert_eq!(key(one, &packages(["a", "b"])), key(one, &packages(["b", "a", "b"])));
        assert_ne!(key(one, &packages(["a", "b"])), key(two, &packages(["a", "b"])));
        assert_ne!(key(one, &packages(["a", "b"])), key(one, &packages(["ab"])));
    }

    #[test]
    fn releases_are_told_from_names() {
        let packages = packages(["python3.11/bookworm", "libpq-dev", "php8.2-cli/bookworm"]);
        let (names, further) = parts(&packages);
        assert_eq!(names, ["libpq-dev", "php8.2-cli", "python3.11"]);
        assert_eq!(further, BTreeSet::from(["bookworm"]));
    }

    #[test]
    fn sets_of_a_stack_that_is_no_more_are_forgotten() {
        let data = tempfile::tempdir().unwrap();
        let (old, new) = (Digest::from_bytes([1; 32]), Digest::from_bytes([2; 32]));
        let record = |base| Record { base, packages: packages(["a"]), images: vec![base] };
        cache::write(&cache::packages(data.path()).join("old.json"), &record(old)).unwrap();
        cache::write(&cache::packages(data.path()).join("new.json"), &record(new)).unwrap();
        forget(data.path(), &[new], Duration::MAX).unwrap();
        let left = || cache::records_in(&cache::packages(data.path())).unwrap();
        assert_eq!(left(), [cache::packages(data.path()).join("new.json")]);
        forget(data.path(), &[new], Duration::ZERO).unwrap();
        assert!(left().is_empty(), "nobody has used it for no time");
    }
}
