//! `buildpack.toml`: what a Cloud Native Buildpack says about itself.

use serde::Deserialize;
use std::fmt;

/// The versions of the Buildpack API that are spoken here: `0.8` to `0.12`.
const MINORS: std::ops::RangeInclusive<u32> = 8..=12;

/// Buildpacks in one group of an order, and groups of one.
const MEMBERS: usize = 200;

/// The minor version of the Buildpack API, whose major one is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Api(pub(crate) u32);

impl fmt::Display for Api {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "0.{}", self.0)
    }
}

/// Those that are spoken, in words.
pub(crate) fn supported() -> String {
    MINORS.map(|minor| Api(minor).to_string()).collect::<Vec<_>>().join(", ")
}

/// A buildpack's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Descriptor {
    pub(crate) api: Api,
    pub(crate) id: String,
    pub(crate) version: String,
    /// For people; the id, if it has none.
    pub(crate) name: String,
    /// Whether config vars stay out of its environment.
    pub(crate) clear_env: bool,
    /// Of a composite one: groups to try, in order.
    pub(crate) order: Vec<Vec<Member>>,
    targets: Vec<Target>,
    stacks: Vec<Stack>,
}

/// A buildpack in a group.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Member {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) version: String,
    #[serde(default)]
    pub(crate) optional: bool,
    #[serde(default, rename = "exec-env")]
    exec_env: Vec<String>,
}

impl Member {
    /// Whether it is meant for what is built here.
    pub(crate) fn is_for_production(&self) -> bool {
        self.exec_env.is_empty() || self.exec_env.iter().any(|one| one == "production" || one == "*")
    }
}

