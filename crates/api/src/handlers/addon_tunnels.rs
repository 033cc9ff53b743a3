//! A way to an add-on from outside of the machine: `/addons/{addon}/tunnel`. Kigo's own; Heroku's
//! databases have public addresses.

use crate::extract::Login;
use crate::{Api, ApiError};
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use hyper_util::rt::TokioIo;
use std::time::Duration;
use tokio::net::TcpStream;

/// What the connection becomes: plain bytes to and from the service.
const PROTOCOL: &str = "tcp";
const CONNECT: Duration = Duration::from_secs(10);

/// `GET /addons/{addon}/tunnel` with `Upgrade: tcp`.
pub(crate) async fn open(
    State(api): State<Api>,
    Login(actor): Login,
    Path(addon): Path<String>,
    mut request: Request,
) -> Result<Response, ApiError> {
    let place = ops::addons::place(api.ops(), &actor, &addon).await?;
    let asks = request.headers().get(header::UPGRADE).is_some_and(|value| value == PROTOCOL);
    if !asks {
        return Err(ApiError::new(
            StatusCode::UPGRADE_REQUIRED,
            "upgrade_required",
            "This address carries bytes. Ask for it with `Connection: Upgrade` and `Upgrade: tcp`, or use `kigo addons:tunnel`.",
        ));
    }
    let connected = tokio::time::timeout(CONNECT, TcpStream::connect(place)).await;
    let Ok(Ok(mut service)) = connected else {
        return Err(ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "service_unavailable",
            format!("{addon} does not answer. If it has just been started, try again in a moment."),
        ));
    };
    let upgrade = hyper::upgrade::on(&mut request);
    let shutdown = api.shutdown();
    tokio::spawn(async move {
        let Ok(client) = upgrade.await else { return };
        let mut client = TokioIo::new(client);
        tokio::select! {
            () = shutdown.cancelled() => {}
            // Whoever ends it, both ends see it end.
            _ = tokio::io::copy_bidirectional(&mut client, &mut service) => {}
        }
    });
    let mut response = StatusCode::SWITCHING_PROTOCOLS.into_response();
    response.headers_mut().insert(header::UPGRADE, HeaderValue::from_static(PROTOCOL));
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    Ok(response)
}
