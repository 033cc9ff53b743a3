//! The lifecycle: which program of which buildpack runs next, with what. The programs run in one
//! container, which asks after each of them; what is read there is a stranger's.

use super::built::{self, Built};
use super::descriptor::{Api, Descriptor, Platform};
use super::detection::{Detection, Fared, Next, Report};
use super::env::Change;
use super::errors::CnbError;
use super::kept::{self, Restored};
use super::plan::Resolved;
use crate::BuildError;
use crate::dialog::{Answer, Decide};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// Where programs find config vars, in `env`.
const PLATFORM: &str = "/platform";
/// Where the container puts plans.
const PLAN: &str = "/tmp/plan.toml";
/// Bytes of what a program wrote that is not a buildpack's word.
const LIMIT: u64 = 1 << 20;

/// A buildpack with programs, or with an order, and where the container has it.
#[derive(Clone, Debug)]
pub(crate) struct Component {
    pub(crate) descriptor: Descriptor,
    pub(crate) place: String,
}

/// One run of it.
#[derive(Debug)]
pub(crate) struct Lifecycle {
    components: Vec<Component>,
    catalog: Vec<Descriptor>,
    platform: Platform,
    /// Config vars.
    variables: BTreeMap<String, String>,
    pub(crate) restored: Restored,
    /// The environment of every program, before buildpacks change it.
    base: BTreeMap<String, String>,
    detection: Detection,
    resolved: Resolved,
    /// For later buildpacks, by buildpack.
    changes: Vec<Change>,
    /// By the place of the component, in the order in which they ran.
    pub(crate) built: Vec<(usize, Built)>,
    /// Why there is nothing to build with.
    pub(crate) nothing: Option<Report>,
    step: Step,
}

/// What was answered last.
#[derive(Clone, Copy, Debug)]
enum Step {
    Begin,
    Detect(usize),
    /// Of those that were resolved.
    Build(usize),
    Export,
}

impl Lifecycle {
    pub(crate) fn new(
        components: Vec<Component>,
        detection: Detection,
        platform: Platform,
        variables: BTreeMap<String, String>,
        restored: Restored,
    ) -> Self {
        let catalog = components.iter().map(|component| component.descriptor.clone()).collect();
        Self {
            components,
            catalog,
            platform,
            variables,
            restored,
            base: BTreeMap::new(),
            detection,
            resolved: Resolved::default(),
            changes: Vec::new(),
            built: Vec::new(),
            nothing: None,
            step: Step::Begin,
        }
    }

    /// The words of a buildpack about itself.
    pub(crate) fn descriptor(&self, component: usize) -> &Descriptor {
        &self.catalog[component]
    }

    fn next(&mut self, sent: &Path) -> Result<Answer, BuildError> {
        match self.step {
            Step::Begin => {
                self.base = base(&read(sent, "env")?);
                self.detect("")
            }
            Step::Detect(component) => {
                let fared = Fared::of(status(sent)?, &read(sent, "plan")?);
                let output =
                    if matches!(fared, Fared::Error(_)) { read(sent, "output")? } else { String::new() };
                self.detection.record(component, fared);
                self.detect(&output)
            }
            Step::Build(number) => {
                let component = self.resolved.components[number];
                let descriptor = &self.catalog[component];
                match status(sent)? {
                    0 => {}
                    status => {
                        return Err(CnbError::Build { buildpack: descriptor.shown(), status }.into());
                    }
                }
                let built = built::read(sent, &descriptor.shown(), descriptor.api)?;
                self.take(component, built);
                Ok(self.build(number + 1, String::new()))
            }
            Step::Export => Err(BuildError::Container("it asks after the end".into())),
        }
    }

