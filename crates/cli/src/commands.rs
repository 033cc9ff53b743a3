//! All commands: one module each, and the table that names them.

use crate::Ending;
use crate::apps::AppArgs;
use crate::context::Context;
use anyhow::Result;
use clap::Subcommand;

/// Declares the commands: module, name, other names. A module has `Args`, whose first paragraph
/// of documentation is the help, and `async fn run(&Context, Args) -> Result<Ending>`.
macro_rules! commands {
    ($($variant:ident = $module:ident $name:literal $(| $alias:literal)*;)+) => {
        $(mod $module;)+

        /// A command with its arguments.
        #[derive(Debug, Subcommand)]
        pub(crate) enum Command {$(
            #[command(name = $name $(, visible_alias = $alias)*)]
            $variant($module::Args),
        )+}

        impl Command {
            pub(crate) async fn run(self, context: &Context<'_>) -> Result<Ending> {
                match self {$(
                    Self::$variant(args) => Box::pin($module::run(context, args)).await,
                )+}
            }
        }

        /// Every name of every command.
        pub(crate) const NAMES: &[&str] = &[$($name, $($alias,)*)+];
    };
}

commands! {
    Access = access "access";
    AccessAdd = access_add "access:add";
    AccessRemove = access_remove "access:remove";
    AddonsBackups = addons_backups "addons:backups";
    AddonsBackupsCapture = addons_backups_capture "addons:backups:capture";
    AddonsBackupsDownload = addons_backups_download "addons:backups:download";
    AddonsBackupsInfo = addons_backups_info "addons:backups:info";
    AddonsBackupsRestore = addons_backups_restore "addons:backups:restore";
    AddonsBackupsSchedule = addons_backups_schedule "addons:backups:schedule";
    AddonsBackupsSchedules = addons_backups_schedules "addons:backups:schedules";
    AddonsBackupsUnschedule = addons_backups_unschedule "addons:backups:unschedule";
    AddonsPartners = addons_partners "addons:partners";
    AddonsRegister = addons_register "addons:register";
    AddonsTunnel = addons_tunnel "addons:tunnel";
    AddonsUnregister = addons_unregister "addons:unregister";
    Apps = apps "apps";
    AppsCreate = apps_create "create" | "apps:create";
    AppsDestroy = apps_destroy "destroy" | "apps:destroy" | "apps:delete";
    AppsInfo = apps_info "info" | "apps:info";
    AppsOpen = apps_open "open" | "apps:open";
    AppsRename = apps_rename "rename" | "apps:rename";
    AppsStacks = apps_stacks "apps:stacks";
    AppsStacksSet = apps_stacks_set "apps:stacks:set" | "stack:set";
    AuthLogin = auth_login "login" | "auth:login";
    AuthLogout = auth_logout "logout" | "auth:logout";
    AuthToken = auth_token "auth:token";
    AuthWhoami = auth_whoami "whoami" | "auth:whoami";
    Authorizations = authorizations "authorizations";
    AuthorizationsCreate = authorizations_create "authorizations:create";
    AuthorizationsInfo = authorizations_info "authorizations:info";
    AuthorizationsRevoke = authorizations_revoke "authorizations:revoke" | "authorizations:destroy";
    AuthorizationsRotate = authorizations_rotate "authorizations:rotate";
    AuthorizationsUpdate = authorizations_update "authorizations:update";
    Buildpacks = buildpacks "buildpacks";
    BuildpacksAdd = buildpacks_add "buildpacks:add";
    BuildpacksClear = buildpacks_clear "buildpacks:clear";
    BuildpacksInfo = buildpacks_info "buildpacks:info";
    BuildpacksRemove = buildpacks_remove "buildpacks:remove";
    BuildpacksSearch = buildpacks_search "buildpacks:search";
    BuildpacksSet = buildpacks_set "buildpacks:set";
    BuildpacksVersions = buildpacks_versions "buildpacks:versions";
    CiRun = ci_run "ci:run";
    Completions = completions "completions";
    Config = config "config";
    ConfigGet = config_get "config:get";
    ConfigSet = config_set "config:set";
    ConfigUnset = config_unset "config:unset" | "config:remove";
    ContainerLogin = container_login "container:login";
    ContainerPush = container_push "container:push";
    ContainerRelease = container_release "container:release";
    ContainerRm = container_rm "container:rm";
    Domains = domains "domains";
    DomainsAdd = domains_add "domains:add";
    DomainsRemove = domains_remove "domains:remove";
    Drains = drains "drains";
    DrainsAdd = drains_add "drains:add";
    DrainsRemove = drains_remove "drains:remove";
    Features = features "features";
    FeaturesDisable = features_disable "features:disable";
    FeaturesEnable = features_enable "features:enable";
    GitCredentials = git_credentials "git:credentials";
    GitRemote = git_remote "git:remote";
    Keys = keys "keys";
    KeysAdd = keys_add "keys:add";
    KeysClear = keys_clear "keys:clear";
    KeysRemove = keys_remove "keys:remove";
    Logs = logs "logs";
    LogsSearch = logs_search "logs:search";
    LogsSearches = logs_searches "logs:searches";
    LogsSearchesAdd = logs_searches_add "logs:searches:add";
    LogsSearchesRemove = logs_searches_remove "logs:searches:remove";
    LogsSearchesUpdate = logs_searches_update "logs:searches:update";
    Maintenance = maintenance "maintenance";
    MaintenanceOff = maintenance_off "maintenance:off";
    MaintenanceOn = maintenance_on "maintenance:on";
    Ps = ps "ps";
    PsRestart = ps_restart "restart" | "ps:restart" | "dyno:restart";
    PsScale = ps_scale "ps:scale" | "dyno:scale" | "scale";
    PsStop = ps_stop "ps:stop" | "ps:kill" | "dyno:stop" | "dyno:kill";
    PsType = ps_type "ps:type" | "ps:resize" | "dyno:resize";
    PsWait = ps_wait "ps:wait";
    Regions = regions "regions";
    Releases = releases "releases";
    ReleasesInfo = releases_info "releases:info";
    ReleasesOutput = releases_output "releases:output";
    ReleasesRollback = releases_rollback "rollback" | "releases:rollback";
    Run = run "run";
    RunDetached = run_detached "run:detached";
    SchedulerAdd = scheduler_add "scheduler:add";
    SchedulerHistory = scheduler_history "scheduler:history";
    SchedulerJobs = scheduler_jobs "scheduler:jobs" | "scheduler";
    SchedulerRemove = scheduler_remove "scheduler:remove";
    SchedulerRun = scheduler_run "scheduler:run";
    SchedulerUpdate = scheduler_update "scheduler:update";
    Stacks = stacks "stacks";
}

mod attach;
mod backups;
mod jobs;
mod searches;
mod shared;
