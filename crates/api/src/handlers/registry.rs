//! The buildpack registry, for `heroku buildpacks:*`. It knows the buildpacks that come with Kigo;
//! all others go by their address.

use crate::{Api, ApiError, BuiltIn, present};
use axum::Json;
use axum::extract::{Path, RawQuery, State};
use wire::registry::{Buildpack, Readme, Revision, Source, Support};

fn all(built_in: &[BuiltIn]) -> impl Iterator<Item = Buildpack> {
    let named = built_in.iter().filter_map(|one| Some((one.name.split_once('/')?, one.language)));
    named.map(|((namespace, name), language)| Buildpack {
        id: present::stable_id("buildpack", name),
        namespace: namespace.into(),
        name: name.into(),
        description: format!("{language}, built in"),
        category: "languages".into(),
        blob_url: format!("urn:buildpack:{namespace}/{name}"),
        source: Source { kind: "built-in".into() },
        support: Support { method: "website".into(), address: "Whoever runs this installation".into() },
        two_factor_authentication: false,
    })
}

fn find(built_in: &[BuiltIn], identity: &str) -> Result<Buildpack, ApiError> {
    let same = |one: &Buildpack| identity == format!("{}/{}", one.namespace, one.name);
    all(built_in).find(same).ok_or_else(|| ApiError::not_found("buildpack"))
}

/// `GET /buildpacks`, with `in[namespace][]=`, `in[name][]=` and `like[description]=`.
pub(crate) async fn search(State(api): State<Api>, RawQuery(query): RawQuery) -> Json<Vec<Buildpack>> {
    let query = query.unwrap_or_default();
    Json(all(api.buildpacks()).filter(|one| fits(&query, one)).collect())
}

/// Whether a buildpack has what each kind of parameter asks for; several of one kind are
/// alternatives.
fn fits(query: &str, one: &Buildpack) -> bool {
    let query = query.replace("%5B", "[").replace("%5D", "]");
    let given = |key: &str| -> Vec<String> {
        let parameter = |pair: &str| {
            pair.split_once('=').filter(|(name, _)| *name == key).map(|(_, value)| value.to_owned())
        };
        query.split('&').filter_map(parameter).collect()
    };
    let among = |key: &str, value: &str| {
        let given = given(key);
        given.is_empty() || given.iter().any(|wanted| wanted.eq_ignore_ascii_case(value))
    };
    let like = given("like[description]");
    let described = |wanted: &String| one.description.to_lowercase().contains(&wanted.to_lowercase());
    among("in[namespace][]", &one.namespace)
        && among("in[name][]", &one.name)
        && (like.is_empty() || like.iter().any(described))
}

/// `GET /buildpacks/{buildpack}`; the slash of the name comes as `%2F`.
pub(crate) async fn info(
    State(api): State<Api>,
    Path(buildpack): Path<String>,
) -> Result<Json<Buildpack>, ApiError> {
    find(api.buildpacks(), &buildpack).map(Json)
}

/// `GET /buildpacks/{buildpack}/revisions`: the one that came with this Kigo.
pub(crate) async fn revisions(
    State(api): State<Api>,
    Path(buildpack): Path<String>,
) -> Result<Json<Vec<Revision>>, ApiError> {
    let one = find(api.buildpacks(), &buildpack)?;
    let revision = Revision {
        id: one.id,
        release: 1,
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
    let one = find(api.buildpacks(), &buildpack)?;
    Ok(Json(Readme { content: one.description, encoding: "utf-8".into() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: [BuiltIn; 1] = [BuiltIn { name: "heroku/nodejs", language: "Node.js" }];

    #[test]
    fn searches_as_the_cli_asks() {
        for (query, found) in [
            ("", true),
            ("in[namespace][]=heroku", true),
            ("in%5Bnamespace%5D%5B%5D=heroku", true),
            ("in[namespace][]=other&in[namespace][]=heroku", true),
            ("in[namespace][]=other", false),
            ("in[name][]=nodejs", true),
            ("in[name][]=ruby", false),
            ("like[description]=node", true),
            ("in[name][]=nodejs&like[description]=ruby", false),
        ] {
            assert_eq!(all(&NODE).any(|one| fits(query, &one)), found, "{query}");
        }
    }

    #[test]
    fn only_whole_names_are_found() {
        assert_eq!(find(&NODE, "heroku/nodejs").unwrap().blob_url, "urn:buildpack:heroku/nodejs");
        assert!(find(&NODE, "nodejs").is_err() && find(&NODE, "heroku/ruby").is_err());
    }
}
