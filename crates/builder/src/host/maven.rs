//! Where Maven's repositories are, for everything on the JVM: the mirrors and proxies of the user's
//! `settings.xml`, and the proxies that variables name.

mod proxies;

use super::credentials::without;
use proxies::Proxy;
use roxmltree::{Document, Node};
use std::collections::BTreeMap;
use std::path::Path;

/// A user and a password.
type Login = (String, String);

/// Mirrors and proxies.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Maven {
    mirrors: Vec<Mirror>,
    proxies: Vec<Proxy>,
    /// Whether the proxies are those of variables, which every program of a build is given.
    has_common_proxies: bool,
}

#[derive(Clone, PartialEq, Eq)]
struct Mirror {
    id: String,
    /// Which repositories it stands for, in Maven's words.
    of: String,
    address: String,
    login: Option<Login>,
}

impl std::fmt::Debug for Maven {
    /// Without addresses: passwords may be in them.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.mirrors.iter().map(|mirror| &mirror.id)).finish()
    }
}

impl Maven {
    /// Reads what the machine and its user have. `KIGO_MAVEN_MIRROR` stands for the central
    /// repository, whatever the settings say.
    pub(super) fn read(variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let home = variable("HOME").unwrap_or_default();
        let file = std::fs::read_to_string(Path::new(&home).join(".m2/settings.xml"));
        let mut maven = Self::parse(&file.unwrap_or_default(), variable).unwrap_or_default();
        if let Some(address) = variable("KIGO_MAVEN_MIRROR") {
            let own = Mirror { id: "kigo".into(), of: "central".into(), address, login: None };
            maven.mirrors.insert(0, own);
        }
        if maven.proxies.is_empty() {
            maven.proxies = proxies::of_variables(variable);
            maven.has_common_proxies = !maven.proxies.is_empty();
        }
        maven
    }

    fn parse(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> Option<Self> {
        let document = Document::parse(text).ok()?;
        let listed = |list, name| {
            let lists: Vec<_> = children(document.root_element(), list).collect();
            lists.into_iter().flat_map(move |list| children(list, name))
        };
        let value = |node, name| {
            let text = expand(children(node, name).next()?.text()?.trim(), variable);
            (!text.is_empty()).then_some(text)
        };
        let login = |node| {
            let password = value(node, "password")?;
            // Others are encrypted, with a key that only this user's Maven has.
            (!password.starts_with('{')).then_some((value(node, "username")?, password))
        };
        let servers = listed("servers", "server").filter_map(|node| Some((value(node, "id")?, login(node)?)));
        let servers: BTreeMap<_, _> = servers.collect();
        let mirrors = listed("mirrors", "mirror").filter_map(|node| {
            let id = value(node, "id").unwrap_or_else(|| "mirror".into());
            let (of, address) = (value(node, "mirrorOf")?, value(node, "url")?);
            Some(Mirror { login: servers.get(&id).cloned(), id, of, address })
        });
        let proxies = listed("proxies", "proxy").filter_map(|node| {
            let active = value(node, "active").is_none_or(|text| text == "true");
            active.then_some(Proxy {
                protocol: value(node, "protocol").unwrap_or_else(|| "http".into()),
                host: value(node, "host")?,
                port: value(node, "port").unwrap_or_else(|| "8080".into()),
                except: value(node, "nonProxyHosts").unwrap_or_default(),
                login: login(node),
            })
        });
        Some(Self { mirrors: mirrors.collect(), proxies: proxies.collect(), has_common_proxies: false })
    }

    /// The names of those that hold a user or a password, and of which nobody else tells.
    pub(super) fn with_credentials(&self) -> impl Iterator<Item = &str> {
        let has = |mirror: &&Mirror| mirror.login.is_some() || without(&mirror.address) != mirror.address;
        let mirrors = self.mirrors.iter().filter(has).map(|mirror| mirror.id.as_str());
        let proxies = self.proxies.iter().filter(|proxy| proxy.login.is_some() && !self.has_common_proxies);
        mirrors.chain(proxies.map(|proxy| proxy.host.as_str()))
    }

    /// The settings without users and passwords.
    pub(super) fn without_credentials(mut self) -> Self {
        for mirror in &mut self.mirrors {
            mirror.login = None;
            mirror.address = without(&mirror.address);
        }
        for proxy in &mut self.proxies {
            proxy.login = None;
        }
        self
    }

    /// As Maven's own file; `None` if there is nothing to say.
    pub(super) fn settings_file(&self) -> Option<String> {
        if self.mirrors.is_empty() && self.proxies.is_empty() {
            return None;
        }
        let mirrors = self.mirrors.iter().map(|mirror| {
            element("mirror", &[("id", &mirror.id), ("mirrorOf", &mirror.of), ("url", &mirror.address)])
        });
        let servers = self.mirrors.iter().filter_map(|mirror| {
            let (user, password) = mirror.login.as_ref()?;
            Some(element("server", &[("id", &mirror.id), ("username", user), ("password", password)]))
        });
        let proxies = self.proxies.iter().enumerate().map(|(index, proxy)| proxy.element(index));
        let (mirrors, servers, proxies): (String, String, String) =
            (mirrors.collect(), servers.collect(), proxies.collect());
        Some(format!(
            "<settings>\n<mirrors>\n{mirrors}</mirrors>\n<servers>\n{servers}</servers>\n\
             <proxies>\n{proxies}</proxies>\n</settings>\n"
        ))
    }

    /// What programs other than Maven are told: by variables of this project's own, and those that
    /// Maven's wrapper knows.
    pub(super) fn variables(&self) -> BTreeMap<String, String> {
        let mut variables = BTreeMap::new();
        let mut put = |name: &str, value: String| drop(variables.insert(name.to_owned(), value));
        if let Some(mirror) = self.mirrors.iter().find(|mirror| mirror.is_central()) {
            let address = mirror.address.trim_end_matches('/').to_owned();
            put("MVNW_REPOURL", address.clone());
            put("KIGO_MAVEN_CENTRAL", address);
            if mirror.is_all() {
                put("KIGO_MAVEN_ALL", "1".into());
            }
            if let Some((user, password)) = &mirror.login {
                put("MVNW_USERNAME", user.clone());
                put("MVNW_PASSWORD", password.clone());
            }
        }
        let properties = proxies::properties(&self.proxies);
        if !properties.is_empty() {
            put("KIGO_JAVA_PROXY", properties.join("\n"));
        }
        variables
    }
}

impl Mirror {
    fn stands_for(&self, repository: &str) -> bool {
        self.of.split(',').any(|one| one.trim() == repository)
    }

