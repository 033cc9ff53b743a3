//! This host's own registries, proxies and certificates, as builds need them.
//!
//! A company's machine may reach npm or PyPI only through a mirror or a proxy whose certificate it
//! trusts. Builds then must use the same. What is found goes into the environment of build
//! containers and into read-only files outside of the app's tree, which go with the build: nothing
//! of it ends up in a slug. It refuses to pass on what it does not know: a user's `.npmrc` may name
//! paths of this machine.
//!
//! Whoever may push an app sees all that its builds see. So users, passwords and tokens, of which
//! the operator's own `.npmrc` may hold those to publish with, stay behind unless the operator says
//! otherwise. The server itself uses them when it downloads a language's runtime.

mod cargo;
mod credentials;
mod goenv;
mod maven;
mod npmrc;
mod pip;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use cargo::Cargo;
use maven::Maven;
pub(crate) use npmrc::Npmrc;

/// Where the files are inside a build container.
pub(crate) const INSIDE: &str = "/kigo/host";

/// Where this host's certificates are inside a build container.
pub(crate) fn certificates_inside() -> String {
    format!("{INSIDE}/ca-certificates.crt")
}

/// Variables by which programs find a bundle of certificates.
const BUNDLE_VARIABLES: [&str; 9] = [
    "SSL_CERT_FILE",
    "NODE_EXTRA_CA_CERTS",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "REQUESTS_CA_BUNDLE",
    "PIP_CERT",
    "CARGO_HTTP_CAINFO",
    "AWS_CA_BUNDLE",
    "NIX_SSL_CERT_FILE",
];

/// Variables passed on as they are. Proxies are known in both cases.
const PASSED_ON: [&str; 30] = [
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "PIP_TRUSTED_HOST",
    "PIP_DEFAULT_TIMEOUT",
    "PIP_RETRIES",
    "UV_DEFAULT_INDEX",
    "UV_INDEX_URL",
    "UV_INDEX",
    "UV_PYTHON_INSTALL_MIRROR",
    "UV_PYTHON_DOWNLOADS_JSON_URL",
    "BUNDLE_MIRROR__ALL",
    "GOPROXY",
    "GONOSUMDB",
    "GONOPROXY",
    "GOSUMDB",
    "GOPRIVATE",
    "GOINSECURE",
    "RUSTUP_DIST_SERVER",
    "RUSTUP_UPDATE_ROOT",
    "NPM_CONFIG_STRICT_SSL",
    "YARN_NPM_REGISTRY_SERVER",
    "KIGO_GRADLE_MIRROR",
];

/// What builds are given of this host. The default gives nothing, which is right for a machine
/// with plain access to the internet.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HostSettings {
    /// Environment of build containers, besides what the files below need.
    pub env: BTreeMap<String, String>,
    /// Bundle of certificates in PEM, for builds only.
    pub certificates: Option<PathBuf>,
    /// npm's settings, as far as they concern registries.
    pub(crate) npmrc: Npmrc,
    /// Cargo's, likewise.
    cargo: Cargo,
    /// Maven's, likewise.
    maven: Maven,
    /// Give builds the credentials among these settings as well.
    pub share_credentials: bool,
}

impl HostSettings {
    /// Reads the settings of the machine and the user that this process runs as.
    pub fn detect() -> Self {
        Self::read(&|name| std::env::var_os(name), Path::new("/"))
    }

