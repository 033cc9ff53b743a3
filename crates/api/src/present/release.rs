//! Releases.

use super::Addresses;
use ops::releases::ReleaseInfo;
use wire::IdRef;

pub(crate) fn release(addresses: &Addresses<'_>, info: &ReleaseInfo) -> wire::release::Release {
    let ReleaseInfo { release, app, user, current, eligible_for_rollback } = info;
    let artifact = |id: &domain::SlugId| wire::release::Artifact { kind: "slug".into(), id: id.0 };
    let output = |key: &String| addresses.api(&format!("/streams/releases/{key}"));
    wire::release::Release {
        id: release.id.0,
        addon_plan_names: Vec::new(),
        app: super::app_ref(app),
        artifacts: release.slug.iter().map(artifact).collect(),
        current: *current,
        description: release.description.clone(),
        eligible_for_rollback: *eligible_for_rollback,
        oci_image: None,
        output_stream_url: release.output_key.as_ref().map(output),
        slug: release.slug.map(|id| IdRef { id: id.0 }),
        status: release.status.as_str().into(),
        user: super::user_ref(user),
        version: release.version,
        created_at: release.created_at.into(),
        updated_at: release.updated_at.into(),
    }
}
