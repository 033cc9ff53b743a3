//! How the platform is, for `heroku status`.

use axum::Json;
use wire::status::{CurrentStatus, SystemStatus};

/// `GET /api/v4/current-status`. A server that answers is up; what is wrong with single apps is
/// told by their own logs and states.
pub(crate) async fn current() -> Json<CurrentStatus> {
    let green = |system: &str| SystemStatus { system: system.into(), status: "green".into() };
    Json(CurrentStatus {
        status: vec![green("Apps"), green("Data"), green("Tools")],
        incidents: Vec::new(),
        scheduled: Vec::new(),
    })
}
