//! Setups of apps from an `app.json`: `/app-setups`.

use crate::extract::{Body, Login, Origin};
use crate::present::Addresses;
use crate::{Api, ApiError, OutputOf, present};
use axum::Json;
use axum::extract::{Path, State};
use futures_util::TryStreamExt;
use http::StatusCode;
use ops::app_setups::SetupInfo;
use wire::app_setup::{AppSetup, Create};

/// Bytes of a script's output in an answer, at most; all of it is in the app's log.
const OUTPUT_LIMIT: usize = 256 << 10;

/// Stands where an output was cut off.
const CUT: &str = "\n[the rest is in the log of the app]\n";

/// `POST /app-setups`
pub(crate) async fn create(
    State(api): State<Api>,
    Login(actor): Login,
    origin: Origin,
    Body(body): Body<Create>,
) -> Result<(StatusCode, Json<AppSetup>), ApiError> {
    let Create { source_blob: source, app, overrides } = body;
    if app.organization.is_some() || app.team.is_some() || app.space.is_some() || app.locked == Some(true) {
        return Err(ApiError::invalid_params(
            "Kigo has no teams and no spaces yet; leave `organization`, `team`, `space` and `locked` out.",
        ));
    }
    let text = |identity: wire::Identity| identity.as_str().to_owned();
    let create = ops::app_setups::Create {
        source_url: source.url,
        checksum: source.checksum,
        version: source.version,
        app: ops::apps::Create { name: app.name, region: app.region.map(text), stack: app.stack.map(text) },
        env: overrides.env.unwrap_or_default(),
        buildpacks: overrides.buildpacks.unwrap_or_default().into_iter().map(|one| one.url).collect(),
    };
    let info = ops::app_setups::create(api.ops(), &actor, create).await?;
    Ok((StatusCode::ACCEPTED, Json(shape(&api, &origin, &info).await?)))
}

/// `GET /app-setups/{id}`
pub(crate) async fn info(
    State(api): State<Api>,
    Login(actor): Login,
    Path(setup): Path<String>,
    origin: Origin,
) -> Result<Json<AppSetup>, ApiError> {
    let info = ops::app_setups::info(api.ops(), &actor, &setup).await?;
    Ok(Json(shape(&api, &origin, &info).await?))
}

async fn shape(api: &Api, origin: &Origin, info: &SetupInfo) -> Result<AppSetup, ApiError> {
    let output = if info.setup.exit_code.is_some() { printed(api, info).await? } else { String::new() };
    Ok(present::app_setup(&Addresses { config: api.config(), origin }, info, output))
}

/// What the script printed; it has ended.
async fn printed(api: &Api, info: &SetupInfo) -> Result<String, ApiError> {
    let failed = |error: std::io::Error| ApiError::internal(&error);
    let stream = api.outputs().follow(OutputOf::Setup(info.setup.id), 0).await.map_err(failed)?;
    let Some(mut stream) = stream else { return Ok(String::new()) };
    let mut bytes = Vec::new();
    while let Some(piece) = stream.try_next().await.map_err(failed)? {
        bytes.extend_from_slice(&piece);
        if bytes.len() > OUTPUT_LIMIT {
            bytes.truncate(OUTPUT_LIMIT);
            bytes.extend_from_slice(CUT.as_bytes());
            break;
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
