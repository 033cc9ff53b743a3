//! The working directory of one build, `builds/<build id>/work` in the data directory.
//!
//! `kigo/` in it is mounted read-only at `/kigo` inside the build's containers; `out/` receives what
//! they send. Everything goes when the build ends; what a killed server left goes when the same
//! build starts again, or with [`sweep`].

use crate::source::OWNER;
use domain::{BuildId, ConfigVars};
use engine::Mount;
use std::io;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

/// A build's working directory; removed when dropped.
pub(crate) struct Work {
    root: PathBuf,
}

impl Work {
    /// Makes it anew.
    pub(crate) fn create(data: &Path, build: BuildId) -> io::Result<Self> {
        let root = data.join("builds").join(build.to_string()).join("work");
        match std::fs::remove_dir_all(&root) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        std::fs::create_dir_all(root.join("kigo"))?;
        std::fs::set_permissions(&root, std::fs::Permissions::from_mode(0o700))?;
        std::fs::create_dir(root.join("out"))?;
        let work = Self { root };
        for name in ["source", "env", "host", "pipes"] {
            let path = work.inside(name);
            std::fs::create_dir(&path)?;
            if name == "source" || name == "env" {
                give_to_owner(&path, 0o700)?;
            }
        }
        Ok(work)
    }

    /// A path that containers see below `/kigo`.
    pub(crate) fn inside(&self, name: &str) -> PathBuf {
        self.root.join("kigo").join(name)
    }

    /// The unpacked source of the next phase.
    pub(crate) fn source(&self) -> PathBuf {
        self.inside("source")
    }

    /// An empty directory for something that a container sends.
    pub(crate) fn fresh_output(&self, name: &str) -> io::Result<PathBuf> {
        let path = self.root.join("out").join(name);
        match std::fs::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        std::fs::create_dir(&path)?;
        Ok(path)
    }

    /// Puts `tree` in the place of the source.
    pub(crate) fn replace_source(&self, tree: &Path) -> io::Result<()> {
        std::fs::remove_dir_all(self.source())?;
        std::fs::rename(tree, self.source())?;
        give_to_owner(&self.source(), 0o700)
    }

    /// Writes a program or text that containers can read.
    pub(crate) fn write(&self, name: &str, content: &str) -> io::Result<()> {
        std::fs::write(self.inside(name), content)
    }

    /// Writes config vars as `ENV_DIR` has them: a file for each, without a final line break.
    pub(crate) fn write_env(&self, config_vars: &ConfigVars) -> io::Result<()> {
        for (name, value) in &config_vars.0 {
            let plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            if plain {
                let path = self.inside("env").join(name);
                std::fs::write(&path, value)?;
                give_to_owner(&path, 0o400)?;
            }
        }
        Ok(())
    }

    /// How containers see it.
    pub(crate) fn mount(&self) -> Mount {
        Mount { source: self.root.join("kigo"), target: "/kigo".into(), read_only: true }
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        let root = std::mem::take(&mut self.root);
        let remove = move || {
            if let Err(error) = std::fs::remove_dir_all(&root) {
                tracing::warn!(path = %root.display(), %error, "a build's working directory stays behind");
            }
            // The build's own directory, unless something else is kept there.
            let _ = root.parent().map(std::fs::remove_dir);
        };
        // It can take a second, for which nobody should have to wait.
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(remove)),
            Err(_) => remove(),
        }
    }
}

/// Removes every build's working directory.
pub(crate) fn sweep(data: &Path) -> io::Result<()> {
    let missing_is_fine = |result: io::Result<()>| match result {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    };
    let builds = match std::fs::read_dir(data.join("builds")) {
        Ok(builds) => builds,
        Err(error) => return missing_is_fine(Err(error)),
    };
    for build in builds {
        let build = build?.path();
        missing_is_fine(std::fs::remove_dir_all(build.join("work")))?;
        // Unless something else is kept there.
        let _ = std::fs::remove_dir(build);
    }
    Ok(())
}

/// Makes a file the app user's.
pub(crate) fn give_to_owner(path: &Path, mode: u32) -> io::Result<()> {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    chown(path, Some(OWNER), Some(OWNER))
}
