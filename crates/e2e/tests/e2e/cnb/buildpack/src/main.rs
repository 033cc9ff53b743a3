//! A Cloud Native Buildpack as Rust programmers write them: it passes for apps with a `page.txt`, keeps
//! what it "downloads" in a cached layer, and serves the page with itself, from a launch layer.

use libcnb::build::{BuildContext, BuildResult, BuildResultBuilder};
use libcnb::data::build_plan::BuildPlanBuilder;
use libcnb::data::launch::{Label, LaunchBuilder, ProcessBuilder};
use libcnb::data::store::Store;
use libcnb::data::{layer_name, process_type};
use libcnb::detect::{DetectContext, DetectResult, DetectResultBuilder};
use libcnb::generic::{GenericMetadata, GenericPlatform};
use libcnb::layer::{CachedLayerDefinition, InvalidMetadataAction, LayerState, RestoredLayerAction};
use libcnb::layer::UncachedLayerDefinition;
use libcnb::layer_env::{LayerEnv, ModificationBehavior, Scope};
use libcnb::{Buildpack, Platform, libcnb_runtime};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::{env, fs, io};

struct Page;

impl Buildpack for Page {
    type Platform = GenericPlatform;
    type Metadata = GenericMetadata;
    type Error = io::Error;

    fn detect(&self, context: DetectContext<Self>) -> libcnb::Result<DetectResult, io::Error> {
        if !context.app_dir.join("page.txt").exists() {
            return DetectResultBuilder::fail().build();
        }
        let plan = BuildPlanBuilder::new().provides("page").requires("page").build();
        DetectResultBuilder::pass().build_plan(plan).build()
    }

    fn build(&self, context: BuildContext<Self>) -> libcnb::Result<BuildResult, io::Error> {
        let target = &context.target;
        println!("       For {} {} {}", target.os, target.distro_name, target.distro_version);
        println!("       SECRET is {:?}", context.platform.env().get("SECRET"));

        let downloads = context.cached_layer(
            layer_name!("downloads"),
            CachedLayerDefinition {
                build: true,
                launch: false,
                invalid_metadata_action: &|_| InvalidMetadataAction::DeleteLayer,
                restored_layer_action: &|_: &GenericMetadata, _| RestoredLayerAction::KeepLayer,
            },
        )?;
        match downloads.state {
            LayerState::Empty { .. } => {
                println!("       Downloading words");
                fs::write(downloads.path().join("words"), "words that were downloaded").map_err(wrong)?;
            }
            LayerState::Restored { .. } => println!("       Reusing words"),
        }
        let words = fs::read_to_string(downloads.path().join("words")).map_err(wrong)?;

        let server = context
            .uncached_layer(layer_name!("server"), UncachedLayerDefinition { build: false, launch: true })?;
        let bin = server.path().join("bin");
        fs::create_dir(&bin).map_err(wrong)?;
        let program = bin.join("page");
        fs::copy(env::current_exe().map_err(wrong)?, &program).map_err(wrong)?;
        fs::set_permissions(program, fs::Permissions::from_mode(0o755)).map_err(wrong)?;
        server.write_env(
            LayerEnv::new()
                .chainable_insert(Scope::Launch, ModificationBehavior::Default, "GREETING", "hello")
                .chainable_insert(Scope::Launch, ModificationBehavior::Override, "WORDS", &words)
                .chainable_insert(
                    Scope::Process("web".into()),
                    ModificationBehavior::Override,
                    "ONLY_WEB",
                    "yes",
                ),
        )?;
        server.write_exec_d_programs([("colour", context.buildpack_dir.join("colour"))])?;

        let mut store = context.store.unwrap_or(Store { metadata: GenericMetadata::default().unwrap_or_default() });
        let times = store.metadata.get("times").and_then(|times| times.as_integer()).unwrap_or(0);
        println!("       Built {times} times before");
        store.metadata.insert("times".into(), (times + 1).into());

        let web = ProcessBuilder::new(process_type!("web"), ["page"]).arg("$NOT_EXPANDED").default(true).build();
        let tick = ProcessBuilder::new(process_type!("tick"), ["sleep", "100000"]).build();
        let label = Label { key: "com.example.page".into(), value: "it's".into() };
        let launch = LaunchBuilder::new().processes([web, tick]).label(label).build();
        BuildResultBuilder::new().launch(launch).store(store).build()
    }
}

fn wrong(error: io::Error) -> libcnb::Error<io::Error> {
    libcnb::Error::BuildpackError(error)
}

/// Answers every request with the page and the environment.
fn serve() -> io::Result<()> {
    let env = |name: &str| env::var(name).unwrap_or_else(|_| "unset".into());
    let listener = TcpListener::bind(("0.0.0.0", env("PORT").parse().unwrap_or(5000)))?;
    let argument = env::args().nth(1).unwrap_or_default();
    for stream in listener.incoming() {
        let mut stream = stream?;
        for line in BufReader::new(stream.try_clone()?).lines() {
            if line?.is_empty() {
                break;
            }
        }
        let page = fs::read_to_string("page.txt")?;
        let said = ["GREETING", "WORDS", "COLOUR", "ONLY_WEB"].map(env).join("|");
        let body = format!("{}|{said}|{argument}\n", page.trim());
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())?;
    }
    Ok(())
}

fn main() {
    let name = env::args().next().unwrap_or_default();
    if name.ends_with("/detect") || name.ends_with("/build") {
        libcnb_runtime(&Page);
    }
    if let Err(error) = serve() {
        eprintln!("{error}");
    }
}
