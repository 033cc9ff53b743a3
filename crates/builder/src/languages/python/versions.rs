//! Which Python: what the app asks for and allows, held against what can be had.

use super::app::App;
use super::asked::{Asked, Series};
use super::constraint::Constraint;
use super::manager::Manager;
use super::words::{Offered, PythonError, notices};
use crate::output::Output;
use crate::stack::{Runtime, Stack};

/// Versions that python-build-standalone has, Heroku's default first: what a range is resolved to when
/// the stack has none in it.
const DOWNLOADED: [Series; 7] =
    [Series(3, 14), Series(3, 15), Series(3, 13), Series(3, 12), Series(3, 11), Series(3, 10), OLDEST];

/// The oldest that is worth an attempt.
const OLDEST: Series = Series(3, 9);

/// The version that a build uses.
#[derive(Clone, Debug)]
pub(super) struct Version {
    pub(super) series: Series,
    pub(super) source: Source,
    origin: Origin,
}

/// Where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// Debian, for this stack.
    Stack(Runtime),
    /// python-build-standalone, by `uv python install` with this version.
    Download(String),
}

/// Who decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Asked(Asked),
    /// The first that pyproject.toml allows.
    Allowed(Constraint),
    /// The app's last build.
    Last,
    Default,
}

impl Version {
    /// Decides. `last` is the version of the app's last build, which an app that asks for none keeps.
    pub(super) fn resolve(app: &App, stack: &Stack, last: Option<Series>) -> Result<Self, PythonError> {
        if let Some(asked) = &app.asked {
            return Self::asked(app, asked, stack);
        }
        let allows =
            |series: Series| app.constraint.as_ref().is_none_or(|constraint| constraint.allows(series));
        if app.manager == Manager::Uv {
            let proposed = stack.runtimes("python").filter_map(series_of).find(|series| allows(*series));
            return Err(PythonError::NoVersionWithUv { proposed });
        }
        if let Some((series, runtime)) =
            last.and_then(|last| has(stack, last)).filter(|(series, _)| allows(*series))
        {
            return Ok(Self { series, source: Source::Stack(runtime.clone()), origin: Origin::Last });
        }
        let mut runtimes = stack.runtimes("python").filter_map(|one| Some((series_of(one)?, one)));
        let found = runtimes.find(|(series, _)| allows(*series));
        let origin = || app.constraint.clone().map_or(Origin::Default, Origin::Allowed);
        if let Some((series, runtime)) = found {
            return Ok(Self { series, source: Source::Stack(runtime.clone()), origin: origin() });
        }
        match (DOWNLOADED.into_iter().find(|series| allows(*series)), &app.constraint) {
            (Some(series), _) => {
                Ok(Self { series, source: Source::Download(series.to_string()), origin: origin() })
            }
            (None, Some(constraint)) => Err(PythonError::NothingAllowed {
                constraint: constraint.clone(),
                offered: Offered::by(stack),
            }),
            (None, None) => Err(PythonError::NoPython { stack: stack.name.clone() }),
        }
    }

    /// The version of a file.
    fn asked(app: &App, asked: &Asked, stack: &Stack) -> Result<Self, PythonError> {
        let series = asked.series;
        if let Some(constraint) = app.constraint.as_ref().filter(|constraint| !constraint.allows(series)) {
            return Err(PythonError::Conflict { asked: asked.clone(), constraint: constraint.clone() });
        }
        let source = match has(stack, series) {
            Some((_, runtime)) => Source::Stack(runtime.clone()),
            None if series >= OLDEST && series.0 == OLDEST.0 => Source::Download(asked.text.clone()),
            None => {
                return Err(PythonError::NotOffered { asked: asked.clone(), offered: Offered::by(stack) });
            }
        };
        Ok(Self { series, source, origin: Origin::Asked(asked.clone()) })
    }

    /// Tells the user.
    pub(super) async fn tell(&self, app: &App, output: &Output) {
        let series = self.series;
        let text = match &self.origin {
            Origin::Asked(asked) => format!("Using Python {} specified in {}", asked.text, asked.file),
            Origin::Allowed(constraint) => {
                format!(
                    "No Python version was specified. Using the first that {} allows: Python {series}",
                    constraint.place
                )
            }
            Origin::Last => format!(
                "No Python version was specified. Using the same major version as the last build: Python {series}"
            ),
            Origin::Default => {
                format!("No Python version was specified. Using the stack's default: Python {series}")
            }
        };
        output.heading(text).await;
        for notice in notices(app, series) {
            notice.tell(output).await;
        }
    }

    /// The whole version that a file asks for, if the stack's own is used instead, whichever that is.
    pub(super) fn pinned(&self) -> Option<&Asked> {
        match (&self.origin, &self.source) {
            (Origin::Asked(asked), Source::Stack(_)) if asked.text != self.series.to_string() => Some(asked),
            _ => None,
        }
    }
}

fn series_of(runtime: &Runtime) -> Option<Series> {
    Series::parse(&runtime.version)
}

fn has(stack: &Stack, series: Series) -> Option<(Series, &Runtime)> {
    stack
        .runtimes("python")
        .find(|runtime| series_of(runtime) == Some(series))
        .map(|runtime| (series, runtime))
}

impl Offered {
    /// What can be had without a download.
    pub(super) fn by(stack: &Stack) -> Self {
        let here = stack.runtimes("python").map(|runtime| runtime.version.clone()).collect();
        Self { stack: stack.name.clone(), here }
    }
}

#[cfg(test)]
mod tests;
