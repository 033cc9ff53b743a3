//! The programs that build and push images: docker, podman or buildah, whichever is there.

use crate::settings::Settings;
use anyhow::{Context, Result, bail};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// In the order in which they are looked for. They have the same words for what is asked of them.
const KNOWN: [&str; 3] = ["docker", "podman", "buildah"];

/// One of them, and the registry that it talks to.
#[derive(Debug)]
pub(crate) struct Tool {
    name: &'static str,
    program: PathBuf,
    /// Host and port of the registry, which is the API's own.
    registry: String,
    /// Options of the commands that talk to it.
    trust: Vec<String>,
    directory: Option<PathBuf>,
    /// Holds the certificates that the options name.
    _certificates: Option<tempfile::TempDir>,
}

impl Tool {
    /// The first that is installed.
    pub(crate) fn find(settings: &Settings) -> Result<Self> {
        let folders: Vec<PathBuf> =
            settings.programs.iter().flat_map(|path| std::env::split_paths(path)).collect();
        let found = KNOWN.into_iter().find_map(|name| {
            let program = folders.iter().map(|folder| folder.join(name)).find(|path| path.is_file())?;
            Some((name, program))
        });
        let registry = settings.machine().to_owned();
        let Some((name, program)) = found else {
            bail!(
                "None of {} is installed here, and one is needed to build and push images. Any other client of \
                 registries does it as well: its registry is {registry}, the user _ and the password what \
                 `kigo auth:token` prints.",
                KNOWN.join(", ")
            );
        };
        let (trust, certificates) = trust(name, settings)?;
        let directory = settings.directory.clone();
        Ok(Self { name, program, registry, trust, directory, _certificates: certificates })
    }

    /// What an app's image for a process type is called.
    pub(crate) fn image(&self, app: &str, process_type: &str) -> String {
        format!("{}/{app}/{process_type}", self.registry)
    }

    /// Keeps a token for the registry, where the program keeps such things.
    pub(crate) fn log_in(&self, token: &str) -> Result<()> {
        let mut command = self.command("login");
        command.args(&self.trust).args(["--username=_", "--password-stdin", &self.registry]);
        // Not among the arguments, which everybody on this machine can read.
        let mut child = command.stdin(Stdio::piped()).spawn().with_context(|| self.cannot_run())?;
        let written = child.stdin.take().map_or(Ok(()), |mut input| input.write_all(token.as_bytes()));
        let status = child.wait().with_context(|| self.cannot_run())?;
        if !status.success() {
            bail!("{} login ended with {status}.", self.name);
        }
        written.with_context(|| format!("{} did not read the token", self.name))
    }

    /// Builds an image from a Dockerfile. `arguments` are the build's, as `NAME=VALUE`.
    pub(crate) fn build(
        &self,
        image: &str,
        dockerfile: &Path,
        folder: &Path,
        arguments: &[String],
    ) -> Result<()> {
        let mut command = self.command("build");
        command.args(&self.trust).arg("--file").arg(dockerfile).args(["--tag", image]);
        for argument in arguments {
            command.args(["--build-arg", argument]);
        }
        self.run(command.arg(folder), "build", "See above what is wrong.")
    }

    /// Pushes an image that was built.
    pub(crate) fn push(&self, image: &str) -> Result<()> {
        let mut command = self.command("push");
        let advice = "If it was not let in, run `kigo container:login` first.";
        self.run(command.args(&self.trust).arg(image), "push", advice)
    }

    fn run(&self, command: &mut Command, what: &str, advice: &str) -> Result<()> {
        let status = command.stdin(Stdio::null()).status().with_context(|| self.cannot_run())?;
        if !status.success() {
            bail!("{} {what} ended with {status}. {advice}", self.name);
        }
        Ok(())
    }

    fn command(&self, subcommand: &str) -> Command {
        let mut command = Command::new(&self.program);
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        command.arg(subcommand);
        command
    }

    fn cannot_run(&self) -> String {
        format!("cannot run {}", self.program.display())
    }
}

/// How a program is told to trust the registry as the API is trusted. Docker's daemon has settings of
/// its own for that, and asks this machine without TLS.
fn trust(name: &str, settings: &Settings) -> Result<(Vec<String>, Option<tempfile::TempDir>)> {
    if name == "docker" {
        return Ok((Vec::new(), None));
    }
    if settings.api_url.starts_with("http://") {
        return Ok((vec!["--tls-verify=false".into()], None));
    }
    let Some(authority) = &settings.authority else { return Ok((Vec::new(), None)) };
    let folder = tempfile::tempdir().context("cannot make a folder for the certificate")?;
    std::fs::copy(authority, folder.path().join("ca.crt"))
        .with_context(|| format!("cannot read the certificate {}", authority.display()))?;
    Ok((vec![format!("--cert-dir={}", folder.path().display())], Some(folder)))
}
