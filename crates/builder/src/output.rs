//! What a build tells its user, in the form that Heroku's builds have: headings behind an arrow,
//! everything else indented below them.

use tokio::sync::mpsc;

/// Where a build's lines go. Lines carry no line break. A receiver that is gone does not stop the
/// build: a client may leave, and the build goes on.
#[derive(Clone, Debug)]
pub struct Output(mpsc::Sender<String>);

impl Output {
    /// A full channel makes the build wait, so keep reading.
    pub fn new(lines: mpsc::Sender<String>) -> Self {
        Self(lines)
    }

    /// A line as it is.
    pub async fn line(&self, text: impl Into<String>) {
        let _ = self.0.send(text.into()).await;
    }

    /// `-----> text`
    pub async fn heading(&self, text: impl std::fmt::Display) {
        self.line(format!("-----> {text}")).await;
    }

    /// `       text`, for each line of `text`.
    pub async fn detail(&self, text: impl AsRef<str>) {
        if text.as_ref().is_empty() {
            self.line("       ").await;
        }
        for line in text.as_ref().lines() {
            self.line(format!("       {line}")).await;
        }
    }

    /// ` !     text`, for each line of `text`.
    pub async fn warning(&self, text: impl AsRef<str>) {
        for line in text.as_ref().lines() {
            self.line(format!(" !     {line}").trim_end().to_owned()).await;
        }
    }
}
