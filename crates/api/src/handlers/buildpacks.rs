//! An app's buildpacks: `/apps/{app}/buildpack-installations`.

use crate::extract::{Body, Login};
use crate::{Api, ApiError, present};
use axum::Json;
use axum::extract::{Path, State};
use wire::buildpack::{BuildpackInstallation, Update};

/// `GET /apps/{app}/buildpack-installations`, in the order in which they run.
pub(crate) async fn list(
    State(api): State<Api>,
    Login(actor): Login,
    Path(app): Path<String>,
) -> Result<Json<Vec<BuildpackInstallation>>, ApiError> {
    let list = ops::buildpacks::list(api.ops(), &actor, &app).await?;
    Ok(Json(present::buildpacks(&list)))
}

/// `PUT /apps/{app}/buildpack-installations`
pub(crate) async fn update(
    State(api): State<Api>,
    Login(actor): Login,
    Path(app): Path<String>,
    Body(body): Body<Update>,
) -> Result<Json<Vec<BuildpackInstallation>>, ApiError> {
    let wanted = body.updates.into_iter().map(|entry| entry.buildpack.ok_or_else(|| unknown(&api)));
    let wanted = wanted.collect::<Result<Vec<_>, _>>()?;
    let list = ops::buildpacks::update(api.ops(), &actor, &app, &wanted).await?;
    Ok(Json(present::buildpacks(&list)))
}

/// For the CLI, which has asked the registry for the name and been given nothing.
fn unknown(api: &Api) -> ApiError {
    let names: Vec<_> = api.buildpacks().iter().map(|one| one.name).collect();
    ApiError::invalid_params(format!(
        "No buildpack of that name comes with Kigo. Use one of {}, or the https:// address of a buildpack's \
         git repository or .tgz file.",
        names.join(", ")
    ))
}