    fn is_all(&self) -> bool {
        self.stands_for("*") || self.stands_for("external:*")
    }

    fn is_central(&self) -> bool {
        self.stands_for("central") || (self.is_all() && !self.stands_for("!central"))
    }
}

fn children<'a, 'input>(
    node: Node<'a, 'input>,
    name: &'a str,
) -> impl Iterator<Item = Node<'a, 'input>> + use<'a, 'input> {
    node.children().filter(move |child| child.tag_name().name() == name)
}

fn element(name: &str, values: &[(&str, &str)]) -> String {
    let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;");
    let values = values.iter().map(|(name, value)| format!("<{name}>{}</{name}>", escaped(value)));
    format!("<{name}>{}</{name}>\n", values.collect::<String>())
}

/// `${env.NAME}` is a variable, as in Maven.
fn expand(value: &str, variable: &dyn Fn(&str) -> Option<String>) -> String {
    let mut parts = value.split("${env.");
    let mut text = parts.next().unwrap_or("").to_owned();
    for part in parts {
        match part.split_once('}').and_then(|(name, rest)| Some((variable(name)?, rest))) {
            Some((value, rest)) => text.extend([value.as_str(), rest]),
            None => text.extend(["${env.", part]),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: &str = r#"<?xml version="1.0"?>
<settings xmlns="http://maven.apache.org/SETTINGS/1.0.0">
  <localRepository>/home/me/.m2/elsewhere</localRepository>
  <mirrors>
    <mirror><id>some</id><mirrorOf>snapshots</mirrorOf><url>https://snapshots.example/</url></mirror>
    <mirror><id>all</id><mirrorOf>*,!internal</mirrorOf><url>https://maven.example/a&amp;b/</url></mirror>
  </mirrors>
  <servers>
    <server><id>all</id><username>me</username><password>${env.PASSWORD}</password></server>
    <server><id>deploy</id><username>me</username><password>other</password></server>
    <server><id>some</id><username>me</username><password>{COQLCE6DU6GtcS5P=}</password></server>
  </servers>
  <proxies>
    <proxy><active>false</active><host>old.example</host></proxy>
    <proxy><host>proxy.example</host><port>3128</port><nonProxyHosts>*.example</nonProxyHosts></proxy>
  </proxies>
</settings>"#;

    fn read(variables: &[(&str, &str)]) -> Maven {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join(".m2")).unwrap();
        std::fs::write(home.path().join(".m2/settings.xml"), SETTINGS).unwrap();
        let home = home.path().to_str().unwrap();
        let find = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        Maven::read(&|name| if name == "HOME" { Some(home.into()) } else { find(name).map(str::to_owned) })
    }

    #[test]
    fn passes_on_mirrors_and_proxies_and_nothing_else() {
        let maven = read(&[("PASSWORD", "geheim")]);
        let variables: Vec<_> = maven.variables().into_iter().map(|(k, v)| format!("{k}={v}")).collect();
        insta::assert_snapshot!(format!("{}{}", maven.settings_file().unwrap(), variables.join("\n")));
        assert_eq!(maven.with_credentials().collect::<Vec<_>>(), ["all"]);
        let maven = maven.without_credentials();
        assert_eq!(maven.with_credentials().count(), 0);
        assert!(!maven.settings_file().unwrap().contains("geheim"));
        assert!(!format!("{:?}", maven.variables()).contains("geheim"));
        assert!(!format!("{maven:?}").contains("example"));
    }

    #[test]
    fn a_variable_names_a_mirror_of_the_central_repository() {
        let maven = read(&[("KIGO_MAVEN_MIRROR", "https://own.example/central")]);
        let variables = maven.variables();
        assert_eq!(variables["KIGO_MAVEN_CENTRAL"], "https://own.example/central");
        assert!(!variables.contains_key("KIGO_MAVEN_ALL"));
        assert!(Maven::default().settings_file().is_none() && Maven::default().variables().is_empty());
    }

    #[test]
    fn variables_that_are_not_set_stay_as_they_are() {
        for (value, expected) in [("a${env.T}b", "asecretb"), ("${env.U}", "${env.U}"), ("${env.", "${env.")]
        {
            assert_eq!(expand(value, &|name| (name == "T").then(|| "secret".into())), expected);
        }
    }
}
