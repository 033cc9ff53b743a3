//! Log sessions: `POST /apps/{app}/log-sessions` gives the address of a stream.

use crate::extract::{Body, Login, Origin};
use crate::{Api, ApiError};
use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use logs::session::Session;
use wire::log_session::{Create, LogSession};

/// Past lines when the client names no number (Heroku's figure).
pub(super) const LINES: u32 = 100;
/// Past lines at most.
pub(super) const MAX_LINES: u32 = 50_000;
/// How long an address is good for. A tail comes back to the same one again and again.
const TAIL_LIFE: SignedDuration = SignedDuration::from_hours(24);
const READ_LIFE: SignedDuration = SignedDuration::from_mins(6);

/// Until when an address is good.
pub(super) fn life(now: Timestamp, tail: bool) -> Timestamp {
    let life = if tail { TAIL_LIFE } else { READ_LIFE };
    now.checked_add(life).unwrap_or(Timestamp::MAX)
}

/// The address is signed and not kept, so that it is good after a restart of the server.
pub(crate) async fn create(
    State(api): State<Api>,
    Login(actor): Login,
    Path(app): Path<String>,
    origin: Origin,
    Body(body): Body<Create>,
) -> Result<(StatusCode, Json<LogSession>), ApiError> {
    let app = ops::apps::authorize_logs(api.ops(), &actor, &app).await?;
    let tail = body.tail.unwrap_or(false);
    let now = api.ops().now();
    let session = Session {
        app: app.id,
        process: body.dyno,
        process_type: body.process_type,
        source: body.source,
        search: None,
        since: None,
        until: None,
        lines: body.lines.unwrap_or(LINES).min(MAX_LINES) as usize,
        tail,
        expires: life(now, tail),
    };
    let token = logs::session::sign(api.log_key(), &session);
    let shown = LogSession {
        id: uuid::Uuid::new_v4(),
        logplex_url: format!("{}/streams/logs/{token}", origin.0),
        created_at: now.into(),
        updated_at: now.into(),
    };
    Ok((StatusCode::CREATED, Json(shown)))
}
