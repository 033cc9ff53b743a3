//! Builds a directory with the real engine, without a server: for working on buildpacks.
//!
//! `cargo run -p builder --example build -- DATA_DIR SOURCE_DIR [BUILDPACK...]`, as root. The same
//! app id is used for the same source directory, so that a second run finds the cache of the first.
//! Variables that begin with `APP_` become config vars; `TIMEOUT` (seconds), `MEMORY` and `DISK`
//! (bytes) set limits; `STACK` is another stack than the usual one and `RUNTIME` another launcher;
//! `LOCAL_BUILDPACKS` names a directory for `file://` addresses; with `TEST=1` the app is tested. Ctrl-C
//! cancels.

use builder::{BuildRequest, Builder, HostSettings, Output, Settings, TestRun, build, test};
use domain::{AppId, BuildId, BuildpackRef, ConfigVars};
use engine_local::{Local, LocalConfig};
use image::{ImageStore, PackOptions};
use sha2::{Digest, Sha256};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args_os().skip(1).peekable();
    if arguments.peek().is_some_and(|first| first == "shim") {
        container::shim::main(arguments.skip(1));
    }
    let mut paths = arguments.by_ref().take(2).map(PathBuf::from);
    let (Some(data), Some(source)) = (paths.next(), paths.next()) else {
        return Err("usage: build DATA_DIR SOURCE_DIR [BUILDPACK...]".into());
    };
    let buildpacks = arguments.map(|name| BuildpackRef(name.to_string_lossy().into_owned())).collect();
    tokio::runtime::Runtime::new()?.block_on(run(data, source, buildpacks))
}

#[expect(clippy::print_stdout, reason = "a tool for a terminal")]
async fn run(data: PathBuf, source: PathBuf, buildpacks: Vec<BuildpackRef>) -> Result<(), Failure> {
    std::fs::create_dir_all(&data)?;
    let data = data.canonicalize()?;
    let images = ImageStore::open(&data)?;
    let shim = vec![std::env::current_exe()?.into_os_string(), "shim".into()];
    let runtime = std::env::var("RUNTIME").unwrap_or_else(|_| "own".into()).parse()?;
    let config = LocalConfig { shim, runtime, ..LocalConfig::new(data.clone()) };
    let local = Arc::new(Local::open(config, images.clone()).await?);

    let blob = images.begin_blob(u64::MAX)?;
    let packed = image::pack(&source, blob, &PackOptions::app(1_700_000_000), image::Compression::Gzip)?;
    let blob = packed.writer.finish(None)?;
    let name = Sha256::digest(source.as_os_str().as_encoded_bytes());
    let name = uuid::Uuid::from_slice(&name[..16])?;
    let variables =
        std::env::vars().filter_map(|(name, value)| Some((name.strip_prefix("APP_")?.to_owned(), value)));
    let request = BuildRequest {
        build: BuildId::new(),
        app: AppId(name),
        source: blob.digest,
        buildpacks,
        stack: std::env::var("STACK").unwrap_or_else(|_| "kigo-13".into()),
        config_vars: ConfigVars(variables.collect()),
        source_version: Some("0000000".into()),
        metadata: std::collections::BTreeMap::new(),
        request_id: uuid::Uuid::new_v4().to_string(),
        bases: Arc::new(builder::NoBases),
        cancel: CancellationToken::new(),
    };
    let mut settings = Settings {
        host: HostSettings::detect(),
        local_buildpacks: std::env::var_os("LOCAL_BUILDPACKS").map(PathBuf::from),
        ..Settings::default()
    };
    if let Some(seconds) = std::env::var("TIMEOUT").ok().and_then(|text| text.parse().ok()) {
        settings.timeout = Duration::from_secs(seconds);
    }
    if let Some(bytes) = std::env::var("MEMORY").ok().and_then(|text| text.parse().ok()) {
        settings.limits.memory = bytes;
        settings.limits.memory_max = bytes;
    }
    if let Some(bytes) = std::env::var("DISK").ok().and_then(|text| text.parse().ok()) {
        settings.limits.disk = bytes;
    }
    let cancel = request.cancel.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            cancel.cancel();
        }
    });
    let builder = Builder::new(local.clone(), images, data, settings);
    builder.sweep().await?;
    let (sender, mut lines) = mpsc::channel(64);
    let began = Instant::now();
    let run = TestRun { id: request.build.0, branch: Some("main".into()) };
    let building = tokio::spawn(async move {
        let output = Output::new(sender);
        Ok::<_, builder::BuildError>(if std::env::var_os("TEST").is_some() {
            format!("{:?}", test(&builder, request, run, output).await?)
        } else {
            format!("{:#?}", build(&builder, request, output).await?)
        })
    });
    while let Some(line) = lines.recv().await {
        println!("{:6.2} {line}", began.elapsed().as_secs_f64());
    }
    let outcome = building.await?;
    println!("{:6.2} {}", began.elapsed().as_secs_f64(), outcome?);
    local.settle().await;
    Ok(())
}
