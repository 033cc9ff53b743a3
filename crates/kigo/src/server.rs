//! `kigo server`: builds every part, starts them in order, and ends them in the reverse one.
//!
//! This is the one place that knows all parts. It refuses to hold logic of its own: what stands
//! here is which handle goes where.

mod apps;
mod blobs;
mod capacity;
mod databases;
mod git_backend;
mod health;
mod http;
pub(crate) mod journal;
mod output;
pub(crate) mod parts;
mod platform_metrics;
mod rendezvous;
mod routing;
mod settings;

use crate::config::Config;
use crate::data_dir::DataDir;
use crate::env::Endpoints;
use crate::reserve;
use addons::Catalog;
use anyhow::{Context, Result};
use axum::extract::Request;
use axum::middleware::Next;
use capacity::Capacity;
use health::{Health, Readiness};
use jiff::Timestamp;
use journal::AppLogs;
use ops::Ops;
use parts::Base;
use prometheus_client::registry::Registry as Metrics;
use rendezvous::Rendezvous;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tls::{Certificates, SniffListener};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// What is still open this long after the signal to end is cut.
const DRAIN: Duration = Duration::from_secs(45);

/// After a stack could not be made.
const STACK_RETRY: Duration = Duration::from_secs(30);

/// Runs the platform until SIGTERM or SIGINT.
pub(crate) fn run(config: &Config) -> Result<()> {
    journal::start(config.log_format);
    let data = DataDir::take(&config.data_dir)?;
    // Two threads: the router has threads of its own, and what is left waits most of the time.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let outcome = runtime.block_on(serve(config));
    runtime.shutdown_timeout(Duration::from_secs(2));
    drop(data);
    outcome
}

/// Everything that listens, bound before anything is served, so that a taken port is found out
/// before a dyno is touched.
struct Bound {
    api: tokio::net::TcpListener,
    rendezvous: tokio::net::TcpListener,
    router: router::Bound,
    endpoints: Endpoints,
}

async fn serve(config: &Config) -> Result<()> {
    let shutdown = CancellationToken::new();
    let signals = tokio::spawn(wait_for_signal(shutdown.clone())?);
    let certificates = certificates(config)?;
    let capacity = Capacity::claim();
    let bound = bind(config, capacity, &certificates).await?;
    let catalog = Catalog::load(config.catalog.as_deref())?;
    let base = parts::open(config, &bound.endpoints, catalog).await?;
    bootstrap(&base.ops).await?;

    let mut registry = Metrics::with_prefix("kigo");
    let metrics = router::Metrics::default();
    metrics.register(&mut registry);
    let board: Arc<std::sync::OnceLock<reconcile::Board>> = Arc::default();
    let shown = board.clone();
    let health = Health::new(base.ops.clone(), registry, move || {
        shown.get().map_or(serde_json::Value::Null, reconcile::Board::json)
    });

    // The router first: dynos that run already are served again before anything else happens.
    let routes = router::Routes::new();
    let settings = parts::loop_settings(config, &bound.endpoints, &base);
    let loops = reconcile::start(parts::deps(&base, &routes, &bound.endpoints), settings, &shutdown);
    let _ = board.set(loops.board());
    let hooks = router::Hooks {
        log: Arc::new(AppLogs(base.logs.clone())),
        wake: Arc::new(routing::NoWake),
        metrics: Arc::new(metrics),
    };
    // The router ends last but one: it drains when told, while the loops still answer it.
    let routed = tokio::spawn(bound.router.run(routes, hooks, shutdown.clone().cancelled_owned()));
    let git = settings::git_config(config)?.bind(Arc::new(git_backend(&base))).context("cannot serve git")?;
    let pages = pages(config, &bound.endpoints, &bound.rendezvous, &base, &git, &health, &shutdown)?;
    let tls = certificates.server_config(&[b"http/1.1"])?;
    let listener = SniffListener::new(bound.api, tls, capacity.api)?;
    let mut serving = vec![
        tokio::spawn(logged("git", async_ok(git.run(shutdown.clone().cancelled_owned())))),
        tokio::spawn(logged("API", async_ok(http::serve(listener, pages, shutdown.clone())))),
        tokio::spawn(logged("router", async { routed.await.map_err(std::io::Error::other)? })),
    ];
    let rendezvous = Rendezvous {
        ops: base.ops.clone(),
        engine: base.engine.clone(),
        tls: TlsAcceptor::from(certificates.server_config(&[])?),
        connections: capacity.rendezvous,
    };
    serving.push(tokio::spawn(logged(
        "rendezvous",
        async_ok(rendezvous.run(bound.rendezvous, shutdown.clone())),
    )));
    let fresh = tokio::spawn(async move { certificates.keep_fresh().await });
    crate::env::write_bundle(&bound.endpoints.ca)?;
    bound.endpoints.write(&config.data_dir)?;
    if let Err(error) = reserve::keep(&config.data_dir) {
        warn!(%error, "cannot keep room for a start on a full disk");
    }
    info!(api = bound.endpoints.api_url, apps = bound.endpoints.app_url, "listening");

    prepare(&base, config, &health, &shutdown).await;
    tokio::select! {
        () = crate::stack::keep_young(&base.images, config) => {}
        () = shutdown.cancelled() => {}
    }
    health.set(Readiness::Stopping);
    drain(serving, loops).await;
    fresh.abort();
    signals.abort();
    base.logs.flush().await;
    base.engine.settle().await;
    base.ops.store().close().await;
    info!("stopped; dynos run on");
    Ok(())
}