    fn read(variable: &dyn Fn(&str) -> Option<OsString>, root: &Path) -> Self {
        let text = |name: &str| {
            variable(name).and_then(|value| value.into_string().ok()).filter(|value| !value.is_empty())
        };
        let mut env: BTreeMap<String, String> = pip::from_files(&text, root);
        env.extend(goenv::from_file(&text));
        for name in PASSED_ON {
            if let Some(value) = text(name) {
                env.insert(name.into(), value);
            }
        }
        let home = text("HOME").map(PathBuf::from);
        let mut npmrc = Npmrc::default();
        let user_file = text("NPM_CONFIG_USERCONFIG").or_else(|| text("npm_config_userconfig"));
        let files = [
            Some(root.join("usr/etc/npmrc")),
            Some(root.join("etc/npmrc")),
            user_file.map(PathBuf::from).or_else(|| home.map(|home| home.join(".npmrc"))),
        ];
        for file in files.into_iter().flatten() {
            if let Ok(content) = std::fs::read_to_string(&file) {
                npmrc.merge(&content, &text);
            }
        }
        for name in ["NPM_CONFIG_REGISTRY", "npm_config_registry"] {
            if let Some(value) = text(name) {
                npmrc.set_registry(value);
            }
        }
        let named = ["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "CURL_CA_BUNDLE"].into_iter().find_map(text);
        let common = ["etc/ssl/certs/ca-certificates.crt", "etc/pki/tls/certs/ca-bundle.crt"];
        let candidates = named.map(PathBuf::from).into_iter().chain(common.map(|path| root.join(path)));
        let certificates = candidates.into_iter().find(|path| path.is_file());
        let (cargo, maven) = (Cargo::of_user(&text), Maven::read(&text));
        Self { env, certificates, npmrc, cargo, maven, share_credentials: false }
    }

    /// The names of settings whose credentials builds are not given. Never the credentials.
    pub fn withheld(&self) -> Vec<String> {
        if self.share_credentials {
            return Vec::new();
        }
        let of_env = self.env.iter().filter(|(_, value)| credentials::without(value) != **value);
        let of_env = of_env.map(|(name, _)| name.clone());
        let of_npm = self.npmrc.with_credentials().map(|name| format!(".npmrc: {name}"));
        let of_cargo = self.cargo.with_credentials().map(|name| format!("Cargo's config.toml: [{name}]"));
        let of_maven = self.maven.with_credentials().map(|name| format!("settings.xml of Maven: {name}"));
        of_env.chain(of_npm).chain(of_cargo).chain(of_maven).collect()
    }

    /// Writes the files that a build container sees below [`INSIDE`] into `directory`, and returns
    /// the environment that goes with them.
    pub(crate) fn install(&self, directory: &Path) -> std::io::Result<BTreeMap<String, String>> {
        let mut env = self.env.clone();
        let (mut settings, mut cargo, mut maven) =
            (self.npmrc.clone(), self.cargo.clone(), self.maven.clone());
        if !self.share_credentials {
            for value in env.values_mut() {
                *value = credentials::without(value);
            }
            settings = settings.without_credentials();
            cargo = cargo.without_credentials();
            maven = maven.without_credentials();
        }
        if let Some(certificates) = &self.certificates {
            // A copy: the original may be replaced, by rename, while the build runs.
            std::fs::copy(certificates, directory.join("ca-certificates.crt"))?;
            for name in BUNDLE_VARIABLES {
                env.insert(name.into(), certificates_inside());
            }
        }
        let secret = |name: &str, text: String| {
            std::fs::write(directory.join(name), text)?;
            crate::work::give_to_owner(&directory.join(name), 0o400)
        };
        secret("npmrc", settings.text())?;
        if let Some(text) = cargo.text() {
            secret("cargo.toml", text)?;
        }
        if let Some(text) = maven.settings_file() {
            secret("maven-settings.xml", text)?;
        }
        env.extend(maven.variables());
        env.insert("NPM_CONFIG_USERCONFIG".into(), format!("{INSIDE}/npmrc"));
        Ok(env)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(variables: &[(&str, &str)], files: &[(&str, &str)]) -> (HostSettings, tempfile::TempDir) {
        let root = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        let home = root.path().join("root");
        let variables: BTreeMap<String, OsString> = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), OsString::from(value)))
            .chain([("HOME".to_owned(), home.into_os_string())])
            .collect();
        (HostSettings::read(&|name| variables.get(name).cloned(), root.path()), root)
    }

    #[test]
    fn a_plain_machine_passes_nothing_on() {
        let (settings, _root) = host(&[("PATH", "/bin"), ("AWS_SECRET_ACCESS_KEY", "x")], &[]);
        assert_eq!(settings, HostSettings::default());
    }

    #[test]
    fn variables_win_over_files_and_paths_of_the_host_stay_behind() {
        let (settings, _root) = host(
            &[("PIP_INDEX_URL", "https://a/simple"), ("HTTPS_PROXY", "http://proxy:1"), ("N", "t0k")],
            &[
                ("etc/pip.conf", "[global]\nindex-url = https://b/simple\ntimeout=9\ncert = /x\n"),
                (
                    "root/.npmrc",
                    "registry=https://npm.example/\n//npm.example/:_authToken=${N}\ncafile=/x\nprefix=/y\n",
                ),
                ("etc/ssl/certs/ca-certificates.crt", "PEM"),
            ],
        );
        let env: Vec<_> = settings.env.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(
            env,
            ["HTTPS_PROXY=http://proxy:1", "PIP_DEFAULT_TIMEOUT=9", "PIP_INDEX_URL=https://a/simple"]
        );
        assert_eq!(settings.npmrc.text(), "//npm.example/:_authToken=t0k\nregistry=https://npm.example/\n");
        assert!(settings.certificates.is_some());
    }

    #[test]
    fn credentials_stay_behind_unless_the_operator_says_otherwise() {
        let (mut settings, _root) = host(
            &[("HTTPS_PROXY", "http://me:geheim@proxy:1"), ("UV_INDEX", "https://pypi.example/simple")],
            &[
                ("etc/pip.conf", "[global]\nindex-url = https://me:geheim@b/simple\n"),
                (
                    "root/.npmrc",
                    "registry=https://me:geheim@npm.example/\n//npm.example/:_authToken=geheim\n\
                     //npm.example/:username=me\n@own:registry=https://own.example/\nfetch-retries=3\n",
                ),
            ],
        );
        let installed = |settings: &HostSettings| {
            let directory = tempfile::tempdir().unwrap();
            let env = settings.install(directory.path()).unwrap();
            let npmrc = std::fs::read_to_string(directory.path().join("npmrc")).unwrap();
            let env: Vec<_> = env.iter().map(|(name, value)| format!("{name}={value}")).collect();
            (env.join("\n"), npmrc)
        };
        let (env, npmrc) = installed(&settings);
        assert!(!env.contains("geheim") && !npmrc.contains("geheim"), "{env}\n{npmrc}");
        assert!(env.contains("HTTPS_PROXY=http://proxy:1\nKIGO_"), "{env}");
        assert!(env.contains("PIP_INDEX_URL=https://b/simple\n"), "{env}");
        assert_eq!(
            npmrc,
            "@own:registry=https://own.example/\nfetch-retries=3\nregistry=https://npm.example/\n"
        );
        assert_eq!(
            settings.withheld(),
            [
                "HTTPS_PROXY",
                "PIP_INDEX_URL",
                ".npmrc: //npm.example/:_authToken",
                ".npmrc: //npm.example/:username",
                ".npmrc: registry"
            ]
        );
        // The server goes on using them itself.
        assert!(settings.npmrc.authorization("https://npm.example/npm").is_some());
        settings.share_credentials = true;
        let (env, npmrc) = installed(&settings);
        assert!(env.matches("geheim").count() == 3 && npmrc.matches("geheim").count() == 2, "{env}\n{npmrc}");
        assert_eq!(settings.withheld(), [""; 0]);
    }
}
