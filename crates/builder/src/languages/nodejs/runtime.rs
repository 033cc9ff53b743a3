//! Layers with Node.js and package managers, each made once for each version and shared by all apps.

use super::corepack::{Checksums, checksums};
use super::failed;
use super::versions::{Program, Versions};
use super::words::NodeError;
use crate::build::blocking;
use crate::output::Output;
use crate::registry::Registry;
use crate::{BuildError, Builder, cache};
use domain::Digest;
use image::{Compression, ImageSpec, ImageStore, Layer, PackOptions, UnpackOptions, unpack};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};
use tempfile::NamedTempFile;

/// Where Node.js and package managers are in dynos and builds.
const PLACE: &str = "app/.heroku/node";

/// Where the C headers of Node.js are, which only builds have.
const HEADERS: &str = "usr/local/kigo/node";

/// What later buildpacks are given.
pub(super) const EXPORT: &str = "export PATH=\"/app/.heroku/node/bin:$PATH:$BUILD_DIR/node_modules/.bin\"
export NODE_HOME=/app/.heroku/node
export NODE_OPTIONS=${NODE_OPTIONS:---max_old_space_size=2560}";

/// Times of the runtime's files, so that the same versions give the same layers.
const MODIFIED: u64 = 1_735_689_600;

/// Programs that are installed.
#[derive(Clone, Debug)]
pub(super) struct Runtime {
    /// For builds and dynos.
    pub(super) programs: Vec<Layer>,
    /// For builds alone.
    pub(super) headers: Layer,
    /// Of the app's package manager.
    pub(super) manager_version: String,
}

/// What is written down about a program.
#[derive(Serialize, Deserialize)]
struct Record {
    /// Of one layer each: the program, and the headers if it is Node.js.
    images: Vec<Digest>,
    /// Of what a checksum in `packageManager` is about.
    checksums: Checksums,
}

/// The layers of one program.
struct Installed {
    layers: Vec<Layer>,
    checksums: Checksums,
}

impl Runtime {
    /// Finds the programs, or downloads them and makes their layers.
    pub(super) async fn install(
        builder: &Builder,
        registry: &Registry<'_>,
        versions: &Versions,
        output: &Output,
    ) -> Result<Self, BuildError> {
        let node = install(builder, registry, &versions.node, output).await?.layers;
        let [node, headers] = node.as_slice() else {
            return Err(BuildError::Container("Node.js has no two layers".into()));
        };
        let mut programs = vec![*node];
        for program in std::iter::once(&versions.npm).chain(&versions.manager) {
            let installed = install(builder, registry, program, output).await?;
            if program.checksum.as_ref().is_some_and(|checksum| !checksum.fits(&installed.checksums)) {
                let version = program.version.to_string();
                return Err(failed(NodeError::OtherChecksum { name: program.name, version }));
            }
            programs.extend(installed.layers);
        }
        let manager_version = versions.manager.as_ref().unwrap_or(&versions.npm).version.to_string();
        Ok(Self { programs, headers: *headers, manager_version })
    }
}

async fn install(
    builder: &Builder,
    registry: &Registry<'_>,
    program: &Program,
    output: &Output,
) -> Result<Installed, BuildError> {
    let name = format!("{}-{}-{}.json", program.name, program.version, std::env::consts::ARCH);
    let path = cache::runtimes(&builder.data).join(name);
    if let Some(installed) = recorded(&builder.images, &path) {
        return Ok(installed);
    }
    output.detail(format!("Downloading and installing {} {}...", program.name, program.version)).await;
    let archive = registry.archive(&program.release.dist).await.map_err(BuildError::Registry)?;
    let native = match &program.native {
        Some(release) => Some(registry.archive(&release.dist).await.map_err(BuildError::Registry)?),
        None => None,
    };
    let (builder, program) = (builder.clone(), program.clone());
    blocking(move || make(&builder, &program, &archive, native.as_ref(), &path)).await
}

fn recorded(images: &ImageStore, path: &Path) -> Option<Installed> {
    let Record { images: digests, checksums } = cache::read(path)?;
    let layer = |digest: &Digest| {
        let layer = images.image(digest).ok()?.layers.first().copied()?;
        images.has_blob(&layer.digest).then_some(layer)
    };
    let layers = digests.iter().map(layer).collect::<Option<Vec<_>>>()?;
    Some(Installed { layers, checksums })
}

fn make(
    builder: &Builder,
    program: &Program,
    archive: &NamedTempFile,
    native: Option<&NamedTempFile>,
    record: &Path,
) -> Result<Installed, BuildError> {
    let system = || BuildError::system(format!("installing {}", program.name));
    let directory = cache::runtimes(&builder.data);
    fs::create_dir_all(&directory).map_err(system())?;
    let scratch = tempfile::Builder::new().prefix("incoming-").tempdir_in(&directory).map_err(system())?;
    let unpacked = |name: &str, archive: &NamedTempFile| -> Result<PathBuf, BuildError> {
        let tree = scratch.path().join(name);
        fs::create_dir(&tree).map_err(system())?;
        let file = fs::File::open(archive.path()).map_err(system())?;
        unpack(io::BufReader::new(file), &tree, &UnpackOptions::source(0, 0)).map_err(BuildError::Source)?;
        Ok(tree)
    };
    let package = unpacked("package", archive)?;
    let native = native.map(|archive| unpacked("native", archive)).transpose()?;
    let checked = program.checked_file.map_or(archive.path().to_owned(), |file| package.join(file));
    let checksums = fs::File::open(checked).and_then(checksums).map_err(system())?;
    let trees = if program.name == "node" {
        arrange_node(&package, scratch.path()).map_err(system())?
    } else {
        vec![(arrange(program.name, &package, native.as_deref(), scratch.path()).map_err(system())?, PLACE)]
    };
    let mut installed = Installed { layers: Vec::new(), checksums };
    let mut images = Vec::new();
    for (tree, place) in trees {
        let options = PackOptions { prefix: place.into(), ..PackOptions::app(MODIFIED) };
        let layer = builder.images.add_layer_from_directory(&tree, &options, Compression::Zstd)?;
        images.push(builder.images.put_image(&ImageSpec { layers: vec![layer], ..ImageSpec::default() })?);
        installed.layers.push(layer);
    }
    cache::write(record, &Record { images, checksums: installed.checksums.clone() }).map_err(system())?;
    Ok(installed)
}

