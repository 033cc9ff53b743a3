//! The calls of the Platform API, one method each, named resource first.

use crate::{Client, ClientError};
use reqwest::Method;
use serde_json::json;
use wire::{NumberOrText, account, app, authorization, build, buildpack, collaborator, config_vars, domain};
use wire::{
    dyno, dyno_size, feature, formation, key, log_drain, log_session, papertrail, place, registry, release,
    scheduler, source, test_build,
};

type Result<T> = std::result::Result<T, ClientError>;

/// Accounts and what belongs to them.
impl Client {
    /// Trades e-mail address and password for a token. A second factor is asked for by an error
    /// with the id `two_factor`.
    pub async fn log_in(
        &self,
        email: &str,
        password: &str,
        second_factor: Option<&str>,
        input: &authorization::Create,
    ) -> Result<authorization::Authorization> {
        self.send_as(email, password, second_factor, &["oauth", "authorizations"], input).await
    }

    pub async fn log_out(&self) -> Result<()> {
        self.act(Method::DELETE, &["oauth", "sessions", "~"]).await
    }

    pub async fn account(&self) -> Result<account::Account> {
        self.get(&["account"]).await
    }

    pub async fn authorizations(&self) -> Result<Vec<authorization::Authorization>> {
        self.list(&["oauth", "authorizations"], None).await
    }

    pub async fn authorization(&self, id: &str) -> Result<authorization::Authorization> {
        self.get(&["oauth", "authorizations", id]).await
    }

    pub async fn authorization_create(
        &self,
        input: &authorization::Create,
    ) -> Result<authorization::Authorization> {
        self.send(Method::POST, &["oauth", "authorizations"], input).await
    }

    pub async fn authorization_update(
        &self,
        id: &str,
        input: &authorization::Update,
    ) -> Result<authorization::Authorization> {
        self.send(Method::PATCH, &["oauth", "authorizations", id], input).await
    }

    pub async fn authorization_revoke(&self, id: &str) -> Result<authorization::Authorization> {
        self.send(Method::DELETE, &["oauth", "authorizations", id], &json!({})).await
    }

    pub async fn authorization_rotate(&self, id: &str) -> Result<authorization::Authorization> {
        let path = ["oauth", "authorizations", id, "actions", "regenerate-tokens"];
        self.send(Method::POST, &path, &json!({})).await
    }

    pub async fn keys(&self) -> Result<Vec<key::Key>> {
        self.list(&["account", "keys"], None).await
    }

    pub async fn key_add(&self, public_key: &str) -> Result<key::Key> {
        let input = key::Create { public_key: public_key.into() };
        self.send(Method::POST, &["account", "keys"], &input).await
    }

    pub async fn key_remove(&self, id: &str) -> Result<()> {
        self.act(Method::DELETE, &["account", "keys", id]).await
    }

    pub async fn regions(&self) -> Result<Vec<place::Region>> {
        self.list(&["regions"], None).await
    }

    pub async fn stacks(&self) -> Result<Vec<place::Stack>> {
        self.list(&["stacks"], None).await
    }

    pub async fn dyno_sizes(&self) -> Result<Vec<dyno_size::DynoSize>> {
        self.list(&["dyno-sizes"], None).await
    }
}

/// Apps and their settings.
impl Client {
    pub async fn apps(&self) -> Result<Vec<app::App>> {
        self.list(&["apps"], None).await
    }

    /// The account's own apps and those it collaborates on.
    pub async fn apps_of_user(&self) -> Result<Vec<app::App>> {
        self.list(&["users", "~", "apps"], None).await
    }

    pub async fn app(&self, app: &str) -> Result<app::App> {
        self.get(&["apps", app]).await
    }

    pub async fn app_create(&self, input: &app::Create) -> Result<app::App> {
        self.send(Method::POST, &["apps"], input).await
    }

    pub async fn app_update(&self, app: &str, input: &app::Update) -> Result<app::App> {
        self.send(Method::PATCH, &["apps", app], input).await
    }

    pub async fn app_destroy(&self, app: &str) -> Result<app::App> {
        self.send(Method::DELETE, &["apps", app], &json!({})).await
    }

    pub async fn collaborators(&self, app: &str) -> Result<Vec<collaborator::Collaborator>> {
        self.list(&["apps", app, "collaborators"], None).await
    }

    pub async fn collaborator_add(&self, app: &str, email: &str) -> Result<collaborator::Collaborator> {
        let input = collaborator::Create { user: email.into(), silent: false };
        self.send(Method::POST, &["apps", app, "collaborators"], &input).await
    }

    pub async fn collaborator_remove(&self, app: &str, email: &str) -> Result<()> {
        self.act(Method::DELETE, &["apps", app, "collaborators", email]).await
    }

    pub async fn config_vars(&self, app: &str) -> Result<config_vars::ConfigVars> {
        self.get(&["apps", app, "config-vars"]).await
    }

    pub async fn config_vars_update(
        &self,
        app: &str,
        input: &config_vars::Update,
    ) -> Result<config_vars::ConfigVars> {
        self.send(Method::PATCH, &["apps", app, "config-vars"], input).await
    }