    /// What a program said that failed is shown.
    fn detect(&mut self, output: &str) -> Result<Answer, BuildError> {
        let mut say: String = ended(output.lines().map(|line| format!(" !     {line}")), "\n");
        loop {
            match self.detection.next(&self.catalog) {
                Next::Run(component) => {
                    if let Err(targets) = self.catalog[component].fits(&self.platform) {
                        self.detection.record(component, Fared::Elsewhere(targets));
                        continue;
                    }
                    self.step = Step::Detect(component);
                    let mut env = self.env(component, &[]);
                    env.insert("CNB_BUILD_PLAN_PATH".into(), PLAN.into());
                    let program = self.program(component, "detect", &[PLATFORM, PLAN]);
                    return Ok(answer("detect", &[("env", pairs(&env)), ("program", program), ("say", say)]));
                }
                Next::Build(resolved) => {
                    let chosen = resolved.components.iter().map(|one| &self.catalog[*one]);
                    say.extend(chosen.map(|one| format!("       {}\n", one.shown())));
                    self.resolved = resolved;
                    return Ok(self.build(0, say));
                }
                Next::Nothing(report) => {
                    // Not as an error at once: what the programs said comes first.
                    self.nothing = Some(report);
                    self.step = Step::Export;
                    return Ok(answer("stop", &[("say", say)]));
                }
            }
        }
    }

    fn build(&mut self, number: usize, mut say: String) -> Answer {
        // Nobody else is to depend on what was not meant for others.
        let ignored = self.built.last().map(|(component, built)| {
            let directory = self.catalog[*component].directory();
            let nobodys = built
                .layers
                .iter()
                .filter(|(_, left)| left.has_content && left.types == built::Types::default());
            ended(nobodys.map(|(name, _)| format!("/layers/{directory}/{name}")), "\0")
        });
        let ignored = ignored.unwrap_or_default();
        let Some(component) = self.resolved.components.get(number).copied() else {
            self.step = Step::Export;
            return answer("export", &[("ignore", ignored), ("send", self.wanted()), ("say", say)]);
        };
        self.step = Step::Build(number);
        let descriptor = &self.catalog[component];
        let layers = format!("/layers/{}", descriptor.directory());
        say.extend(["-----> ", &title(descriptor), "\n"]);
        let mut env = self.env(component, &self.changes);
        env.insert("CNB_LAYERS_DIR".into(), layers.clone());
        env.insert("CNB_BP_PLAN_PATH".into(), PLAN.into());
        let program = self.program(component, "build", &[&layers, PLATFORM, PLAN]);
        answer(
            "build",
            &[
                ("env", pairs(&env)),
                ("program", program),
                ("plan", self.resolved.plan_of(component)),
                ("layers", layers),
                ("ignore", ignored),
                ("say", say),
            ],
        )
    }

    fn take(&mut self, component: usize, built: Built) {
        self.resolved.met(component, &built.unmet);
        let layers = || built.layers.values().filter(|left| left.types.build);
        // Directories of one buildpack stand in the order of their layers' names.
        self.changes.extend(layers().rev().flat_map(|left| left.paths.iter().cloned()));
        self.changes.extend(layers().flat_map(|left| left.for_build.iter().cloned()));
        self.built.push((component, built));
    }

    /// The layers whose content is to be sent, one a line.
    fn wanted(&self) -> String {
        let mut text = String::new();
        for (component, built) in &self.built {
            let directory = self.catalog[*component].directory();
            let wanted = built
                .layers
                .iter()
                .filter(|(_, left)| left.has_content && (left.types.launch || kept::is_kept(left.types)));
            text.extend(wanted.map(|(name, _)| format!("{directory}/{name}\n")));
        }
        text
    }

    fn program(&self, component: usize, phase: &str, arguments: &[&str]) -> String {
        let program = format!("{}/bin/{phase}", self.components[component].place);
        let words = std::iter::once(program.as_str()).chain(arguments.iter().copied());
        ended(words.map(str::to_owned), "\0")
    }

