//! What the router knows: a table that is made whole, handed over and never changed.

use crate::{AppId, AppName, DynoId, DynoName};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

/// All routes at one moment. A later table has a higher generation.
#[derive(Clone, Debug, Default)]
pub struct RouteTable {
    pub generation: u64,
    /// Lower-case host name without port → app.
    pub hosts: HashMap<String, Arc<AppRoute>>,
}

/// How requests for one app are answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppRoute {
    pub app: AppId,
    pub name: AppName,
    /// H80 for every request.
    pub maintenance: bool,
    /// Address of the page shown for errors of the router (`ERROR_PAGE_URL`).
    pub error_page: Option<String>,
    /// Address of the maintenance page (`MAINTENANCE_PAGE_URL`).
    pub maintenance_page: Option<String>,
    pub backends: Backends,
}

/// Which dynos can answer, and if none can, why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Backends {
    /// Nothing was ever released: H81.
    Blank,
    /// No web process type, or scaled to zero: H14.
    NoWeb,
    /// Every web dyno has crashed: H10.
    Crashed,
    /// None is up yet but one is coming: hold the request, H20 after 75 s.
    Starting,
    /// At least one, in no particular order.
    Ready(Vec<Backend>),
}

/// One dyno that listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Backend {
    pub dyno: DynoId,
    pub name: DynoName,
    pub address: SocketAddr,
}
