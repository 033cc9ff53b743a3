//! App setups.

use super::{Addresses, app::web_url};
use ops::app_setups::SetupInfo;
use wire::app_setup::{AppSetup, Build, Postdeploy};

/// `output` is what `postdeploy` printed, if it has ended.
pub(crate) fn app_setup(addresses: &Addresses<'_>, info: &SetupInfo, output: String) -> AppSetup {
    let SetupInfo { setup, app, build } = info;
    let web_url = web_url(&addresses.config.app_url, app.name.as_str());
    let success_url = setup.plan.as_ref().and_then(|plan| plan.success_url.as_deref());
    AppSetup {
        id: setup.id.0,
        app: super::app_ref(app),
        build: build.as_ref().map(|build| Build {
            id: build.id.0,
            status: build.status.as_str().into(),
            output_stream_url: addresses.api(&format!("/streams/builds/{}", build.output_key)),
        }),
        status: setup.status.as_str().into(),
        failure_message: setup.failure_message.clone(),
        manifest_errors: setup.manifest_errors.clone(),
        postdeploy: setup.exit_code.map(|exit_code| Postdeploy { output, exit_code }),
        resolved_success_url: success_url.map(|url| resolved(&web_url, url)),
        created_at: setup.created_at.into(),
        updated_at: setup.updated_at.into(),
    }
}

/// A path is one of the app's.
fn resolved(web_url: &str, url: &str) -> String {
    match url.strip_prefix('/') {
        Some(path) => format!("{web_url}{path}"),
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_the_app_s() {
        for (url, whole) in [
            ("/welcome", "http://blog.localhost:8080/welcome"),
            ("/", "http://blog.localhost:8080/"),
            ("https://example.com/x", "https://example.com/x"),
        ] {
            assert_eq!(resolved("http://blog.localhost:8080/", url), whole);
        }
    }
}
