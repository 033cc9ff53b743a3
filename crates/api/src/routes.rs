//! The table of contents: every path, and the layers that requests to it pass.

use crate::handlers::{
    account, addon_attachments, addon_services, addon_tunnels, addons, app_features, app_setups, apps,
    authorizations, buildpacks, builds, collaborators, config_vars, data, domains, dynos, empty, formation,
    keys, log_drains, log_sessions, papertrail, partners, places, registry, releases, scheduler, sessions,
    slugs, sources, sso, status, test_builds, webhooks,
};
use crate::middleware::{accept, auth, cors, etag, once, panics, request_id};
use crate::{Api, ApiError, Parts, browser_login, gaps, pages, streams, uploads};
use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{delete, get, patch, post, put};
use http::{Method, Uri};

/// Everything the API answers. It has a fallback of its own; merge it with routers that have none.
pub fn router(parts: Parts) -> Router {
    let api = Api::new(parts);
    let platform = Router::new()
        .merge(account_routes())
        .merge(app_routes())
        .merge(release_routes())
        .merge(dyno_routes())
        .merge(addon_routes())
        .merge(scheduler_routes())
        .merge(papertrail_routes())
        .merge(redis_routes())
        .merge(postgres_routes())
        .merge(transfer_routes())
        .merge(webhook_routes())
        .merge(empty_routes())
        .fallback(missing)
        .method_not_allowed_fallback(missing)
        .layer(from_fn(etag::tag))
        .layer(from_fn_with_state(api.clone(), once::act))
        .layer(from_fn_with_state(api.clone(), auth::authenticate))
        .layer(from_fn(accept::check));
    Router::new()
        .merge(open_routes())
        .fallback_service(platform.with_state(api.clone()))
        .layer(from_fn(cors::allow))
        .layer(from_fn(panics::catch))
        .layer(from_fn(request_id::assign))
        .with_state(api)
}

/// What is read without the API's headers: by browsers, by plain downloads and by streams.
fn open_routes() -> Router<Api> {
    Router::new()
        .route("/streams/logs/{token}", get(streams::logs::read))
        .route("/streams/builds/{key}", get(streams::output::build))
        .route("/streams/releases/{key}", get(streams::output::release))
        .route("/uploads/sources/{key}", put(uploads::put_source).get(uploads::get_source))
        .route("/uploads/slugs/{key}", put(uploads::put_slug).get(uploads::get_slug))
        .route("/auth", post(browser_login::begin))
        .route("/auth/browser/{id}", get(browser_login::form).post(browser_login::submit))
        .route("/auth/cli/{id}", get(browser_login::poll))
        .route("/api/v4/current-status", get(status::current))
        .route("/backups/{token}", get(data::transfers::download))
        .route("/oauth/token", post(partners::token))
        .route("/sso/{token}", get(sso::visit))
        .route("/addon-pages/style.css", get(pages::style))
        .route("/addon-pages/enter/{token}", get(pages::enter))
        .route("/addon-pages/{addon}", get(pages::show).post(pages::submit))
        .route("/buildpacks", get(registry::search))
        .route("/buildpacks/{buildpack}", get(registry::info))
        .route("/buildpacks/{buildpack}/revisions", get(registry::revisions))
        .route("/buildpacks/{buildpack}/readme", get(registry::readme))
}

fn account_routes() -> Router<Api> {
    Router::new()
        .route("/account", get(account::info).patch(account::update))
        .route("/users/{user}", get(account::info_by_user).patch(account::update_by_user))
        .route("/account/delinquency", get(account::delinquency))
        .route("/account/rate-limits", get(account::rate_limits))
        .route("/account/keys", get(keys::list).post(keys::create))
        .route("/account/keys/{key}", get(keys::info).delete(keys::delete))
        .route("/oauth/authorizations", get(authorizations::list).post(authorizations::create))
        .route(
            "/oauth/authorizations/{authorization}",
            get(authorizations::info).patch(authorizations::update).delete(authorizations::delete),
        )
        .route(
            "/oauth/authorizations/{authorization}/actions/regenerate-tokens",
            post(authorizations::regenerate),
        )
        .route("/oauth/sessions", get(sessions::list))
        .route("/oauth/sessions/{session}", delete(sessions::delete))
        .route("/regions", get(places::regions))
        .route("/regions/{region}", get(places::region))
        .route("/stacks", get(places::stacks))
        .route("/stacks/{stack}", get(places::stack))
        .route("/generations", get(places::generations))
        .route("/generations/{generation}", get(places::generation))
        .route("/dyno-sizes", get(places::dyno_sizes))
        .route("/dyno-sizes/{size}", get(places::dyno_size))
}

