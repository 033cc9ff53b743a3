//! Which program launches containers.

use std::path::PathBuf;
use std::str::FromStr;

/// What launches containers, inside the shim that holds each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Runtime {
    /// Kigo's own launcher.
    #[default]
    Own,
    /// An OCI runtime: a program that speaks runc's command line.
    Oci(PathBuf),
}

/// Why a runtime cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuntimeError {
    #[error("{0:?} is no runtime; use own, crun, runc or the absolute path of an OCI runtime")]
    Unknown(String),
    #[error("the runtime {0} is not installed")]
    Missing(String),
}

/// Where programs of the system are, whatever the service's `PATH` is.
const DIRECTORIES: [&str; 5] = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin"];

impl FromStr for Runtime {
    type Err = RuntimeError;

    /// `own`, `crun`, `runc`, or an absolute path. The program must exist.
    fn from_str(text: &str) -> Result<Self, RuntimeError> {
        let candidates: Vec<PathBuf> = match text {
            "own" => return Ok(Self::Own),
            "crun" | "runc" => {
                DIRECTORIES.iter().map(|directory| PathBuf::from(directory).join(text)).collect()
            }
            path if path.starts_with('/') => vec![path.into()],
            _ => return Err(RuntimeError::Unknown(text.to_owned())),
        };
        let found = candidates.into_iter().find(|path| path.is_file());
        found.map(Self::Oci).ok_or_else(|| RuntimeError::Missing(text.to_owned()))
    }
}

impl Runtime {
    /// The program, if it is not Kigo itself.
    pub fn program(&self) -> Option<PathBuf> {
        match self {
            Self::Own => None,
            Self::Oci(path) => Some(path.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_what_an_operator_may_set() {
        assert_eq!("own".parse(), Ok(Runtime::Own));
        assert_eq!("/bin/sh".parse(), Ok(Runtime::Oci("/bin/sh".into())));
        assert_eq!("docker".parse::<Runtime>(), Err(RuntimeError::Unknown("docker".into())));
        assert_eq!("bin/crun".parse::<Runtime>(), Err(RuntimeError::Unknown("bin/crun".into())));
        assert_eq!("/no/such".parse::<Runtime>(), Err(RuntimeError::Missing("/no/such".into())));
    }
}
