//! What the languages on the JVM have in common: which Java, how a build's programs start, and what
//! dynos are told about their memory and their database. Follows Heroku's `jvm-common`.
//!
//! OpenJDK is Debian's, a part of the stack, so that it is kept safe with it: builds have the JDK,
//! dynos the runtime. What Maven, Gradle and sbt download is kept in directories of the app's own
//! ([`Directory`]) and is no part of the slug.

mod properties;
#[cfg(test)]
mod scripts;
mod truststore;
mod versions;
mod words;

pub(crate) use properties::Properties;
pub(crate) use words::{JvmError, caution};

use crate::BuildError;
use crate::build::{Compiled, Context, built_in};
use crate::cache::Directory;
use crate::container::{self, Ended, Phase, Pipe};
use crate::languages::Language;
use crate::source::has_file;
use domain::ProcessType;
use engine::{Mount, Power};
use std::collections::BTreeMap;
use versions::Version;
use words::Warning;

/// What later buildpacks are given.
const EXPORT: &str = "JAVA_HOME=$(dirname \"$(dirname \"$(readlink -f /usr/bin/javac)\")\")\n\
                      export JAVA_HOME PATH=\"$JAVA_HOME/bin:$PATH\"";

/// The app's `system.properties`, and the Java that they ask for.
#[derive(Debug)]
pub(crate) struct Jvm {
    /// All settings, some of which belong to the languages.
    pub(crate) properties: Properties,
    version: Version,
}

impl Jvm {
    /// Decides which Java a build uses.
    pub(crate) fn determine(context: &Context<'_>) -> Result<Self, JvmError> {
        let properties = Properties::read(&context.work.source(), "system.properties")?;
        let version = Version::resolve(properties.word("java.runtime.version"), &context.stack)?;
        Ok(Self { properties, version })
    }

    /// The major version.
    pub(crate) fn version(&self) -> &str {
        &self.version.runtime.version
    }

    /// Has it installed, and tells the user.
    pub(crate) async fn install(&self, context: &mut Context<'_>) {
        self.version.tell(context.output).await;
        if context.work.source().join(".jdk-overlay").is_dir() {
            words::warn(&Warning::Overlay, context.output).await;
        }
        let runtime = &self.version.runtime;
        context.build_packages.extend(runtime.build.iter().cloned());
        context.run_packages.extend(runtime.run.iter().cloned());
    }
}

/// What a language runs in the container.
pub(crate) struct Program<'a> {
    /// Its file below `/kigo`, among `files`.
    pub(crate) script: &'static str,
    /// Files of the language's own.
    pub(crate) files: &'a [(&'static str, &'a str)],
    pub(crate) env: Vec<(String, String)>,
    /// What earlier builds downloaded and made.
    pub(crate) directories: &'a [Directory],
}

/// Runs the build's program in a container, whatever its status.
pub(crate) async fn run(context: &mut Context<'_>, program: Program<'_>) -> Result<Ended, BuildError> {
    let shared = [
        ("common.sh", include_str!("../scripts/common.sh")),
        ("jvm.sh", include_str!("jvm/build.sh")),
        ("jvm-profile.sh", include_str!("jvm/profile.sh")),
        ("jvm-jdbc.sh", include_str!("jvm/jdbc.sh")),
        ("jvm-spring.sh", include_str!("jvm/spring.sh")),
    ];
    let written =
        shared.iter().chain(program.files).try_for_each(|(name, text)| context.work.write(name, text));
    written.map_err(BuildError::system("writing the build's programs"))?;
    // A buildpack that follows may start Java as well.
    context.mounts = certificates(context).map_err(BuildError::system("writing what Java trusts"))?;

    let kept = program.directories.iter().flat_map(|directory| directory.layers().iter().copied());
    let image = context.build_image(kept).await?;
    let mut env = context.env(&context.build_directory());
    // Not the build directory: what programs leave in their home is no part of the app.
    env.insert("HOME".into(), if context.alone { "/tmp/home".into() } else { "/app".into() });
    context.test_env.extend(program.env.iter().cloned());
    env.extend(program.env);
    env.extend(program.directories.iter().map(Directory::plan));
    let pipes = [Pipe::tree("app", context.builder.settings.limits.disk)];
    let pipes = pipes.into_iter().chain(program.directories.iter().map(Directory::pipe));
    let phase = Phase {
        image,
        script: program.script,
        env,
        mounts: context.mounts.clone(),
        pipes: pipes.collect(),
        power: Power::Plain,
        decide: None,
    };
    let (builder, request) = (context.builder, context.request);
    container::run(builder, request, &context.work, phase, context.deadline, context.output).await
}

/// Puts the host's certificates where Java looks, if builds are given any.
fn certificates(context: &Context<'_>) -> std::io::Result<Vec<Mount>> {
    let bundle = match std::fs::read(context.work.inside("host/ca-certificates.crt")) {
        Ok(bundle) => bundle,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let source = context.work.inside("cacerts");
    std::fs::write(&source, truststore::of_bundle(&bundle))?;
    Ok(vec![Mount { source, target: truststore::PLACE.into(), read_only: true }])
}

/// Takes over what came out of a container in which all went well.
pub(crate) async fn collect(
    context: &mut Context<'_>,
    language: Language,
    directories: Vec<Directory>,
    web: Option<String>,
    mut ended: Ended,
) -> Result<Compiled, BuildError> {
    let mut kept = Vec::new();
    for directory in directories {
        kept.extend(directory.keep(context, &mut ended).await?);
    }
    context.add_export(EXPORT)?;
    let tree = ended.required_tree("app")?;
    // As on Heroku: who has a Procfile says everything.
    let web = web.filter(|_| !has_file(&tree, "Procfile"));
    Ok(Compiled {
        tree,
        layers: Vec::new(),
        description: language.description().into(),
        used: vec![built_in(language)],
        process_types: web.map(|command| (ProcessType::web(), command)).into_iter().collect(),
        config_vars: BTreeMap::new(),
        addons: Vec::new(),
        labels: BTreeMap::new(),
        kept,
    })
}

/// A path as a word of a shell's command.
pub(crate) fn word(path: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._+-@".contains(c);
    if path.chars().all(plain) { path.to_owned() } else { format!("'{}'", path.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_if_they_have_to_be() {
        for (path, expected) in [
            ("target/app-1.0+2.jar", "target/app-1.0+2.jar"),
            ("target/my app.jar", "'target/my app.jar'"),
            ("a'b;c", r"'a'\''b;c'"),
        ] {
            assert_eq!(word(path), expected);
        }
    }
}