fn certificates(config: &Config) -> Result<Certificates> {
    let host = config.api_host();
    let names = host.into_iter().chain([config.rendezvous_listen.ip().to_string()]).collect();
    let config = tls::Config {
        directory: config.data_dir.join("ca"),
        base_domain: config.base_domain.clone(),
        host_names: names,
    };
    Certificates::open(&config, Timestamp::now()).context("cannot make the local certificates")
}

async fn bind(config: &Config, capacity: Capacity, certificates: &Certificates) -> Result<Bound> {
    let api = http::bind("the API", config.api_listen).await?;
    let rendezvous = http::bind("attached dynos", config.rendezvous_listen).await?;
    let router = router::Config {
        listen: vec![config.router_listen],
        threads: config.router_threads,
        trusted_proxies: config.router_trusted_proxies.clone(),
        limits: router::Limits { connections: capacity.router, ..router::Limits::default() },
        ..router::Config::default()
    };
    let router = router.bind().context("cannot listen for apps; is another server running?")?;
    let port = router.addresses().first().map_or(config.router_listen.port(), SocketAddr::port);
    let endpoints = Endpoints {
        api_url: config.api_url(api.local_addr()?.port()),
        app_url: config.app_url(port),
        ca: certificates.authority_path().to_owned(),
    };
    Ok(Bound { api, rendezvous, router, endpoints })
}

fn git_backend(base: &Base) -> git_backend::GitBackend {
    git_backend::GitBackend {
        ops: base.ops.clone(),
        images: base.images.clone(),
        outputs: base.outputs.clone(),
        data: base.builder.data.clone(),
    }
}

fn named_buildpack(one: builder::BuiltIn) -> api::BuiltIn {
    let builder::BuiltIn { name, alias, language, recognised_by, guide } = one;
    api::BuiltIn { name, alias, language, recognised_by, guide }
}

/// Everything that the API's port answers.
fn pages(
    config: &Config,
    endpoints: &Endpoints,
    rendezvous: &tokio::net::TcpListener,
    base: &Base,
    git: &git::Bound,
    health: &Health,
    shutdown: &CancellationToken,
) -> Result<axum::Router> {
    let blobs = blobs::Uploads::open(
        base.images.clone(),
        base.builder.clone(),
        base.shelf.clone(),
        config.data_dir.join("builds/uploads"),
        config.slug_limit,
        config.registry_image_limit,
    )
    .context("cannot clear away uploads")?;
    let port = rendezvous.local_addr()?.port();
    let host = config.api_host().unwrap_or_else(|| "localhost".into());
    let parts = api::Parts {
        ops: base.ops.clone(),
        logs: base.logs.clone(),
        outputs: Arc::new(output::ApiOutputs(base.outputs.clone())),
        blobs: Arc::new(blobs),
        databases: Arc::new(databases::Postgres),
        config: api::Config {
            origin: config.has_api_url().then(|| endpoints.api_url.clone()),
            app_url: endpoints.app_url.clone(),
            rendezvous: format!("{host}:{port}"),
            ..api::Config::default()
        },
        buildpacks: builder::built_in().map(named_buildpack).collect(),
        log_key: store::keys::secret_file(&config.data_dir, "logs.key")
            .context("cannot make the key of log streams")?,
        shutdown: shutdown.clone(),
    };
    let registry = registry::Registry {
        ops: base.ops.clone(),
        images: base.images.clone(),
        blob_limit: config.registry_blob_limit,
    };
    let router =
        api::router(parts).merge(git.router()).merge(registry.router()).merge(health.clone().router());
    Ok(router.layer(axum::middleware::from_fn(mark_secure)))
}

