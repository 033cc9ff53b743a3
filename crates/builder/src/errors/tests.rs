//! Every failure as its user reads it.

use super::*;
use image::{Rule, TooMuch};
use std::io;

#[test]
fn sizes_read_as_on_heroku() {
    for (bytes, text) in
        [(0, "0.0K"), (512, "0.5K"), (38_063_309, "36.3M"), (613_836_390, "585.4M"), (5 << 30, "5.0G")]
    {
        assert_eq!(megabytes(bytes), text);
    }
}

fn stack_errors() -> Vec<StackError> {
    vec![
        StackError::Unknown,
        StackError::NoMmdebstrap,
        StackError::NotRoot,
        StackError::NoMirror,
        StackError::Mmdebstrap {
            status: "exit status: 25".into(),
            last_words: "E: apt-get update failed".into(),
        },
        StackError::System { doing: "lock the stack", source: io::Error::other("no locks available") },
    ]
}

fn errors() -> Vec<BuildError> {
    let forbidden = || UnpackError::Forbidden { entry: "../x".into(), rule: Rule::ParentDirectory };
    let mut all = vec![
        BuildError::Source(forbidden()),
        BuildError::Source(UnpackError::TooMuch(TooMuch::Entries(500_000))),
        BuildError::Source(UnpackError::Write {
            entry: "a".into(),
            source: io::ErrorKind::StorageFull.into(),
        }),
        BuildError::Procfile(NameError("Procfile line 2: the process type web has no command".into())),
        BuildError::SlugIgnore(BadPattern::Negation { line: 3 }),
        BuildError::AppJson(domain::AppJson::parse("{\n  \"env\": []\n}").unwrap_err()),
        BuildError::ProjectToml(crate::project_toml::bad("\n[_]\n", 1, "something")),
        BuildError::AppFile(io::Error::new(io::ErrorKind::InvalidData, "Procfile is not a regular file")),
        BuildError::NoLanguage,
        BuildError::TooManyBuildpacks(32),
        BuildError::UnknownBuildpack("heroku/cobol".into()),
        BuildError::BuildpackAddress { address: "ftp://x".into(), why: "It has to begin with https://." },
        BuildError::BuildpackFetch("https://x.example/a.git".into()),
        BuildError::NotABuildpack("https://x.example/a.git".into()),
        BuildError::NotCompatible("heroku/nodejs".into()),
        BuildError::Compile {
            buildpack: "https://x.example/a.git".into(),
            description: "Cobol".into(),
            status: 2,
        },
        BuildError::Release {
            buildpack: "https://x.example/a.git".into(),
            source: BadRelease::NotTexts("default_process_types"),
        },
        BuildError::Tests(TestError::Stack("container".into())),
        BuildError::Tests(TestError::None),
        BuildError::Tests(TestError::Setup(2)),
        BuildError::Packages(vec!["php-cli".into(), "php-fpm".into()]),
        BuildError::Registry(RegistryError::Status { address: "https://r.example/npm".into(), status: 503 }),
        BuildError::SlugTooLarge { size: 613_836_390, limit: 500 << 20 },
        BuildError::TimedOut(Duration::from_mins(15)),
        BuildError::Cancelled,
        BuildError::OutOfMemory { limit: 2560 << 20 },
        BuildError::DiskFull { limit: 8192 << 20 },
        BuildError::Result(forbidden()),
        BuildError::Container("the image could not be mounted".into()),
        BuildError::System { doing: "making a pipe".into(), source: io::ErrorKind::StorageFull.into() },
    ];
    all.extend(stack_errors().into_iter().map(|error| BuildError::Stack("kigo-13".into(), error)));
    all
}

/// Everything that was put out.
pub(crate) async fn text(mut lines: tokio::sync::mpsc::Receiver<String>) -> String {
    let mut text = String::new();
    while let Some(line) = lines.recv().await {
        text.extend([line.as_str(), "\n"]);
    }
    text
}

/// What users read of these errors, for a snapshot.
pub(crate) async fn told(errors: impl IntoIterator<Item = BuildError>) -> String {
    let mut told = String::new();
    for error in errors {
        let (sender, lines) = tokio::sync::mpsc::channel(64);
        error.tell(&Output::new(sender)).await;
        told.extend(["===== ", &chain(&error), "\n", &text(lines).await]);
        let words = error.words();
        assert!(!words.happened.is_empty() && !words.next.is_empty(), "{error}");
    }
    told
}

#[tokio::test]
async fn every_failure_says_what_happened_why_and_what_to_do() {
    insta::assert_snapshot!(told(errors()).await);
}