/// What apps are built for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Platform {
    /// As the OCI image specification names it.
    pub(crate) arch: String,
    /// `ID` and `VERSION_ID` of the stack's `/etc/os-release`.
    pub(crate) distro: (String, String),
    /// The stack, for buildpacks that know stacks.
    pub(crate) stack: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Target {
    os: Option<String>,
    arch: Option<String>,
    #[serde(default)]
    distros: Vec<Distro>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Distro {
    name: Option<String>,
    version: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Stack {
    id: String,
}

#[derive(Deserialize)]
struct Document {
    api: Option<String>,
    buildpack: Option<Info>,
    #[serde(default)]
    order: Vec<Order>,
    #[serde(default)]
    targets: Vec<Target>,
    #[serde(default)]
    stacks: Vec<Stack>,
}

#[derive(Deserialize)]
struct Info {
    id: Option<String>,
    version: Option<String>,
    name: Option<String>,
    #[serde(default, rename = "clear-env")]
    clear_env: bool,
}

#[derive(Deserialize)]
struct Order {
    #[serde(default)]
    group: Vec<Member>,
}

/// Why it cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unusable {
    /// It speaks another version of the API.
    Api(String),
    Bad(String),
}

impl Descriptor {
    /// Reads a `buildpack.toml`.
    pub(crate) fn parse(text: &str) -> Result<Self, Unusable> {
        let bad = |why: &str| Unusable::Bad(why.to_owned());
        let document: Document = toml::from_str(text).map_err(|error| Unusable::Bad(place(text, &error)))?;
        let api = document.api.ok_or_else(|| bad("it has no `api`"))?;
        let api = parse_api(&api).ok_or(Unusable::Api(api))?;
        let info = document.buildpack.ok_or_else(|| bad("it has no table `buildpack`"))?;
        let id = info.id.ok_or_else(|| bad("`buildpack` has no `id`"))?;
        if !is_id(&id) {
            return Err(Unusable::Bad(format!("{id:?} is not an id: use letters, digits, `.`, `/` and `-`")));
        }
        let version = info.version.unwrap_or_default();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-+_".contains(&byte);
        if version.is_empty() || version.len() > 64 || !version.bytes().all(plain) {
            return Err(Unusable::Bad(format!("{version:?} is not a version: write it like 1.2.3")));
        }
        let order: Vec<_> = document.order.into_iter().map(|order| order.group).collect();
        if order.len() > MEMBERS || order.iter().any(|group| group.len() > MEMBERS) {
            return Err(Unusable::Bad(format!("its order has more than {MEMBERS} groups or members of one")));
        }
        if order.iter().any(Vec::is_empty) {
            return Err(bad("its order has a group without members"));
        }
        let name = info.name.filter(|name| !name.trim().is_empty() && !name.contains(char::is_control));
        Ok(Self {
            api,
            name: name.unwrap_or_else(|| id.clone()),
            id,
            version,
            clear_env: info.clear_env,
            order,
            targets: document.targets,
            stacks: document.stacks,
        })
    }

    /// `id 1.2.3`
    pub(crate) fn shown(&self) -> String {
        format!("{} {}", self.id, self.version)
    }

    /// The name of its directory in paths.
    pub(crate) fn directory(&self) -> String {
        self.id.replace('/', "_")
    }

    /// Whether it can build for a platform; if not, what it is for.
    pub(crate) fn fits(&self, platform: &Platform) -> Result<(), String> {
        let known = [platform.stack.as_str(), "*"];
        if self.stacks.iter().any(|stack| known.contains(&stack.id.as_str())) {
            return Ok(());
        }
        if self.targets.is_empty() && (self.stacks.is_empty() || self.api >= Api(10)) {
            return Ok(());
        }
        let same = |said: &Option<String>, wanted: &str| said.as_deref().is_none_or(|said| said == wanted);
        let distro =
            |one: &Distro| same(&one.name, &platform.distro.0) && same(&one.version, &platform.distro.1);
        let fits = |target: &Target| {
            let distros = target.distros.is_empty() || target.distros.iter().any(distro);
            same(&target.os, "linux") && same(&target.arch, &platform.arch) && distros
        };
        if self.targets.iter().any(fits) {
            return Ok(());
        }
        let targets = self.targets.iter().map(Target::shown);
        let all: Vec<_> = targets.chain(self.stacks.iter().map(|stack| stack.id.clone())).collect();
        Err(all.join(", "))
    }
}

impl Target {
    fn shown(&self) -> String {
        let any = || "any".to_owned();
        let (os, arch) = (self.os.clone().unwrap_or_else(any), self.arch.clone().unwrap_or_else(any));
        let distro = |one: &Distro| {
            let words = [one.name.as_deref(), one.version.as_deref()];
            format!(" {}", words.into_iter().flatten().collect::<Vec<_>>().join(" "))
        };
        format!("{os}/{arch}{}", self.distros.iter().map(distro).collect::<Vec<_>>().join(" or"))
    }
}

/// Whether a `buildpack.toml` is a Cloud Native Buildpack's; classic ones have it for other reasons.
pub(crate) fn has_api(text: &str) -> bool {
    text.parse::<toml::Table>().is_ok_and(|table| table.contains_key("api"))
}

fn parse_api(text: &str) -> Option<Api> {
    let minor = text.trim().strip_prefix("0.")?;
    let digits = !minor.is_empty() && minor.bytes().all(|byte| byte.is_ascii_digit());
    let minor = digits.then(|| minor.parse().ok()).flatten()?;
    MINORS.contains(&minor).then_some(Api(minor))
}

fn is_id(id: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"./-_".contains(&byte);
    let reserved = ["app", "config", "generated", "sbom", ".", ".."];
    !id.is_empty() && id.len() <= 128 && id.bytes().all(plain) && !reserved.contains(&id)
}

/// What is wrong with a text, and where.
pub(crate) fn place(text: &str, error: &toml::de::Error) -> String {
    let at = error.span().map_or(0, |span| span.start);
    crate::project_toml::bad(text, at, error.message()).to_string()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn platform() -> Platform {
        Platform { arch: "amd64".into(), distro: ("debian".into(), "13".into()), stack: "heroku-24".into() }
    }

    pub(crate) fn parse(more: &str) -> Result<Descriptor, Unusable> {
        let head = "api = \"0.10\"\n[buildpack]\nid = \"acme/one\"\nversion = \"1.2.3\"\n";
        Descriptor::parse(&format!("{head}{more}"))
    }

    #[test]
    fn is_read() {
        let read = parse("name = \"One\"\nclear-env = true\n[[order]]\n[[order.group]]\nid = \"a\"\nversion = \"1\"\noptional = true\n").unwrap();
        assert_eq!((read.api, read.shown().as_str(), read.name.as_str()), (Api(10), "acme/one 1.2.3", "One"));
        assert_eq!((read.directory().as_str(), read.clear_env), ("acme_one", true));
        assert!(read.order[0][0].optional && read.order[0][0].is_for_production());
        assert_eq!(parse("").unwrap().name, "acme/one");
        assert_eq!(supported(), "0.8, 0.9, 0.10, 0.11, 0.12");
    }

    #[test]
    fn what_cannot_be_used_is_told() {
        let api = |text: &str| Err(Unusable::Api(text.into()));
        for said in ["0.7", "0.13", "1.0", "0", "0.", "0.+9", "x"] {
            assert_eq!(Descriptor::parse(&format!("api = \"{said}\"")), api(said), "{said}");
        }
        let id = |id: &str| format!("api = \"0.10\"\n[buildpack]\nid = \"{id}\"\nversion = \"1.0.0\"");
        let long = "a".repeat(200);
        for (text, words) in [
            ("", "it has no `api`"),
            ("api = 1", "line 1, column 7: invalid type"),
            ("api = \"0.10\"", "no table `buildpack`"),
            ("api = \"0.10\"\n[buildpack]", "has no `id`"),
            ("api = \"0.10\"\n[buildpack]\nid = \"a\"", "\"\" is not a version"),
            ("api = \"0.10\"\n[buildpack]\nid = \"a\"\nversion = \"../1\"", "is not a version"),
            (&id(".."), "is not an id"),
            (&id("sbom"), "is not an id"),
            (&id("a b"), "is not an id"),
            (&id(&long), "is not an id"),
            (&format!("{}\n[[order]]", id("a")), "a group without members"),
            ("[[[", "line 1"),
        ] {
            let Err(Unusable::Bad(why)) = Descriptor::parse(text) else { panic!("{text} is read") };
            assert!(why.contains(words), "{text}: {why}");
        }
    }

    #[test]
    fn what_it_is_for_is_compared() {
        for (targets, misfit) in [
            ("", None),
            ("[[targets]]\nos = \"linux\"", None),
            ("[[targets]]\nos = \"linux\"\narch = \"amd64\"\n[[targets.distros]]\nname = \"debian\"", None),
            ("[[targets]]\nos = \"windows\"", Some("windows/any")),
            ("[[targets]]\nos = \"linux\"\narch = \"arm64\"", Some("linux/arm64")),
            (
                "[[targets]]\nos = \"linux\"\n[[targets.distros]]\nname = \"ubuntu\"\nversion = \"24.04\"\n[[targets.distros]]\nname = \"debian\"\nversion = \"12\"",
                Some("linux/any ubuntu 24.04 or debian 12"),
            ),
            ("[[targets]]\nos = \"windows\"\n[[stacks]]\nid = \"*\"", None),
            ("[[stacks]]\nid = \"other\"", None),
        ] {
            let fits = parse(targets).unwrap().fits(&platform());
            assert_eq!(fits.err().as_deref(), misfit, "{targets}");
        }
        let old = |stack: &str| {
            let text = format!(
                "api = \"0.9\"\n[buildpack]\nid = \"a\"\nversion = \"1\"\n[[stacks]]\nid = \"{stack}\""
            );
            Descriptor::parse(&text).unwrap().fits(&platform())
        };
        assert_eq!((old("heroku-24"), old("*")), (Ok(()), Ok(())));
        assert_eq!(old("heroku-18"), Err("heroku-18".into()));
    }
}