fn app_routes() -> Router<Api> {
    Router::new()
        .route("/apps", get(apps::list).post(apps::create))
        .route("/users/{user}/apps", get(apps::list_of_user))
        .route("/app-setups", post(app_setups::create))
        .route("/app-setups/{setup}", get(app_setups::info))
        .route("/filters/apps", post(apps::filter))
        .route("/apps/{app}", get(apps::info).patch(apps::update).delete(apps::delete))
        .route("/apps/{app}/available-stacks", get(places::stacks_of_app))
        .route("/apps/{app}/available-dyno-sizes", get(places::dyno_sizes_of_app))
        .route("/apps/{app}/pre-authorizations", put(apps::pre_authorize))
        .route("/apps/{app}/features", get(app_features::list))
        .route("/apps/{app}/features/{feature}", get(app_features::info).patch(app_features::update))
        .route("/apps/{app}/collaborators", get(collaborators::list).post(collaborators::create))
        .route(
            "/apps/{app}/collaborators/{collaborator}",
            get(collaborators::info).delete(collaborators::delete),
        )
        .route("/apps/{app}/config-vars", get(config_vars::info).patch(config_vars::update))
        .route("/apps/{app}/buildpack-installations", get(buildpacks::list).put(buildpacks::update))
        .route("/apps/{app}/domains", get(domains::list).post(domains::create))
        .route("/apps/{app}/domains/{domain}", get(domains::info).delete(domains::delete))
        .route("/apps/{app}/log-drains", get(log_drains::list).post(log_drains::create))
        .route("/apps/{app}/log-drains/{drain}", get(log_drains::info).delete(log_drains::delete))
        .route("/apps/{app}/log-sessions", post(log_sessions::create))
}

fn release_routes() -> Router<Api> {
    Router::new()
        .route("/sources", post(sources::create))
        .route("/apps/{app}/sources", post(sources::create_for_app))
        .route("/apps/{app}/builds", get(builds::list).post(builds::create))
        .route("/apps/{app}/builds/{build}", get(builds::info).delete(builds::cancel))
        .route("/apps/{app}/test-builds", get(test_builds::list).post(test_builds::create))
        .route("/apps/{app}/test-builds/{build}", get(test_builds::info).delete(test_builds::cancel))
        .route("/apps/{app}/build-cache", delete(builds::purge_cache))
        .route("/apps/{app}/slugs", post(slugs::create))
        .route("/apps/{app}/slugs/{slug}", get(slugs::info))
        .route("/apps/{app}/releases", get(releases::list).post(releases::create))
        .route("/apps/{app}/releases/{release}", get(releases::info))
        .route("/apps/{app}/releases/{release}/config-vars", get(config_vars::of_release))
}

fn dyno_routes() -> Router<Api> {
    Router::new()
        .route("/apps/{app}/formation", get(formation::list).patch(formation::batch_update))
        .route("/apps/{app}/formation/{type}", get(formation::info).patch(formation::update))
        .route("/apps/{app}/dynos", get(dynos::list).post(dynos::create).delete(dynos::restart_all))
        .route("/apps/{app}/dynos/{dyno}", get(dynos::info).delete(dynos::restart))
        .route("/apps/{app}/dynos/{dyno}/actions/stop", post(dynos::stop))
        .route("/apps/{app}/formations/{type}", delete(dynos::restart_type))
        .route("/apps/{app}/formations/{type}/actions/stop", post(dynos::stop_type))
}

