//! Go itself, as layers that only builds have, made once for all apps.
//!
//! A release is fetched as the module `golang.org/toolchain` by Debian's Go, which looks it up where
//! this host's settings say and checks it against the sum database. Where that cannot be done,
//! Debian's own packages do. With either comes a build cache that has the standard library in it:
//! compiling that takes longer than compiling most apps.

use super::versions::{Asked, Release, Series, Wanted};
use super::words::{GoError, tell_fallback};
use super::{BUILD_CACHE, failed};
use crate::BuildError;
use crate::build::Context;
use crate::cache::{self, NEVER, Shared};
use crate::errand::{self, Errand};
use crate::packages::Packages;
use crate::stack::{Runtime, Stack};
use image::Layer;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// Where a release that was fetched is.
const ROOT: &str = "/usr/local/go";

/// How long an answer about releases is taken as it is.
const FRESH: SignedDuration = SignedDuration::from_mins(30);

/// An installed Go.
#[derive(Clone, Debug)]
pub(super) struct Toolchain {
    /// For example `go1.25.3`, or `go1.25` of Debian's packages.
    pub(super) name: String,
    pub(super) series: Series,
    /// `GOROOT`.
    pub(super) root: String,
    pub(super) packages: Packages,
    pub(super) layer: Option<Layer>,
}

/// What can be had, as far as it was asked.
#[derive(Clone, Debug, Default)]
struct Offered {
    releases: Vec<Release>,
    /// Why there is nothing, or not what was asked for.
    why: String,
}

/// An answer about releases that is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    at: Timestamp,
    /// Other settings may answer otherwise.
    settings: String,
    offered: String,
}

impl Toolchain {
    /// Finds what was asked for, or fetches it.
    pub(super) async fn install(context: &mut Context<'_>, asked: &Asked) -> Result<Self, BuildError> {
        let release = match asked.wanted {
            Wanted::Release(release) => Some(release),
            wanted => wanted.newest(&Offered::ask(context).await?.releases),
        };
        let mut why = String::new();
        if let Some(release) = release {
            match fetched(context, release).await? {
                Ok(toolchain) => return Ok(toolchain),
                Err(reason) => why = reason,
            }
        }
        let offered = Offered::ask(context).await?;
        let offered = if why.is_empty() { offered } else { Offered { why, ..offered } };
        Self::of_debian(context, asked, offered).await
    }

    /// Debian's, if nothing can be fetched: what was asked for is not replaced otherwise.
    async fn of_debian(
        context: &mut Context<'_>,
        asked: &Asked,
        offered: Offered,
    ) -> Result<Self, BuildError> {
        let stack = context.stack.clone();
        let runtimes = stack.runtimes("go").map(|runtime| (runtime.version.as_str(), runtime));
        let found = asked.wanted.of_debian(asked.origin, runtimes);
        if let Some((series, runtime)) = found.filter(|_| offered.releases.is_empty()) {
            let name = format!("go{series}");
            tell_fallback(asked, &name, &offered.why, context.output).await;
            context.output.heading(format!("Using {name} of Debian")).await;
            let packages = runtime.build.iter().cloned().collect();
            return Ok(Self { name, series, root: debian_root(runtime), packages, layer: None });
        }
        let debian = stack.runtimes("go").map(|runtime| runtime.version.clone()).collect();
        let series = Series::of_releases(&offered.releases);
        Err(failed(GoError::NoVersion { asked: asked.clone(), why: offered.why, series, debian }))
    }

    /// The build cache with the standard library, which lies below an app's own.
    pub(super) async fn standard_library(&self, context: &mut Context<'_>) -> Result<Layer, BuildError> {
        let origin = if self.layer.is_some() { "" } else { "-debian" };
        let shared = Shared::named(format!("{}{origin}-standard", self.name)).on(context.stack.build);
        let env = [
            ("KIGO_GO_ROOT", self.root.clone()),
            ("KIGO_GO_BUILD_CACHE", BUILD_CACHE.into()),
            ("KIGO_NEVER", NEVER.to_string()),
        ];
        let errand = Errand {
            script: ("go-standard.sh", include_str!("standard.sh")),
            env: env.map(|(name, value)| (name.to_owned(), value)).into(),
            packages: self.packages.clone(),
            layers: self.layer.into_iter().collect(),
            pipes: Vec::new(),
        };
        let making = "Compiling its standard library, once for all apps...";
        let made = errand::once(context, &shared, making, errand).await?;
        made.map_err(|ended| failed(GoError::StandardLibrary { status: ended.status }))
    }
}