/// Puts the files of Node.js where an installation has them: the program, and its headers.
fn arrange_node(package: &Path, scratch: &Path) -> io::Result<Vec<(PathBuf, &'static str)>> {
    let (tree, headers) = (scratch.join("tree"), scratch.join("headers"));
    fs::create_dir_all(tree.join("bin"))?;
    fs::create_dir(&headers)?;
    fs::rename(package.join("bin/node"), tree.join("bin/node"))?;
    for file in ["LICENSE", "README.md"] {
        // Old packages lack one or the other.
        let _ = fs::rename(package.join(file), tree.join(file));
    }
    if package.join("include").is_dir() {
        fs::rename(package.join("include"), headers.join("include"))?;
    }
    Ok(vec![(tree, PLACE), (headers, HEADERS)])
}

/// Puts an npm package where `npm install --global` would, with links to its programs.
fn arrange(name: &str, package: &Path, native: Option<&Path>, scratch: &Path) -> io::Result<PathBuf> {
    let tree = scratch.join("tree");
    let modules = tree.join("lib/node_modules");
    fs::create_dir_all(tree.join("bin"))?;
    fs::create_dir_all(&modules)?;
    for part in ["man", "docs"] {
        match fs::remove_dir_all(package.join(part)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    let programs = programs(package)?;
    for (program, target) in &programs {
        let target = package.join(target);
        if let Some(native) = native {
            // What its installation would do: the one program answers to all names.
            fs::remove_file(&target)?;
            fs::hard_link(native.join(name), &target)?;
        }
        fs::set_permissions(&target, fs::Permissions::from_mode(0o755))?;
        let inside = target.strip_prefix(package).map_err(io::Error::other)?;
        symlink(Path::new("../lib/node_modules").join(name).join(inside), tree.join("bin").join(program))?;
    }
    fs::rename(package, modules.join(name))?;
    Ok(tree)
}

/// The programs of a package, by name, as its `package.json` says.
fn programs(package: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let text = fs::read(package.join("package.json"))?;
    let manifest: serde_json::Value = serde_json::from_slice(&text)?;
    let list = manifest.get("bin").and_then(serde_json::Value::as_object).into_iter().flatten();
    let mut programs = Vec::new();
    for (name, target) in list {
        let target: PathBuf = Path::new(target.as_str().unwrap_or_default())
            .components()
            .filter(|part| *part != Component::CurDir)
            .collect();
        let is_inside = target.components().all(|part| matches!(part, Component::Normal(_)));
        if !is_inside || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            return Err(io::Error::other(format!("the package has a strange program {name:?}")));
        }
        programs.push((name.clone(), target));
    }
    Ok(programs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(files: &[(&str, &str)]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = directory.path().join("package").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        directory
    }

    #[test]
    fn a_package_is_installed_with_links_to_its_programs() {
        let manifest = r#"{"bin":{"yarn":"./bin/yarn.js","yarnpkg":"bin/yarn.js"}}"#;
        let scratch = package(&[("package.json", manifest), ("bin/yarn.js", "x"), ("man/a", "")]);
        let tree = arrange("yarn", &scratch.path().join("package"), None, scratch.path()).unwrap();
        for name in ["yarn", "yarnpkg"] {
            let program = tree.join("bin").join(name);
            assert_eq!(fs::read_to_string(&program).unwrap(), "x");
            assert_eq!(program.metadata().unwrap().permissions().mode() & 0o777, 0o755);
        }
        assert!(!tree.join("lib/node_modules/yarn/man").exists());
    }

    #[test]
    fn a_native_program_takes_the_place_of_all() {
        let scratch = package(&[
            ("package.json", r#"{"bin":{"pnpm":"pnpm","pnpx":"pnpx"}}"#),
            ("pnpm", "placeholder"),
            ("pnpx", "placeholder"),
        ]);
        let native = scratch.path().join("native");
        fs::create_dir(&native).unwrap();
        fs::write(native.join("pnpm"), "program").unwrap();
        let tree = arrange("pnpm", &scratch.path().join("package"), Some(&native), scratch.path()).unwrap();
        for name in ["pnpm", "pnpx"] {
            assert_eq!(fs::read_to_string(tree.join("bin").join(name)).unwrap(), "program");
        }
    }

    #[test]
    fn a_package_s_programs_are_its_own() {
        for (manifest, is_fine) in [
            (r#"{"bin":{"a":"../x"}}"#, false),
            (r#"{"bin":{"a":"/x"}}"#, false),
            (r#"{"bin":{"../a":"x"}}"#, false),
            (r#"{"bin":{"a":"x"}}"#, true),
            ("{}", true),
            ("x", false),
        ] {
            let scratch = package(&[("package.json", manifest)]);
            assert_eq!(programs(&scratch.path().join("package")).is_ok(), is_fine, "{manifest}");
        }
    }
}