fn addon_routes() -> Router<Api> {
    Router::new()
        .route("/addons", get(addons::list))
        .route("/users/{user}/addons", get(addons::list_of_user))
        .route("/addons/{addon}", get(addons::info))
        .route("/addons/{addon}/tunnel", get(addon_tunnels::open))
        .route("/addons/{addon}/config/{namespace}", get(addons::config))
        .route("/addons/{addon}/addon-attachments", get(addon_attachments::list_of_addon))
        .route("/apps/{app}/addons", get(addons::list_of_app).post(addons::create))
        .route(
            "/apps/{app}/addons/{addon}",
            get(addons::info_of_app).patch(addons::update).delete(addons::delete),
        )
        .route("/addons/{addon}/config", get(partners::config).patch(partners::set_config))
        .route("/addons/{addon}/log-drains", get(log_drains::list_of_addon))
        .route("/addons/{addon}/log-drains/{drain}", put(log_drains::update))
        .route("/addons/{addon}/actions/provision", post(partners::provision))
        .route("/addons/{addon}/actions/deprovision", post(partners::deprovision))
        .route("/addons/{addon}/sso", get(sso::info))
        .route("/apps/{app}/addons/{addon}/sso", get(sso::info_of_app))
        .route("/partners", get(partners::list).post(partners::register))
        .route("/partners/{service}", delete(partners::unregister))
        .route("/actions/addons/resolve", post(addons::resolve))
        .route("/addon-attachments", get(addon_attachments::list).post(addon_attachments::create))
        .route(
            "/addon-attachments/{attachment}",
            get(addon_attachments::info).delete(addon_attachments::delete),
        )
        .route("/apps/{app}/addon-attachments", get(addon_attachments::list_of_app))
        .route("/apps/{app}/addon-attachments/{attachment}", get(addon_attachments::info_of_app))
        .route("/actions/addon-attachments/resolve", post(addon_attachments::resolve))
        .route("/addon-services", get(addon_services::list))
        .route("/addon-services/{service}", get(addon_services::info))
        .route("/addon-services/{service}/plans", get(addon_services::plans))
        .route("/addon-services/{service}/plans/{plan}", get(addon_services::plan_of_service))
        .route(
            "/addon-services/{service}/region-capabilities",
            get(addon_services::region_capabilities_of_service),
        )
        .route("/plans/{plan}", get(addon_services::plan))
        .route("/addon-region-capabilities", get(addon_services::region_capabilities))
        .route(
            "/regions/{region}/addon-region-capabilities",
            get(addon_services::region_capabilities_of_region),
        )
}

fn scheduler_routes() -> Router<Api> {
    Router::new()
        .route("/apps/{app}/scheduler/jobs", get(scheduler::list).post(scheduler::create))
        .route(
            "/apps/{app}/scheduler/jobs/{job}",
            get(scheduler::info).patch(scheduler::update).delete(scheduler::delete),
        )
        .route("/apps/{app}/scheduler/jobs/{job}/actions/run", post(scheduler::run))
        .route("/apps/{app}/scheduler/jobs/{job}/runs", get(scheduler::runs_of_job))
        .route("/apps/{app}/scheduler/runs", get(scheduler::runs))
}

fn papertrail_routes() -> Router<Api> {
    Router::new()
        .route("/apps/{app}/papertrail/sessions", post(papertrail::look))
        .route("/apps/{app}/papertrail/searches", get(papertrail::list).post(papertrail::create))
        .route(
            "/apps/{app}/papertrail/searches/{search}",
            patch(papertrail::update).delete(papertrail::delete),
        )
}

/// The data API's part about key-value stores.
fn redis_routes() -> Router<Api> {
    use data::redis;
    Router::new()
        .route("/redis/v0/databases", get(redis::list))
        .route("/redis/v0/databases/{database}", get(redis::info))
        .route("/redis/v0/databases/{database}/config", get(redis::config).patch(redis::configure))
        .route("/redis/v0/databases/{database}/credentials_rotation", post(redis::rotate))
        .route("/redis/v0/databases/{database}/stats/reset", post(redis::reset_stats))
        .route("/redis/v0/databases/{database}/upgrade", post(redis::upgrade))
        .route("/redis/v0/databases/{database}/wait", get(redis::wait))
}