    /// The environment of a component's program.
    fn env(&self, component: usize, changes: &[Change]) -> BTreeMap<String, String> {
        let descriptor = &self.catalog[component];
        let mut env = self.base.clone();
        for change in changes {
            change.apply(&mut env);
        }
        if !descriptor.clear_env {
            for (name, value) in self.variables.iter().filter(|(name, _)| is_for_builds(name)) {
                if PATHS.contains(&name.as_str()) {
                    Change::path(name, value).apply(&mut env);
                } else {
                    env.insert(name.clone(), value.clone());
                }
            }
        }
        let (api, platform) = (descriptor.api, &self.platform);
        let mut tell = |name: &str, value: &str| drop(env.insert(name.to_owned(), value.to_owned()));
        tell("CNB_BUILDPACK_DIR", &self.components[component].place);
        tell("CNB_PLATFORM_DIR", PLATFORM);
        if api < Api(10) {
            tell("CNB_STACK_ID", &platform.stack);
        } else {
            tell("CNB_TARGET_OS", "linux");
            tell("CNB_TARGET_ARCH", &platform.arch);
            tell("CNB_TARGET_DISTRO_NAME", &platform.distro.0);
            tell("CNB_TARGET_DISTRO_VERSION", &platform.distro.1);
        }
        if api >= Api(12) {
            tell("CNB_EXEC_ENV", "production");
        }
        env
    }
}

/// Lists of directories, which layers and config vars add to.
const PATHS: [&str; 5] = ["PATH", "LD_LIBRARY_PATH", "LIBRARY_PATH", "CPATH", "PKG_CONFIG_PATH"];

/// `Name 1.2.3`, with the id if it says more.
fn title(descriptor: &Descriptor) -> String {
    if descriptor.name == descriptor.id {
        return descriptor.shown();
    }
    format!("{} ({})", descriptor.name, descriptor.shown())
}

/// Whether a config var belongs into the environment of programs, where some would change how they are
/// found or run.
fn is_for_builds(name: &str) -> bool {
    let never = ["GIT_DIR", "LD_PRELOAD", "LANG", "BUILD_DIR", "HOME", "IFS"];
    !never.contains(&name) && !name.starts_with("BASH_") && !name.starts_with("CNB_")
}

fn base(text: &str) -> BTreeMap<String, String> {
    let pairs = text.split('\0').filter_map(|pair| pair.split_once('='));
    let shells = ["BUILD_DIR", "OLDPWD", "PWD", "SHLVL", "_"];
    let mut env: BTreeMap<_, _> = pairs
        .filter(|(name, _)| {
            !shells.contains(name) && !name.starts_with("KIGO_") && !name.starts_with("BASH_FUNC")
        })
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    // Not the app's directory, where what programs leave at home would be a part of the app.
    env.insert("HOME".into(), "/tmp/home".into());
    env
}

fn pairs(env: &BTreeMap<String, String>) -> String {
    ended(env.iter().map(|(name, value)| format!("{name}={}", value.replace('\0', ""))), "\0")
}

/// Texts, each with an end behind it.
pub(crate) fn ended(texts: impl Iterator<Item = String>, end: &str) -> String {
    texts.flat_map(|text| [text, end.to_owned()]).collect()
}

fn answer(verb: &str, files: &[(&'static str, String)]) -> Answer {
    let files = files.iter().map(|(name, content)| (*name, content.clone().into_bytes()));
    std::iter::once(("do", verb.as_bytes().to_vec())).chain(files).collect()
}

fn read(sent: &Path, name: &str) -> Result<String, BuildError> {
    let bytes = image::read_small_file(sent, Path::new(name), LIMIT).map_err(BuildError::AppFile)?;
    Ok(String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned())
}

fn status(sent: &Path) -> Result<i32, BuildError> {
    let text = read(sent, "status")?;
    text.trim().parse().map_err(|_| BuildError::Container("it told no status of a program".into()))
}

/// A lifecycle of which the conversation has one half, and whoever started it the other.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Mutex<Lifecycle>>);

impl Shared {
    pub(crate) fn new(lifecycle: Lifecycle) -> Self {
        Self(Arc::new(Mutex::new(lifecycle)))
    }

    /// Looks at it.
    pub(crate) fn with<T>(&self, look: impl FnOnce(&mut Lifecycle) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Decide for Shared {
    fn decide(&mut self, sent: &Path) -> Result<Answer, BuildError> {
        self.with(|lifecycle| lifecycle.next(sent))
    }
}

#[cfg(test)]
mod tests;
