//! Bare repositories on disk and the hardened environment in which git works on them.

use crate::hook;
use domain::AppId;
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fmt::Write;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::process::Command;
use uuid::Uuid;

/// A lock file of git that is older was left by a process that died.
const STALE_LOCK: Duration = Duration::from_hours(1);
/// So was a directory of received objects.
const STALE_QUARANTINE: Duration = Duration::from_hours(24);

/// Why git did not do something on a repository.
#[derive(Debug, thiserror::Error)]
pub enum RepositoryError {
    #[error("cannot run git")]
    Spawn(#[source] io::Error),
    #[error("git {command} failed: {message}")]
    Git { command: String, message: String },
    #[error("cannot {doing} the repository")]
    System {
        doing: &'static str,
        #[source]
        source: io::Error,
    },
}

/// All repositories: `git/<app id>.git` in the data directory.
#[derive(Debug)]
pub struct Repositories {
    directory: PathBuf,
    /// Held while a repository is being made or removed.
    making: Mutex<HashMap<AppId, Arc<tokio::sync::Mutex<()>>>>,
}

impl Repositories {
    /// Opens the directory and makes it if need be. Only its owner can look into it.
    pub fn open(data_dir: &Path) -> io::Result<Self> {
        let directory = std::path::absolute(data_dir.join("git"))?;
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&directory)?;
        Ok(Self { directory, making: Mutex::default() })
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Where an app's repository is, or would be.
    pub fn path(&self, app: AppId) -> PathBuf {
        self.directory.join(format!("{app}.git"))
    }

    /// Writes the one hook that all repositories share.
    pub(crate) fn install_hook(&self, command: &[OsString]) -> io::Result<()> {
        let hooks = self.hooks();
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&hooks)?;
        let mut script = b"#!/bin/sh\nexec".to_vec();
        for word in command {
            script.extend_from_slice(b" '");
            for byte in word.as_bytes() {
                match byte {
                    b'\'' => script.extend_from_slice(br"'\''"),
                    byte => script.push(*byte),
                }
            }
            script.push(b'\'');
        }
        script.push(b'\n');
        let path = hooks.join("pre-receive");
        // A server that has nothing new to write starts on a full disk, too.
        if std::fs::read(&path).is_ok_and(|known| known == script) {
            return Ok(());
        }
        // Renamed into place: a push of a server that is just ending may be about to run it.
        let fresh = hooks.join(format!(".pre-receive-{}", Uuid::new_v4()));
        std::fs::write(&fresh, script)?;
        std::fs::set_permissions(&fresh, PermissionsExt::from_mode(0o700))?;
        std::fs::rename(fresh, path)
    }

    fn hooks(&self) -> PathBuf {
        self.directory.join("hooks")
    }

    fn making(&self, app: AppId) -> Arc<tokio::sync::Mutex<()>> {
        let mut making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(making.entry(app).or_default())
    }

    /// The app's repository, made if it is not there.
    pub async fn ensure(&self, app: AppId) -> Result<PathBuf, RepositoryError> {
        let path = self.path(app);
        let making = self.making(app);
        let _alone = making.lock().await;
        if !path.join("HEAD").exists() {
            let fresh = self.directory.join(format!("making-{}", Uuid::new_v4()));
            let made = self.make(&fresh).await.and_then(|()| {
                std::fs::rename(&fresh, &path)
                    .map_err(|source| RepositoryError::System { doing: "make", source })
            });
            if made.is_err() {
                let _ = std::fs::remove_dir_all(&fresh);
            }
            made?;
        }
        remove_stale_locks(&path);
        Ok(path)
    }

    async fn make(&self, path: &Path) -> Result<(), RepositoryError> {
        let mut init = self.command(&self.directory);
        init.args(["init", "--quiet", "--bare", "--template=", "--initial-branch=main", "--"]).arg(path);
        run(init).await?;
        // Builds get the tree as it is, not as `git archive` would cut it for a release of a
        // library; this file outranks those of the tree.
        let info = path.join("info");
        std::fs::create_dir_all(&info)
            .and_then(|()| std::fs::write(info.join("attributes"), "* -export-ignore -export-subst\n"))
            .map_err(|source| RepositoryError::System { doing: "make", source })
    }

