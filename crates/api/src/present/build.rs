//! Sources, builds and slugs.

use super::Addresses;
use domain::{Build, BuildStatus, BuildpackRef, Slug, Source};
use ops::builds::BuildInfo;
use wire::IdRef;

pub(crate) fn build(addresses: &Addresses<'_>, info: &BuildInfo) -> wire::build::Build {
    let BuildInfo { build, user, .. } = info;
    wire::build::Build {
        id: build.id.0,
        app: IdRef { id: build.app.0 },
        buildpacks: (!build.buildpacks.is_empty()).then(|| build.buildpacks.iter().map(buildpack).collect()),
        labs: serde_json::Map::new(),
        output_stream_url: addresses.api(&format!("/streams/builds/{}", build.output_key)),
        source_blob: source_blob(build),
        release: build.release.map(|id| IdRef { id: id.0 }),
        slug: build.slug.map(|id| IdRef { id: id.0 }),
        stack: build.stack.clone(),
        status: build.status.as_str().into(),
        user: super::user_ref(user),
        created_at: build.created_at.into(),
        updated_at: build.updated_at.into(),
    }
}

fn source_blob(build: &Build) -> wire::build::SourceBlob {
    wire::build::SourceBlob {
        url: build.source_url.clone(),
        checksum: build.source_checksum.clone(),
        version: build.source_version.clone(),
        version_description: build.source_version_description.clone(),
    }
}

pub(crate) fn test_build(addresses: &Addresses<'_>, info: &BuildInfo) -> wire::test_build::TestBuild {
    let BuildInfo { build, user, .. } = info;
    let exit_code = build.test.as_ref().and_then(|test| test.exit_code);
    let status = match build.status {
        BuildStatus::Failed if build.cancel_requested => "cancelled",
        BuildStatus::Failed if exit_code.is_none() => "errored",
        status => status.as_str(),
    };
    wire::test_build::TestBuild {
        id: build.id.0,
        app: IdRef { id: build.app.0 },
        branch: build.test.as_ref().and_then(|test| test.branch.clone()),
        exit_code,
        output_stream_url: addresses.api(&format!("/streams/builds/{}", build.output_key)),
        source_blob: source_blob(build),
        stack: build.stack.clone(),
        status: status.into(),
        user: super::user_ref(user),
        created_at: build.created_at.into(),
        updated_at: build.updated_at.into(),
    }
}

fn buildpack(reference: &BuildpackRef) -> wire::build::Buildpack {
    let text = reference.0.clone();
    if text.contains("://") {
        wire::build::Buildpack { url: Some(text), name: None }
    } else {
        wire::build::Buildpack { url: None, name: Some(text) }
    }
}

pub(crate) fn slug(addresses: &Addresses<'_>, slug: &Slug) -> wire::slug::Slug {
    let method = if slug.image.is_some() { "GET" } else { "PUT" };
    wire::slug::Slug {
        id: slug.id.0,
        blob: wire::slug::Blob {
            method: method.into(),
            url: addresses.api(&format!("/uploads/slugs/{}", slug.upload_key)),
        },
        buildpack_provided_description: slug.buildpack_provided_description.clone(),
        checksum: slug.checksum.clone(),
        commit: slug.commit.clone(),
        commit_description: slug.commit_description.clone(),
        process_types: slug.process_types.iter().map(|(k, v)| (k.to_string(), v.clone())).collect(),
        size: slug.size,
        stack: super::place::stack_ref(&slug.stack),
        created_at: slug.created_at.into(),
        updated_at: slug.updated_at.into(),
        deleted_at: None,
    }
}

pub(crate) fn source(addresses: &Addresses<'_>, source: &Source) -> wire::source::Source {
    wire::source::Source {
        source_blob: wire::source::SourceBlob {
            get_url: addresses.api(&format!("/uploads/sources/{}", source.download_key)),
            put_url: addresses.api(&format!("/uploads/sources/{}", source.upload_key)),
        },
    }
}