    pub async fn buildpacks(&self, app: &str) -> Result<Vec<buildpack::BuildpackInstallation>> {
        self.list(&["apps", app, "buildpack-installations"], None).await
    }

    /// Replaces the whole order of buildpacks.
    pub async fn buildpacks_update(
        &self,
        app: &str,
        order: Vec<String>,
    ) -> Result<Vec<buildpack::BuildpackInstallation>> {
        let updates =
            order.into_iter().map(|buildpack| buildpack::Entry { buildpack: Some(buildpack) }).collect();
        let path = ["apps", app, "buildpack-installations"];
        self.send(Method::PUT, &path, &buildpack::Update { updates }).await
    }

    /// The buildpacks that go by a name.
    pub async fn registry(&self) -> Result<Vec<registry::Buildpack>> {
        self.get(&["buildpacks"]).await
    }

    pub async fn registry_info(&self, name: &str) -> Result<registry::Buildpack> {
        self.get(&["buildpacks", name]).await
    }

    pub async fn registry_revisions(&self, name: &str) -> Result<Vec<registry::Revision>> {
        self.get(&["buildpacks", name, "revisions"]).await
    }

    pub async fn registry_readme(&self, name: &str) -> Result<registry::Readme> {
        self.get(&["buildpacks", name, "readme"]).await
    }

    pub async fn domains(&self, app: &str) -> Result<Vec<domain::Domain>> {
        self.list(&["apps", app, "domains"], None).await
    }

    pub async fn domain_add(&self, app: &str, hostname: &str) -> Result<domain::Domain> {
        let input = domain::Create { hostname: hostname.into(), sni_endpoint: None };
        self.send(Method::POST, &["apps", app, "domains"], &input).await
    }

    pub async fn domain_remove(&self, app: &str, hostname: &str) -> Result<()> {
        self.act(Method::DELETE, &["apps", app, "domains", hostname]).await
    }

    pub async fn drains(&self, app: &str) -> Result<Vec<log_drain::LogDrain>> {
        self.list(&["apps", app, "log-drains"], None).await
    }

    pub async fn drain_add(&self, app: &str, url: &str) -> Result<log_drain::LogDrain> {
        let input = log_drain::Create { url: url.into() };
        self.send(Method::POST, &["apps", app, "log-drains"], &input).await
    }

    /// Removes a drain by its address, token or id.
    pub async fn drain_remove(&self, app: &str, drain: &str) -> Result<()> {
        self.act(Method::DELETE, &["apps", app, "log-drains", drain]).await
    }

    pub async fn features(&self, app: &str) -> Result<Vec<feature::Feature>> {
        self.list(&["apps", app, "features"], None).await
    }

    pub async fn feature_update(&self, app: &str, name: &str, enabled: bool) -> Result<feature::Feature> {
        self.send(Method::PATCH, &["apps", app, "features", name], &feature::Update { enabled }).await
    }
}

/// What apps run.
impl Client {
    pub async fn formation(&self, app: &str) -> Result<Vec<formation::Formation>> {
        self.list(&["apps", app, "formation"], None).await
    }

    pub async fn formation_update(
        &self,
        app: &str,
        updates: Vec<formation::Update>,
    ) -> Result<Vec<formation::Formation>> {
        let input = formation::BatchUpdate { updates };
        self.send(Method::PATCH, &["apps", app, "formation"], &input).await
    }

    pub async fn dynos(&self, app: &str) -> Result<Vec<dyno::Dyno>> {
        self.list(&["apps", app, "dynos"], None).await
    }

    pub async fn dyno(&self, app: &str, dyno: &str) -> Result<dyno::Dyno> {
        self.get(&["apps", app, "dynos", dyno]).await
    }

    pub async fn dyno_create(&self, app: &str, input: &dyno::Create) -> Result<dyno::Dyno> {
        self.send(Method::POST, &["apps", app, "dynos"], input).await
    }

    pub async fn dynos_restart(&self, app: &str) -> Result<()> {
        self.act(Method::DELETE, &["apps", app, "dynos"]).await
    }

    pub async fn dyno_restart(&self, app: &str, dyno: &str) -> Result<()> {
        self.act(Method::DELETE, &["apps", app, "dynos", dyno]).await
    }

    pub async fn process_type_restart(&self, app: &str, process_type: &str) -> Result<()> {
        self.act(Method::DELETE, &["apps", app, "formations", process_type]).await
    }

    pub async fn dyno_stop(&self, app: &str, dyno: &str) -> Result<()> {
        self.act(Method::POST, &["apps", app, "dynos", dyno, "actions", "stop"]).await
    }

    pub async fn process_type_stop(&self, app: &str, process_type: &str) -> Result<()> {
        self.act(Method::POST, &["apps", app, "formations", process_type, "actions", "stop"]).await
    }