    /// Removes an app's repository. One that is not there is no error.
    pub async fn remove(&self, app: AppId) -> io::Result<()> {
        let making = self.making(app);
        let _alone = making.lock().await;
        let gone = self.directory.join(format!("removing-{}", Uuid::new_v4()));
        match std::fs::rename(self.path(app), &gone) {
            Ok(()) => tokio::fs::remove_dir_all(gone).await,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Git in a repository, with nothing of this server's environment but `PATH`, and no
    /// configuration but ours.
    pub(crate) fn command(&self, repository: &Path) -> Command {
        self.command_with(repository, &[])
    }

    /// As [`command`](Self::command), with further settings.
    pub(crate) fn command_with(&self, repository: &Path, more: &[(&str, &OsStr)]) -> Command {
        let mut command = Command::new("git");
        let hooks = self.hooks();
        let settings: [(&str, &OsStr); 15] = [
            ("core.hooksPath", hooks.as_os_str()),
            // The repository is ours whoever owns the files, for example after a restored backup.
            ("safe.directory", "*".as_ref()),
            ("transfer.fsckObjects", "true".as_ref()),
            // Harmless, and found in the history of well-known projects.
            ("receive.fsck.badTimezone", "ignore".as_ref()),
            ("receive.fsck.missingSpaceBeforeDate", "ignore".as_ref()),
            ("receive.fsck.zeroPaddedFilemode", "ignore".as_ref()),
            ("receive.autogc", "false".as_ref()),
            ("receive.advertisePushOptions", "false".as_ref()),
            ("receive.keepAlive", "5".as_ref()),
            ("gc.autoDetach", "false".as_ref()),
            ("core.fsync", "committed".as_ref()),
            ("core.logAllRefUpdates", "false".as_ref()),
            ("tar.umask", "0022".as_ref()),
            ("uploadpack.allowFilter", "true".as_ref()),
            // Deleting what HEAD names is our hook's to refuse.
            ("receive.denyDeleteCurrent", "ignore".as_ref()),
        ];
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into()));
        command.envs([
            ("HOME", "/nonexistent"),
            ("LC_ALL", "C.UTF-8"),
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_ATTR_NOSYSTEM", "1"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_NO_REPLACE_OBJECTS", "1"),
        ]);
        command.env("GIT_CONFIG_COUNT", (settings.len() + more.len()).to_string());
        for (number, (key, value)) in settings.iter().chain(more).enumerate() {
            command.env(format!("GIT_CONFIG_KEY_{number}"), key);
            command.env(format!("GIT_CONFIG_VALUE_{number}"), value);
        }
        command.current_dir(repository).stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    /// As [`command`](Self::command), able to see objects that were pushed but not accepted yet.
    pub(crate) fn command_in_quarantine(&self, repository: &Path, quarantine: Option<&Path>) -> Command {
        let mut command = self.command(repository);
        command.env("GIT_DIR", repository);
        if let Some(quarantine) = quarantine {
            command.env("GIT_OBJECT_DIRECTORY", quarantine);
            command.env("GIT_ALTERNATE_OBJECT_DIRECTORIES", repository.join("objects"));
        }
        command
    }

    /// The environment by which the hook finds back to the push it belongs to.
    pub(crate) fn set_hook_environment(&self, command: &mut Command, key: &str) {
        command.env(hook::SOCKET_VARIABLE, self.directory.join(hook::SOCKET_NAME));
        command.env(hook::KEY_VARIABLE, key);
    }

    /// Packs what has become loose and removes what died on the way. Returns the size in bytes.
    pub(crate) async fn tidy(&self, repository: &Path) -> Result<u64, RepositoryError> {
        self.point_head(repository).await?;
        let mut gc = self.command(repository);
        gc.args(["gc", "--auto", "--quiet"]);
        run(gc).await?;
        let repository = repository.to_owned();
        tokio::task::spawn_blocking(move || {
            remove_stale_quarantines(&repository);
            size_of(&repository)
        })
        .await
        .map_err(io::Error::other)
        .and_then(|size| size)
        .map_err(|source| RepositoryError::System { doing: "measure", source })
    }

    /// Makes `HEAD` name the branch that there is, so that a clone of an app that is deployed by
    /// `master` checks something out.
    async fn point_head(&self, repository: &Path) -> Result<(), RepositoryError> {
        let mut list = self.command(repository);
        list.args(["for-each-ref", "--format=%(refname)", "refs/heads/main", "refs/heads/master"]);
        if run(list).await?.trim() == "refs/heads/master" {
            let mut head = self.command(repository);
            head.args(["symbolic-ref", "HEAD", "refs/heads/master"]);
            run(head).await?;
        }
        Ok(())
    }
}

/// Runs git to its end; its standard output.
pub(crate) async fn run(mut command: Command) -> Result<String, RepositoryError> {
    let output = command.output().await.map_err(RepositoryError::Spawn)?;
    if !output.status.success() {
        let mut arguments = command.as_std().get_args().map(OsStr::to_string_lossy);
        let mut message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        let _ = write!(message, " ({})", output.status);
        return Err(RepositoryError::Git {
            command: arguments.next().unwrap_or_default().into_owned(),
            message,
        });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn is_older(path: &Path, than: Duration) -> bool {
    let modified = std::fs::symlink_metadata(path).and_then(|metadata| metadata.modified());
    modified.is_ok_and(|modified| SystemTime::now().duration_since(modified).is_ok_and(|age| age > than))
}

/// Lock files that a crash of the machine left would refuse every push for ever.
fn remove_stale_locks(repository: &Path) {
    for name in ["HEAD.lock", "packed-refs.lock", "refs/heads/main.lock", "refs/heads/master.lock"] {
        let lock = repository.join(name);
        if is_older(&lock, STALE_LOCK) {
            tracing::warn!(lock = %lock.display(), "removing a lock file that a git process left");
            let _ = std::fs::remove_file(lock);
        }
    }
}

fn remove_stale_quarantines(repository: &Path) {
    for entry in std::fs::read_dir(repository.join("objects")).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let quarantine = name.to_string_lossy().starts_with("tmp_objdir-");
        if quarantine && is_older(&entry.path(), STALE_QUARANTINE) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

fn size_of(directory: &Path) -> io::Result<u64> {
    let mut size = 0;
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        size += match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => size_of(&entry.path())?,
            Ok(metadata) => metadata.len(),
            // Removed by another git process meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
    }
    Ok(size)
}
