//! Why a turn of a loop could not do all it wanted. The loop tries again by itself; the error is for
//! the operator.

use std::io;

/// What failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the store failed")]
    Store(#[from] store::StoreError),
    #[error("an operation failed")]
    Ops(#[from] ops::Error),
    #[error("the engine failed")]
    Engine(#[from] engine::EngineError),
    #[error("a log failed")]
    Logs(#[from] logs::Error),
    #[error("the image store failed")]
    Images(#[from] image::StoreError),
    #[error("the builder failed")]
    Build(#[from] builder::BuildError),
    #[error("could not {doing}")]
    Io {
        doing: String,
        #[source]
        source: io::Error,
    },
    /// What a service or its hook came to.
    #[error("{0}")]
    Service(String),
    #[error("the loop panicked: {0}")]
    Panic(String),
}

/// Result of everything in this crate.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// For `map_err`.
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }
}

/// An error with its causes, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