/// The data API's part about databases.
fn postgres_routes() -> Router<Api> {
    use data::{postgres, postgres_credentials as credentials, postgres_settings, reports};
    Router::new()
        .route("/reports", post(reports::create))
        .route("/reports/{report}", get(reports::info))
        .route("/client/v11/databases/{database}/metrics", get(reports::metrics))
        .route("/client/v11/databases/{database}/burst_status", get(reports::burst_status))
        .route("/client/v11/databases/{database}", get(postgres::info))
        .route("/client/v11/databases/{database}/wait_status", get(postgres::wait_status))
        .route("/client/v11/databases/{database}/reset", put(postgres::reset))
        .route("/client/v11/databases/{database}/connection_reset", post(postgres::end_connections))
        .route("/client/v11/databases/{database}/stats_reset", put(postgres::reset_statistics))
        .route("/client/v11/databases/{database}/unfollow", put(postgres::unfollow))
        .route("/client/v11/databases/{database}/connection-pooling", post(postgres::pooling))
        .route("/client/v11/databases/{database}/links", get(postgres::links).post(postgres::create_link))
        .route("/client/v11/databases/{database}/upgrade/wait_status", get(postgres::upgrade_status))
        .route("/client/v11/databases/{database}/upgrade/{step}", post(postgres::upgrade))
        .route(
            "/postgres/v0/databases/{database}/config",
            get(postgres_settings::info).patch(postgres_settings::update),
        )
        .route(
            "/postgres/v0/databases/{database}/credentials",
            get(credentials::list).post(credentials::create),
        )
        .route(
            "/postgres/v0/databases/{database}/credentials/{credential}",
            get(credentials::info).delete(credentials::delete),
        )
        .route(
            "/postgres/v0/databases/{database}/credentials/{credential}/credentials_rotation",
            post(credentials::rotate),
        )
        .route("/postgres/v0/databases/{database}/credentials_rotation", post(credentials::rotate_all))
        .route("/postgres/v0/databases/{database}/repair-default", post(credentials::repair_default))
}

/// Of the data API.
fn transfer_routes() -> Router<Api> {
    Router::new()
        .route("/client/v11/apps/{app}/transfers", get(data::transfers::list))
        .route(
            "/client/v11/apps/{app}/transfers/{transfer}",
            get(data::transfers::info).delete(data::transfers::delete),
        )
        .route(
            "/client/v11/apps/{app}/transfers/{transfer}/actions/public-url",
            post(data::transfers::public_url),
        )
        .route("/client/v11/apps/{app}/transfers/{transfer}/actions/cancel", post(data::transfers::cancel))
        .route("/client/v11/apps/{app}/transfers/{transfer}/actions/prove", post(data::transfers::prove))
        .route("/client/v11/databases/{database}/backups", post(data::transfers::backup))
        .route("/client/v11/databases/{database}/restores", post(data::transfers::restore))
        .route("/client/v11/databases/{database}/transfers", post(data::transfers::copy))
        .route(
            "/client/v11/databases/{database}/transfer-schedules",
            get(data::schedules::list).post(data::schedules::set),
        )
        .route(
            "/client/v11/databases/{database}/transfer-schedules/{schedule}",
            delete(data::schedules::delete),
        )
}

/// Users have an app's, partners an add-on's.
fn webhook_routes() -> Router<Api> {
    Router::new()
        .route("/apps/{app}/webhooks", get(webhooks::list).post(webhooks::create))
        .route(
            "/apps/{app}/webhooks/{id}",
            get(webhooks::info).patch(webhooks::update).delete(webhooks::delete),
        )
        .route("/apps/{app}/webhook-deliveries", get(webhooks::deliveries))
        .route("/apps/{app}/webhook-deliveries/{id}", get(webhooks::delivery))
        .route("/apps/{app}/webhook-events", get(webhooks::events))
        .route("/apps/{app}/webhook-events/{id}", get(webhooks::event))
        .route("/addons/{addon}/webhooks", get(webhooks::list).post(webhooks::create))
        .route(
            "/addons/{addon}/webhooks/{id}",
            get(webhooks::info).patch(webhooks::update).delete(webhooks::delete),
        )
        .route("/addons/{addon}/webhook-deliveries", get(webhooks::deliveries))
        .route("/addons/{addon}/webhook-deliveries/{id}", get(webhooks::delivery))
        .route("/addons/{addon}/webhook-events", get(webhooks::events))
        .route("/addons/{addon}/webhook-events/{id}", get(webhooks::event))
}

/// Lists of what Kigo has none of, which the CLI reads beside what it is really after.
fn empty_routes() -> Router<Api> {
    let of_account = [
        "/account/features",
        "/account/app-transfers",
        "/account/credits",
        "/account/invoices",
        "/enterprise-accounts",
        "/oauth/clients",
        "/pipelines",
        "/pipeline-couplings",
        "/spaces",
        "/teams",
        "/users/~/pipeline-couplings",
    ];
    let of_app = ["sni-endpoints"];
    let mut router = Router::new();
    for path in of_account {
        router = router.route(path, get(empty::list));
    }
    for resource in of_app {
        router = router.route(&format!("/apps/{{app}}/{resource}"), get(empty::list_of_app));
    }
    router
}

/// What no route takes: a known gap, or nothing at all.
async fn missing(method: Method, uri: Uri) -> ApiError {
    gaps::answer(&method, uri.path())
}