    /// The newest releases, newest first.
    pub async fn releases(&self, app: &str, count: u32) -> Result<Vec<release::Release>> {
        let range = format!("version ..; max={count}, order=desc");
        self.list(&["apps", app, "releases"], Some(&range)).await
    }

    /// A release by its id, or by its version with or without `v`.
    pub async fn release(&self, app: &str, release: &str) -> Result<release::Release> {
        let version = release.strip_prefix('v').filter(|rest| rest.bytes().all(|b| b.is_ascii_digit()));
        self.get(&["apps", app, "releases", version.unwrap_or(release)]).await
    }

    pub async fn release_config_vars(&self, app: &str, version: u32) -> Result<config_vars::ConfigVars> {
        self.get(&["apps", app, "releases", &version.to_string(), "config-vars"]).await
    }

    /// Makes a new release with slug and config vars of an older one.
    pub async fn rollback(&self, app: &str, to: &release::Release) -> Result<release::Release> {
        let input = release::Create {
            release: Some(NumberOrText::Text(to.id.to_string())),
            ..release::Create::default()
        };
        self.send(Method::POST, &["apps", app, "releases"], &input).await
    }

    pub async fn builds(&self, app: &str) -> Result<Vec<build::Build>> {
        self.list(&["apps", app, "builds"], None).await
    }

    pub async fn build_create(&self, app: &str, input: &build::Create) -> Result<build::Build> {
        self.send(Method::POST, &["apps", app, "builds"], input).await
    }

    pub async fn test_build(&self, app: &str, id: &str) -> Result<test_build::TestBuild> {
        self.get(&["apps", app, "test-builds", id]).await
    }

    pub async fn test_build_create(
        &self,
        app: &str,
        input: &test_build::Create,
    ) -> Result<test_build::TestBuild> {
        self.send(Method::POST, &["apps", app, "test-builds"], input).await
    }

    pub async fn test_build_cancel(&self, app: &str, id: &str) -> Result<()> {
        self.act(Method::DELETE, &["apps", app, "test-builds", id]).await
    }

    /// Puts a tarball where an answer said.
    pub async fn upload(&self, url: &str, body: Vec<u8>) -> Result<()> {
        self.put(url, body).await
    }

    pub async fn source_create(&self) -> Result<source::Source> {
        self.send(Method::POST, &["sources"], &json!({})).await
    }

    pub async fn log_session(
        &self,
        app: &str,
        input: &log_session::Create,
    ) -> Result<log_session::LogSession> {
        self.send(Method::POST, &["apps", app, "log-sessions"], input).await
    }
}

/// Jobs of the scheduler.
impl Client {
    pub async fn jobs(&self, app: &str) -> Result<Vec<scheduler::Job>> {
        self.get(&["apps", app, "scheduler", "jobs"]).await
    }

    pub async fn job_create(&self, app: &str, input: &scheduler::Set) -> Result<scheduler::Job> {
        self.send(Method::POST, &["apps", app, "scheduler", "jobs"], input).await
    }

    pub async fn job_update(&self, app: &str, job: &str, input: &scheduler::Set) -> Result<scheduler::Job> {
        self.send(Method::PATCH, &["apps", app, "scheduler", "jobs", job], input).await
    }

    pub async fn job_remove(&self, app: &str, job: &str) -> Result<scheduler::Job> {
        self.send(Method::DELETE, &["apps", app, "scheduler", "jobs", job], &json!({})).await
    }

    pub async fn job_run(&self, app: &str, job: &str) -> Result<scheduler::Run> {
        let path = ["apps", app, "scheduler", "jobs", job, "actions", "run"];
        self.send(Method::POST, &path, &json!({})).await
    }

    /// Of one job, or of all.
    pub async fn job_runs(&self, app: &str, job: Option<&str>) -> Result<Vec<scheduler::Run>> {
        match job {
            Some(job) => self.get(&["apps", app, "scheduler", "jobs", job, "runs"]).await,
            None => self.get(&["apps", app, "scheduler", "runs"]).await,
        }
    }
}

/// Searches of logs.
impl Client {
    pub async fn log_search(&self, app: &str, input: &papertrail::Look) -> Result<log_session::LogSession> {
        self.send(Method::POST, &["apps", app, "papertrail", "sessions"], input).await
    }

    pub async fn log_searches(&self, app: &str) -> Result<Vec<papertrail::Search>> {
        self.get(&["apps", app, "papertrail", "searches"]).await
    }

    pub async fn log_search_create(&self, app: &str, input: &papertrail::Set) -> Result<papertrail::Search> {
        self.send(Method::POST, &["apps", app, "papertrail", "searches"], input).await
    }

    pub async fn log_search_update(
        &self,
        app: &str,
        search: &str,
        input: &papertrail::Set,
    ) -> Result<papertrail::Search> {
        self.send(Method::PATCH, &["apps", app, "papertrail", "searches", search], input).await
    }

    pub async fn log_search_remove(&self, app: &str, search: &str) -> Result<papertrail::Search> {
        self.send(Method::DELETE, &["apps", app, "papertrail", "searches", search], &json!({})).await
    }
}
