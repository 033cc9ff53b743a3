//! How a container app's image runs: as it says itself, within what Heroku allows (Dev Center,
//! "Container Registry & Runtime").
//!
//! Nothing of a slug applies to it: no `.profile`, no `/app`, no shell where none is needed. A process
//! type runs `ENTRYPOINT` and `CMD`, or a command that was given for it, which goes to `/bin/sh -c` as
//! one-off dynos' commands do. No image runs as root, whatever it says.

use crate::error::{Error, Result};
use domain::Digest;
use image::{Identity, ImageStore, StoreError, View};
use std::collections::BTreeMap;

/// Who runs an image that names root or nobody.
const USER: u32 = 1000;

/// Looks for a command's shell.
const SHELL: &str = "/bin/sh";

/// What an image says about how it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OwnImage {
    pub(crate) env: BTreeMap<String, String>,
    /// `ENTRYPOINT` and `CMD`.
    command: Vec<String>,
    pub(crate) working_dir: String,
    pub(crate) user: Identity,
    has_shell: bool,
}

/// What came of looking.
pub(crate) enum Looked {
    Found(OwnImage),
    /// It cannot run, for this reason, and will not by trying again.
    Unusable(String),
}

impl OwnImage {
    /// Looks into an image; its layers are unpacked if they are not yet. Blocks.
    pub(crate) fn look(images: &ImageStore, digest: &Digest) -> Result<Looked> {
        let gone = || Looked::Unusable("its image is not there any more".into());
        let (image, layers) = match images.image(digest).and_then(|image| Ok((image, images.layers(digest)?)))
        {
            Ok(found) => found,
            Err(StoreError::NotFound(_)) => return Ok(gone()),
            Err(error) => return Err(error.into()),
        };
        let view = View::new(layers);
        let user = match view.user(image.user.as_deref(), USER) {
            Ok(user) => user,
            Err(image::UserError::Read(error)) => return Err(Error::io("look into an image")(error)),
            Err(error) => return Ok(Looked::Unusable(error.to_string())),
        };
        let has_shell = view.has_file(SHELL).map_err(Error::io("look into an image"))?;
        Ok(Looked::Found(Self {
            env: image.spec.env.clone(),
            command: image.argv(),
            working_dir: working_dir(image.working_dir.as_deref()),
            user,
            has_shell,
        }))
    }

    /// What to execute: what the image names, or `given`.
    pub(crate) fn command(&self, given: Option<&str>) -> Vec<String> {
        let Some(given) = given else { return self.command.clone() };
        if self.has_shell {
            return [SHELL, "-c", given].map(str::to_owned).into();
        }
        // The words a shell would have made of it.
        shlex::split(given).filter(|words| !words.is_empty()).unwrap_or_else(|| vec![given.to_owned()])
    }

    /// Where its programs are at home.
    pub(crate) fn home(&self) -> &str {
        self.env.get("HOME").map(String::as_str).or(self.user.home.as_deref()).unwrap_or(&self.working_dir)
    }
}

/// An absolute path, as `WORKDIR` means one.
fn working_dir(text: Option<&str>) -> String {
    match text.unwrap_or_default() {
        absolute if absolute.starts_with('/') => absolute.to_owned(),
        relative => format!("/{relative}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl OwnImage {
        pub(crate) fn new(
            env: BTreeMap<String, String>,
            command: &[&str],
            working_dir: &str,
            has_shell: bool,
        ) -> Self {
            let command = command.iter().map(|word| (*word).to_owned()).collect();
            let user = Identity { uid: 1000, gid: 1001, home: None };
            Self { env, command, working_dir: working_dir.into(), user, has_shell }
        }
    }

    fn image(has_shell: bool) -> OwnImage {
        OwnImage::new(BTreeMap::new(), &["/entry", "a b"], "/srv", has_shell)
    }

    #[test]
    fn commands() {
        let run = |has_shell, given| image(has_shell).command(given).join("|");
        assert_eq!(run(true, None), "/entry|a b");
        assert_eq!(run(true, Some("echo $HOME && ls")), "/bin/sh|-c|echo $HOME && ls");
        assert_eq!(run(false, Some("/app --name 'a b' c\\ d")), "/app|--name|a b|c d");
        assert_eq!(run(false, Some("unclosed '")), "unclosed '");
        assert_eq!(run(false, Some("")), "");
    }

    #[test]
    fn homes_and_working_directories() {
        let bare = image(true);
        assert_eq!(bare.home(), "/srv");
        let listed =
            OwnImage { user: Identity { home: Some("/home/app".into()), ..bare.user.clone() }, ..bare };
        assert_eq!(listed.home(), "/home/app");
        let said = OwnImage { env: [("HOME".to_owned(), "/own".to_owned())].into(), ..listed };
        assert_eq!(said.home(), "/own");
        for (text, expected) in [(None, "/"), (Some(""), "/"), (Some("/app"), "/app"), (Some("app"), "/app")]
        {
            assert_eq!(working_dir(text), expected);
        }
    }
}
