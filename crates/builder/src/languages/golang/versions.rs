//! Versions of Go: what an app asks for, held against what can be had.

use super::app::App;
use super::words::GoError;
use domain::ConfigVars;
use std::fmt;

/// The oldest release that knows modules.
const OLDEST: Series = Series(1, 11);

/// A release. The order is that in which releases came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Release {
    pub(super) series: Series,
    stage: Stage,
}

/// For example 1.25.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Series(u32, u32);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Beta(u32),
    Candidate(u32),
    Patch(u32),
}

/// What an app asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Release(Release),
    /// The newest release of a series.
    Newest(Series),
    /// The newest release of all.
    Any,
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    ConfigVar,
    HerokuComment,
    Toolchain,
    Go,
    Nobody,
}

impl Origin {
    /// For people.
    pub(super) fn shown(self) -> &'static str {
        match self {
            Self::ConfigVar => "the config var GOVERSION",
            Self::HerokuComment => "the comment `// +heroku goVersion` in go.mod",
            Self::Toolchain => "the line `toolchain` in go.mod",
            Self::Go => "the line `go` in go.mod",
            Self::Nobody => "nobody",
        }
    }
}

/// The version that was asked for, and by whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) wanted: Wanted,
    pub(super) origin: Origin,
    pub(super) text: String,
}

impl Asked {
    /// Decides who is heard.
    pub(super) fn of(app: &App, config: &ConfigVars) -> Result<Self, GoError> {
        let config = config.0.get("GOVERSION").filter(|text| !text.trim().is_empty());
        let (text, origin) = [
            (config, Origin::ConfigVar),
            (app.heroku_version.as_ref(), Origin::HerokuComment),
            (app.toolchain.as_ref(), Origin::Toolchain),
            (app.go.as_ref(), Origin::Go),
        ]
        .into_iter()
        .find_map(|(text, origin)| Some((text?.trim().to_owned(), origin)))
        .unwrap_or((String::new(), Origin::Nobody));
        let wanted = if origin == Origin::Nobody { Some(Wanted::Any) } else { Wanted::parse(&text) };
        let asked = |wanted| Self { wanted, origin, text: text.clone() };
        let Some(wanted) = wanted else { return Err(GoError::BadVersion { text, origin }) };
        let (asked, series) = (asked(wanted), wanted.series());
        if series.is_some_and(|series| series < OLDEST) {
            return Err(GoError::TooOld(asked));
        }
        // What the app needs at least; Go itself would say so later.
        let least = app.go.as_deref().and_then(Wanted::parse);
        match (least, app.go.as_ref()) {
            (Some(least), Some(go)) if wanted.is_below(least) => {
                Err(GoError::BelowModule { asked, go: go.clone() })
            }
            _ => Ok(asked),
        }
    }
}

impl Wanted {
    /// Understands `1.25`, `go1.25`, `go1.25.3`, `1.26rc1`.
    fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix("go").unwrap_or(text);
        let (series, rest) = Series::split(text)?;
        if rest.is_empty() { Some(Self::Newest(series)) } else { Some(Self::Release(release(series, rest)?)) }
    }

    fn series(self) -> Option<Series> {
        match self {
            Self::Release(release) => Some(release.series),
            Self::Newest(series) => Some(series),
            Self::Any => None,
        }
    }

    /// Whether no release that this means is as new as `least`.
    fn is_below(self, least: Self) -> bool {
        match (self, least) {
            (Self::Release(release), Self::Release(least)) => release < least,
            (one, least) => matches!((one.series(), least.series()), (Some(one), Some(least)) if one < least),
        }
    }

    /// The newest of `offered` that this means.
    pub(super) fn newest(self, offered: &[Release]) -> Option<Release> {
        let fits = |release: &&Release| match self {
            Self::Release(wanted) => **release == wanted,
            Self::Newest(series) => release.series == series && release.is_final(),
            Self::Any => release.is_final(),
        };
        offered.iter().filter(fits).max().copied()
    }

    /// The one of Debian's series that does for this: the same, or a newer one where only the
    /// oldest that will do was said.
    pub(super) fn of_debian<'a, T>(
        self,
        origin: Origin,
        offered: impl Iterator<Item = (&'a str, T)>,
    ) -> Option<(Series, T)> {
        let offered = offered.filter_map(|(text, value)| Some((Series::split(text)?.0, value)));
        let wanted = self.series();
        let fits = |series: Series| match (wanted, origin) {
            (None, _) => true,
            (Some(wanted), Origin::Go) => series >= wanted,
            (Some(wanted), _) => series == wanted,
        };
        let mut fitting: Vec<(Series, T)> = offered.filter(|(series, _)| fits(*series)).collect();
        fitting.sort_by_key(|(series, _)| *series);
        if wanted.is_none() { fitting.pop() } else { fitting.into_iter().next() }
    }
}

impl Release {
    /// Understands an entry of the list of releases, where `1.20` means the first of its series.
    pub(super) fn listed(text: &str) -> Option<Self> {
        let (series, rest) = Series::split(text)?;
        if rest.is_empty() { Some(Self { series, stage: Stage::Patch(0) }) } else { release(series, rest) }
    }

    fn is_final(&self) -> bool {
        matches!(self.stage, Stage::Patch(_))
    }
}

fn release(series: Series, rest: &str) -> Option<Release> {
    let (make, number): (fn(u32) -> Stage, _) = if let Some(number) = rest.strip_prefix('.') {
        (Stage::Patch, number)
    } else if let Some(number) = rest.strip_prefix("rc") {
        (Stage::Candidate, number)
    } else {
        (Stage::Beta, rest.strip_prefix("beta")?)
    };
    Some(Release { series, stage: make(self::number(number)?) })
}