/// Tells the API which requests came over TLS.
async fn mark_secure(mut request: Request, next: Next) -> axum::response::Response {
    if request.extensions().get::<http::From>().is_some_and(|from| from.0.tls) {
        request.extensions_mut().insert(api::Secure);
    }
    next.run(request).await
}

/// Makes the stack if need be, then says that the platform is ready. A mirror that cannot be
/// reached is tried again: apps that run already are served meanwhile.
async fn prepare(base: &Base, config: &Config, health: &Health, shutdown: &CancellationToken) {
    health.set(Readiness::Preparing("making the stack's images".into()));
    let making = async {
        while let Err(error) =
            crate::stack::ensure_all(&base.images, &config.data_dir, |line| info!("stack: {line}")).await
        {
            tracing::error!("{error:#}; trying again in {} s", STACK_RETRY.as_secs());
            health.set(Readiness::Preparing(format!("{error:#}")));
            tokio::time::sleep(STACK_RETRY).await;
        }
    };
    tokio::select! {
        () = making => {}
        () = shutdown.cancelled() => return,
    }
    health.set(Readiness::Ready);
    info!("ready");
}

/// Makes the administrator at the first start, and tells what was generated for it, once.
async fn bootstrap(ops: &Ops) -> Result<()> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let input = ops::accounts::Bootstrap {
        email: variable("KIGO_ADMIN_EMAIL"),
        password: variable("KIGO_ADMIN_PASSWORD"),
        token: variable("KIGO_ADMIN_TOKEN"),
    };
    let (has_password, has_token) = (input.password.is_some(), input.token.is_some());
    let made = ops::accounts::bootstrap(ops, input).await.context("cannot make the administrator")?;
    if let Some(made) = made {
        announce(&made, has_password, has_token);
    }
    Ok(())
}

#[expect(clippy::print_stderr, reason = "told once, to the operator's terminal and not to the log")]
fn announce(made: &ops::accounts::Bootstrapped, has_password: bool, has_token: bool) {
    eprintln!("The administrator is {}.", made.account.email);
    if !has_password {
        eprintln!("  password  {}", made.password);
    }
    if !has_token {
        eprintln!("  API key   {}", made.token);
    }
    if !has_password || !has_token {
        eprintln!("Keep this: it is shown only now.");
    }
}

fn wait_for_signal(shutdown: CancellationToken) -> Result<impl Future<Output = ()>> {
    let mut term = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = interrupt.recv() => {}
            () = shutdown.cancelled() => return,
        }
        info!("stopping: nothing new is accepted, what is open is finished");
        shutdown.cancel();
    })
}

/// Waits for all parts to end, but not for ever.
async fn drain(serving: Vec<JoinHandle<()>>, loops: reconcile::Running) {
    let all = async {
        for part in serving {
            // A panic was reported by the runtime; the others still end in order.
            let _ = part.await;
        }
        loops.ended().await;
    };
    if tokio::time::timeout(DRAIN, all).await.is_err() {
        warn!("some requests were still open after {} s", DRAIN.as_secs());
    }
}

async fn logged(part: &'static str, work: impl Future<Output = std::io::Result<()>>) {
    if let Err(error) = work.await {
        tracing::error!(part, %error, "ended with an error");
    }
}

async fn async_ok(work: impl Future<Output = ()>) -> std::io::Result<()> {
    work.await;
    Ok(())
}
