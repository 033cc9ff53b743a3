//! The buildpack registry, for `heroku buildpacks:*`. It knows the buildpacks that come with Kigo;
//! all others go by their address.

use crate::{Api, ApiError, BuiltIn, present};
use axum::Json;
use axum::extract::{Path, Query, State};
use wire::registry::{Buildpack, Readme, Revision, Source, Support};

/// The parameters of a search, each as often as it was given.
type Parameters = Vec<(String, String)>;

fn shape(one: &BuiltIn) -> Option<Buildpack> {
    let (namespace, name) = one.name.split_once('/')?;
    Some(Buildpack {
        id: present::stable_id("buildpack", name),
        namespace: namespace.into(),
        name: name.into(),
        description: format!("{} apps with {}; built in", one.language, one.recognised_by),
        category: "languages".into(),
        blob_url: format!("urn:buildpack:{}", one.name),
        source: Source { kind: "built-in".into() },
        support: Support { method: "website".into(), address: "Whoever runs this installation".into() },
        two_factor_authentication: false,
    })
}

fn find<'a>(api: &'a Api, identity: &str) -> Result<(&'a BuiltIn, Buildpack), ApiError> {
    let named = |one: &&BuiltIn| one.name == identity || one.alias == Some(identity);
    let found = api.buildpacks().iter().find(named);
    found.and_then(|one| Some((one, shape(one)?))).ok_or_else(|| ApiError::not_found("buildpack"))
}

/// `GET /buildpacks`, with `in[namespace][]=`, `in[name][]=` and `like[description]=`.
pub(crate) async fn search(
    State(api): State<Api>,
    Query(parameters): Query<Parameters>,
) -> Json<Vec<Buildpack>> {
    let all = api.buildpacks().iter().filter_map(shape);
    Json(all.filter(|one| fits(&parameters, one)).collect())
}

/// Whether a buildpack has what each kind of parameter asks for; several of one kind are
/// alternatives.
fn fits(parameters: &[(String, String)], one: &Buildpack) -> bool {
    let holds = |key: &str, test: &dyn Fn(&str) -> bool| {
        let mut given = parameters.iter().filter(|(name, _)| name == key).map(|(_, value)| value).peekable();
        given.peek().is_none() || given.any(|value| test(value))
    };
    let described = |wanted: &str| one.description.to_lowercase().contains(&wanted.to_lowercase());
    holds("in[namespace][]", &|wanted| wanted.eq_ignore_ascii_case(&one.namespace))
        && holds("in[name][]", &|wanted| wanted.eq_ignore_ascii_case(&one.name))
        && holds("like[description]", &described)
}

/// `GET /buildpacks/{buildpack}`; the slash of the name comes as `%2F`.
pub(crate) async fn info(
    State(api): State<Api>,
    Path(buildpack): Path<String>,
) -> Result<Json<Buildpack>, ApiError> {
    find(&api, &buildpack).map(|(_, shape)| Json(shape))
}

/// `GET /buildpacks/{buildpack}/revisions`: the one that came with this Kigo.
pub(crate) async fn revisions(
    State(api): State<Api>,
    Path(buildpack): Path<String>,
) -> Result<Json<Vec<Revision>>, ApiError> {
    let (_, one) = find(&api, &buildpack)?;
    let revision = Revision {
        id: one.id,
        release: env!("CARGO_PKG_VERSION").into(),
        status: "published".into(),
        license: env!("CARGO_PKG_LICENSE").into(),
        created_at: present::SINCE.into(),
    };
    Ok(Json(vec![revision]))
}

/// `GET /buildpacks/{buildpack}/readme`
pub(crate) async fn readme(
    State(api): State<Api>,
    Path(buildpack): Path<String>,
) -> Result<Json<Readme>, ApiError> {
    let (one, _) = find(&api, &buildpack)?;
    Ok(Json(Readme { content: one.guide.into(), encoding: "utf-8".into() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: BuiltIn = BuiltIn {
        name: "heroku/nodejs",
        alias: None,
        language: "Node.js",
        recognised_by: "package.json",
        guide: "",
    };

    #[test]
    fn searches_as_the_cli_asks() {
        let one = shape(&NODE).unwrap();
        for (parameters, found) in [
            (&[][..], true),
            (&[("in[namespace][]", "heroku")][..], true),
            (&[("in[namespace][]", "other"), ("in[namespace][]", "heroku")][..], true),
            (&[("in[namespace][]", "other")][..], false),
            (&[("in[name][]", "NodeJS")][..], true),
            (&[("in[name][]", "ruby")][..], false),
            (&[("like[description]", "node.js apps")][..], true),
            (&[("in[name][]", "nodejs"), ("like[description]", "ruby")][..], false),
        ] {
            let parameters: Vec<_> =
                parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            assert_eq!(fits(&parameters, &one), found, "{parameters:?}");
        }
    }
}
