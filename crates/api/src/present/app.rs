//! Apps and what hangs on them.

use super::{Addresses, place};
use domain::BuildpackRef;
use ops::apps::AppInfo;
use ops::domains::DomainInfo;
use ops::drains::DrainInfo;
use ops::features::FeatureInfo;
use wire::NamedRef;

pub(crate) fn app(addresses: &Addresses<'_>, AppInfo { app, owner }: &AppInfo) -> wire::app::App {
    let region = ops::regions::LOCAL;
    let authority = addresses.origin.0.split_once("://").map_or("", |(_, authority)| authority);
    let has_slug = app.slug_size.is_some();
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    wire::app::App {
        id: app.id.0,
        name: app.name.to_string(),
        acm: false,
        archived_at: None,
        base_image_name: None,
        build_stack: place::stack_ref(&app.build_stack),
        buildpack_provided_description: app.buildpack_provided_description.clone(),
        buildpacks: None,
        current_build_architecture: has_slug.then(|| architecture.to_owned()).into_iter().collect(),
        created_at: app.created_at.into(),
        generation: "cedar".into(),
        git_url: format!("https://{authority}/{}.git", app.name),
        internal_routing: None,
        maintenance: app.maintenance,
        owner: super::user_ref(&owner.into()),
        organization: None,
        team: None,
        region: NamedRef { id: region.id, name: region.name.into() },
        released_at: app.released_at.map(Into::into),
        repo_size: app.repo_size,
        slug_size: app.slug_size,
        space: None,
        stack: place::stack_ref(&app.stack),
        updated_at: app.updated_at.into(),
        web_url: Some(web_url(&addresses.config.app_url, app.name.as_str())),
    }
}

/// With a slash at the end, as Heroku writes it.
pub(super) fn web_url(template: &str, name: &str) -> String {
    format!("{}/", template.replace("{app}", name).trim_end_matches('/'))
}

/// In the order in which they run.
pub(crate) fn buildpacks(references: &[BuildpackRef]) -> Vec<wire::buildpack::BuildpackInstallation> {
    (0..)
        .zip(references)
        .map(|(ordinal, BuildpackRef(name))| {
            let named = !name.contains("://");
            let url = if named { format!("urn:buildpack:{name}") } else { name.clone() };
            let buildpack = wire::buildpack::Buildpack { url, name: name.clone() };
            wire::buildpack::BuildpackInstallation { ordinal, buildpack }
        })
        .collect()
}

/// The default domain needs no DNS record, a custom one should point to the default one.
pub(crate) fn domain(info: &DomainInfo, default_hostname: &str) -> wire::domain::Domain {
    let DomainInfo { domain, app } = info;
    wire::domain::Domain {
        id: domain.id.0,
        acm_status: None,
        acm_status_reason: None,
        app: super::app_ref(app),
        cname: domain.custom.then(|| default_hostname.to_owned()),
        hostname: domain.hostname.clone(),
        kind: if domain.custom { "custom" } else { "heroku" }.into(),
        status: "none".into(),
        sni_endpoint: None,
        created_at: domain.created_at.into(),
        updated_at: domain.updated_at.into(),
    }
}

pub(crate) fn log_drain(DrainInfo { drain, app, addon }: &DrainInfo) -> wire::log_drain::LogDrain {
    wire::log_drain::LogDrain {
        id: drain.id.0,
        addon: addon.as_ref().map(|(id, name)| NamedRef { id: id.0, name: name.clone() }),
        app: Some(super::app_ref(app)),
        token: drain.token.clone(),
        url: drain.url.clone(),
        created_at: drain.created_at.into(),
        updated_at: drain.updated_at.into(),
    }
}

/// Features are not `general`, so that `heroku labs` lists them, as Heroku's of the same names.
pub(crate) fn feature(info: &FeatureInfo) -> wire::feature::Feature {
    let feature = &info.feature;
    wire::feature::Feature {
        id: feature.id,
        name: feature.name.into(),
        description: feature.description.into(),
        display_name: feature.display_name.into(),
        doc_url: String::new(),
        enabled: info.enabled,
        feedback_email: String::new(),
        state: "public".into(),
        created_at: info.created_at.into(),
        updated_at: info.updated_at.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn web_urls_end_with_one_slash() {
        for template in ["http://{app}.localhost:8080", "http://{app}.localhost:8080/"] {
            assert_eq!(web_url(template, "blog"), "http://blog.localhost:8080/");
        }
    }

    #[test]
    fn named_buildpacks_are_urns() {
        let list =
            buildpacks(&[BuildpackRef("heroku/nodejs".into()), BuildpackRef("https://h/x.tgz".into())]);
        let shown: Vec<_> =
            list.iter().map(|one| (one.ordinal, &one.buildpack.url[..], &one.buildpack.name[..])).collect();
        let expected =
            [(0, "urn:buildpack:heroku/nodejs", "heroku/nodejs"), (1, "https://h/x.tgz", "https://h/x.tgz")];
        assert_eq!(shown, expected);
    }
}