fn debian_root(runtime: &Runtime) -> String {
    format!("/usr/lib/go-{}", runtime.version)
}

/// A release of the module proxy; or why it cannot be had.
async fn fetched(
    context: &mut Context<'_>,
    release: Release,
) -> Result<Result<Toolchain, String>, BuildError> {
    let name = release.to_string();
    context.output.heading(format!("Using {name}")).await;
    let errand = with_debian_go(&context.stack, ("go-fetch.sh", include_str!("fetch.sh")), &name)?;
    let making = format!("Downloading and installing {name}...");
    match errand::once(context, &Shared::named(name.clone()), &making, errand).await? {
        Ok(layer) => Ok(Ok(Toolchain {
            name,
            series: release.series,
            root: ROOT.into(),
            packages: Packages::new(),
            layer: Some(layer),
        })),
        Err(ended) => Ok(Err(ended.told("why")?.unwrap_or_default())),
    }
}

/// A program that uses the Go of the stack.
fn with_debian_go(
    stack: &Stack,
    script: (&'static str, &'static str),
    release: &str,
) -> Result<Errand, BuildError> {
    let runtime = first(stack)?;
    let env = [("KIGO_GO_ROOT", debian_root(&runtime)), ("KIGO_GO", release.to_owned())];
    Ok(Errand {
        script,
        env: env.map(|(name, value)| (name.to_owned(), value)).into(),
        packages: runtime.build.into_iter().collect(),
        layers: Vec::new(),
        pipes: Vec::new(),
    })
}

fn first(stack: &Stack) -> Result<Runtime, BuildError> {
    let none = || BuildError::Container(format!("the stack {} has no Go", stack.name));
    stack.runtimes("go").next().cloned().ok_or_else(none)
}

impl Offered {
    /// Asks for releases, unless that was done a moment ago. When there is no answer, an old one is
    /// used.
    async fn ask(context: &mut Context<'_>) -> Result<Self, BuildError> {
        let path = cache::registry(&context.builder.data).join("go-releases.json");
        let settings = settings(context);
        let kept = cache::read::<Kept>(&path).filter(|kept| kept.settings == settings);
        let age = |kept: &Kept| Timestamp::now().duration_since(kept.at);
        if let Some(kept) = kept.as_ref().filter(|kept| (SignedDuration::ZERO..FRESH).contains(&age(kept))) {
            return Ok(Self::read(&kept.offered));
        }
        let script = ("go-offered.sh", include_str!("offered.sh"));
        let errand = with_debian_go(&context.stack, script, "")?;
        let ended = errand::run(context, errand).await?;
        let answer = ended.told("offered")?.filter(|_| ended.status == 0);
        Ok(match (answer, kept) {
            (Some(offered), _) => {
                let kept = Kept { at: Timestamp::now(), settings, offered };
                cache::write(&path, &kept).map_err(BuildError::system("keeping which releases there are"))?;
                Self::read(&kept.offered)
            }
            (None, Some(kept)) => Self::read(&kept.offered),
            (None, None) => Self { why: ended.told("why")?.unwrap_or_default(), releases: Vec::new() },
        })
    }

    fn read(text: &str) -> Self {
        let releases = text.split_whitespace().filter_map(Release::listed).collect();
        Self { releases, why: String::new() }
    }
}

/// What decides who is asked.
fn settings(context: &Context<'_>) -> String {
    let env = context.env("");
    ["GOPROXY", "GONOPROXY", "GOSUMDB"].map(|name| env.get(name).cloned().unwrap_or_default()).join("\n")
}