impl Series {
    /// The first two numbers, and what follows.
    fn split(text: &str) -> Option<(Self, &str)> {
        let (major, rest) = text.split_once('.')?;
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (minor, rest) = rest.split_at(end);
        Some((Self(number(major)?, number(minor)?), rest))
    }

    /// Flags for every command: what modules bring can be removed, where Go knows how.
    pub(super) fn flags(self) -> &'static str {
        if self < Self(1, 14) { "" } else { "-modcacherw" }
    }

    /// The series of final releases that know modules, for people.
    pub(super) fn of_releases(releases: &[Release]) -> Vec<String> {
        let mut series: Vec<_> = releases.iter().filter(|one| one.is_final()).map(|one| one.series).collect();
        series.retain(|series| *series >= OLDEST);
        series.sort_unstable();
        series.dedup();
        series.iter().map(ToString::to_string).collect()
    }
}

fn number(text: &str) -> Option<u32> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

impl fmt::Display for Release {
    /// As Go names it: before 1.21 the first release of a series had no third number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "go{}", self.series)?;
        match self.stage {
            Stage::Patch(0) if self.series < Series(1, 21) => Ok(()),
            Stage::Patch(number) => write!(f, ".{number}"),
            Stage::Candidate(number) => write!(f, "rc{number}"),
            Stage::Beta(number) => write!(f, "beta{number}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(heroku: &str, toolchain: &str, go: &str) -> App {
        let said = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        App {
            module: "a".into(),
            heroku_version: said(heroku),
            packages: None,
            toolchain: said(toolchain),
            go: said(go),
            is_vendored: false,
        }
    }

    fn config(version: &str) -> ConfigVars {
        ConfigVars([("GOVERSION".to_owned(), version.to_owned())].into())
    }

    #[test]
    fn who_is_heard() {
        for (config_var, heroku, toolchain, go, text, origin) in [
            ("go1.26", "go1.25", "go1.24.1", "1.23", "go1.26", Origin::ConfigVar),
            ("", "go1.25", "go1.24.1", "1.23", "go1.25", Origin::HerokuComment),
            ("", "", "go1.24.1", "1.23", "go1.24.1", Origin::Toolchain),
            (" ", "", "", "1.23", "1.23", Origin::Go),
            ("", "", "", "", "", Origin::Nobody),
        ] {
            let asked = Asked::of(&app(heroku, toolchain, go), &config(config_var)).unwrap();
            assert_eq!((asked.text.as_str(), asked.origin), (text, origin));
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let of = |version: &str, go: &str| Asked::of(&app("", "", go), &config(version)).unwrap_err();
        for version in ["latest", "1", "devel-abc", "go1.25.3-custom", "1.25.x", "1.-1", "v1.25"] {
            assert!(matches!(of(version, ""), GoError::BadVersion { .. }), "{version}");
        }
        assert!(matches!(of("1.10", ""), GoError::TooOld(_)));
        for (version, go) in
            [("1.24", "1.25"), ("1.24.9", "1.25.0"), ("1.25.2", "1.25.3"), ("1.26rc1", "1.26.0")]
        {
            assert!(matches!(of(version, go), GoError::BelowModule { .. }), "{version} {go}");
        }
        // A series has a release that is new enough, as far as can be known.
        assert!(Asked::of(&app("", "", "1.25.3"), &config("1.25")).is_ok());
    }

    #[test]
    fn the_newest_that_fits() {
        let offered: Vec<_> =
            ["1.9", "1.18", "1.20", "1.20.14", "1.21.0", "1.24.9", "1.24.13", "1.26rc1", "1.25.3"]
                .into_iter()
                .map(|text| Release::listed(text).unwrap())
                .collect();
        for (text, expected) in [
            ("1.24", Some("go1.24.13")),
            ("go1.24", Some("go1.24.13")),
            ("1.24.9", Some("go1.24.9")),
            ("1.21.0", Some("go1.21.0")),
            ("1.20.0", Some("go1.20")),
            ("1.20", Some("go1.20.14")),
            ("1.26rc1", Some("go1.26rc1")),
            ("1.26", None),
            ("1.99", None),
        ] {
            let found = Wanted::parse(text).unwrap().newest(&offered);
            assert_eq!(found.map(|one| one.to_string()).as_deref(), expected, "{text}");
        }
        assert_eq!(Wanted::Any.newest(&offered).unwrap().to_string(), "go1.25.3");
        assert_eq!(Series::of_releases(&offered), ["1.18", "1.20", "1.21", "1.24", "1.25"]);
    }

    #[test]
    fn of_debian_s_the_same_or_one_that_will_do() {
        let offered = [("1.24", 24), ("1.27", 27), ("1.26", 26)];
        for (text, origin, expected) in [
            ("1.26.3", Origin::ConfigVar, Some(26)),
            ("1.25", Origin::ConfigVar, None),
            ("1.25", Origin::Go, Some(26)),
            ("1.20", Origin::Go, Some(24)),
            ("1.20", Origin::Toolchain, None),
            ("1.28", Origin::Go, None),
        ] {
            let found = Wanted::parse(text).unwrap().of_debian(origin, offered.into_iter());
            assert_eq!(found.map(|(_, value)| value), expected, "{text} {origin:?}");
        }
        let newest = Wanted::Any.of_debian(Origin::Nobody, offered.into_iter());
        assert_eq!(newest.unwrap().1, 27);
    }
}
