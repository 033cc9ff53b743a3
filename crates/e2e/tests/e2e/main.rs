//! End-to-end tests: the official CLI, real git, real builds, real containers.
//!
//! One platform serves most stories, each with its own apps; stories that kill the server start
//! one for themselves. The platforms are purged at the end, and what stays on the machine fails
//! the run.

mod addons;
mod addons_test;
mod backups;
mod catalog;
mod catalog_backups;
mod cli_more;
mod cnb;
mod commands;
mod continuity;
mod deploys;
mod drains;
mod failures;
mod hostile_builds;
mod isolation;
mod kills;
mod kills_addons;
mod languages;
mod notices;
mod papertrail;
mod partners;
mod pg;
mod redis;
mod registry;
mod scheduler;
mod setups;
mod testpack;
mod tour;
mod webhooks;

use anyhow::Result;
use e2e::Server;
use libtest_mimic::{Arguments, Failed, Trial};
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

/// A story that shares the platform with others.
type Shared = fn(&Server) -> Result<()>;
/// A story that needs a platform of its own, because it kills it.
type Alone = fn() -> Result<()>;

const SHARED: &[(&str, Shared)] = &[
    ("tour::from_login_to_a_running_app", tour::from_login_to_a_running_app),
    ("tour::the_sample_app_runs_all_its_process_types", tour::the_sample_app_runs_all_its_process_types),
    ("tour::operators_see_health_and_metrics", tour::operators_see_health_and_metrics),
    ("tour::kigos_own_cli_does_the_same", tour::kigos_own_cli_does_the_same),
    ("addons::postgres_and_redis", addons::postgres_and_redis),
    ("catalog::every_service", catalog::every_service),
    ("catalog::the_example_of_the_document", catalog::the_example_of_the_document),
    ("addons_test::a_definition_is_tried", addons_test::a_definition_is_tried),
    ("catalog::many_at_once", catalog::many_at_once),
    ("redis::the_official_cli", redis::the_official_cli),
    ("partners::a_service_that_others_run", partners::a_service_that_others_run),
    ("pg::every_command", pg::every_command),
    ("backups::made_restored_and_proven", backups::made_restored_and_proven),
    ("continuity::rolled_back_and_forked", continuity::rolled_back_and_forked),
    ("continuity::protected_again", continuity::protected_again),
    ("continuity::followed", continuity::followed),
    ("scheduler::jobs_run_by_hand_and_when_due", scheduler::jobs_run_by_hand_and_when_due),
    ("papertrail::logs_are_searched_and_followed", papertrail::logs_are_searched_and_followed),
    ("commands::every_command_of_the_list", commands::every_command_of_the_list),
    ("commands::login_with_a_password", commands::login_with_a_password),
    ("commands::one_off_dynos", commands::one_off_dynos),
    ("commands::buildpacks_by_address", commands::buildpacks_by_address),
    ("commands::buildpacks_as_others_write_them", commands::buildpacks_as_others_write_them),
    ("commands::builds_from_a_tarball", commands::builds_from_a_tarball),
    (
        "cli_more::what_serves_is_shown_beside_what_does_not_come_up",
        cli_more::what_serves_is_shown_beside_what_does_not_come_up,
    ),
    (
        "cli_more::exit_codes_come_back_however_a_command_ends",
        cli_more::exit_codes_come_back_however_a_command_ends,
    ),
    ("cli_more::logs_are_filtered", cli_more::logs_are_filtered),
    ("cli_more::commands_around_the_app", cli_more::commands_around_the_app),
    ("cli_more::an_uploaded_slug_runs", cli_more::an_uploaded_slug_runs),
    ("deploys::two_dynos_serve_in_turn", deploys::two_dynos_serve_in_turn),
    ("deploys::the_same_commit_is_no_new_release", deploys::the_same_commit_is_no_new_release),
    ("deploys::twenty_deploys_drop_no_request", deploys::twenty_deploys_drop_no_request),
    ("failures::a_failing_build_moves_nothing", failures::a_failing_build_moves_nothing),
    (
        "failures::a_failing_release_command_keeps_the_old_release",
        failures::a_failing_release_command_keeps_the_old_release,
    ),
    ("failures::bad_input_is_answered_clearly", failures::bad_input_is_answered_clearly),
    ("failures::a_crashing_dyno_is_told_and_retried", failures::a_crashing_dyno_is_told_and_retried),
    ("failures::hostile_tarballs_are_refused", failures::hostile_tarballs_are_refused),
    ("languages::ruby::sinatra", languages::ruby::sinatra),
    ("languages::ruby::rails", languages::ruby::rails),
    ("languages::ruby::mistakes", languages::ruby::mistakes),
    ("languages::nodejs::pnpm_workspace", languages::nodejs::pnpm_workspace),
    ("languages::nodejs::yarn_with_plug_n_play", languages::nodejs::yarn_with_plug_n_play),
    ("languages::nodejs::yarn_1", languages::nodejs::yarn_1),
    ("languages::nodejs::npm_workspace", languages::nodejs::npm_workspace),
    ("languages::nodejs::private_registry", languages::nodejs::private_registry),
    ("languages::nodejs::assets_for_django", languages::nodejs::assets_for_django),
    ("languages::nodejs::mistakes", languages::nodejs::mistakes),
    ("languages::python::django_with_pip", languages::python::django_with_pip),
    ("languages::python::fastapi_with_uv", languages::python::fastapi_with_uv),
    ("languages::python::an_app_that_is_a_package", languages::python::an_app_that_is_a_package),
    ("languages::python::poetry_and_pipenv", languages::python::poetry_and_pipenv),
    ("languages::python::mistakes", languages::python::mistakes),
    ("languages::java::spring_boot", languages::java::spring_boot),
    ("languages::java::mistakes", languages::java::mistakes),
    ("languages::gradle::spring_boot", languages::gradle::spring_boot),
    ("languages::gradle::mistakes", languages::gradle::mistakes),
    ("languages::scala::play", languages::scala::play),
    ("languages::scala::mistakes", languages::scala::mistakes),
    ("languages::php::slim", languages::php::slim),
    ("languages::php::mistakes", languages::php::mistakes),
    ("languages::go::gin", languages::go::gin),
    ("languages::go::mistakes", languages::go::mistakes),
    ("languages::rust::axum", languages::rust::axum),
    ("languages::rust::mistakes", languages::rust::mistakes),
    ("languages::site::described", languages::site::described),
    ("languages::site::plain", languages::site::plain),
    ("languages::site::mistakes", languages::site::mistakes),
    ("setups::an_app_is_set_up", setups::an_app_is_set_up),
    ("setups::add_ons_come_first", setups::add_ons_come_first),
    ("setups::what_fails_is_told", setups::what_fails_is_told),
    ("setups::a_push_follows_app_json", setups::a_push_follows_app_json),
    ("testpack::a_buildpack_with_test_compile_and_test", testpack::a_buildpack_with_test_compile_and_test),
    ("testpack::built_in_languages", testpack::built_in_languages),
    ("testpack::ruby_and_php", testpack::ruby_and_php),
    ("registry::images_are_pushed_released_and_run", registry::images_are_pushed_released_and_run),
    ("registry::hostile_images_are_refused", registry::hostile_images_are_refused),
    ("registry::dockerfiles_are_built", registry::dockerfiles_are_built),
    ("cnb::one_that_is_written_with_libcnb", cnb::one_that_is_written_with_libcnb),
    ("cnb::several_with_an_order", cnb::several_with_an_order),
    ("cnb::an_image_of_the_registry", cnb::an_image_of_the_registry),
    ("cnb::an_image_of_another_registry", cnb::an_image_of_another_registry),
    ("cnb::mistakes", cnb::mistakes),
    ("isolation::a_dyno_reaches_nothing_it_should_not", isolation::a_dyno_reaches_nothing_it_should_not),
    ("isolation::a_dyno_cannot_take_the_machine_down", isolation::a_dyno_cannot_take_the_machine_down),
];

const ALONE: &[(&str, Alone)] = &[
    ("cli_more::a_full_disk_is_told_and_got_over", cli_more::a_full_disk_is_told_and_got_over),
    ("hostile_builds::they_harm_nobody_else", hostile_builds::they_harm_nobody_else),
    ("backups::in_a_store_and_done_by_the_next_server", backups::in_a_store_and_done_by_the_next_server),
    ("notices::a_backup_that_is_worth_nothing_is_told", notices::a_backup_that_is_worth_nothing_is_told),
    ("continuity::forked_by_the_next_server", continuity::forked_by_the_next_server),
    ("partners::killed_while_a_partner_is_asked", partners::killed_while_a_partner_is_asked),
    ("webhooks::what_happens_is_told", webhooks::what_happens_is_told),
    ("webhooks::told_by_the_next_server", webhooks::told_by_the_next_server),
    ("drains::what_an_app_says_is_sent_on", drains::what_an_app_says_is_sent_on),
    ("scheduler::no_due_time_runs_twice", scheduler::no_due_time_runs_twice),
    ("papertrail::alerts_are_sent_once", papertrail::alerts_are_sent_once),
    ("kills::during_a_build", kills::during_a_build),
    ("kills::during_a_release_command", kills::during_a_release_command),
    ("kills::during_a_setup", kills::during_a_setup),
    ("kills::during_a_scale_up", kills::during_a_scale_up),
    ("kills::during_a_tail", kills::during_a_tail),
    ("kills::during_tests", kills::during_tests),
    ("kills_addons::while_hooks_are_at_work", kills_addons::while_hooks_are_at_work),
    ("kills::during_steady_traffic", kills::during_steady_traffic),
];

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Two cores build and serve; more stories at once only make each other late.
    arguments.test_threads.get_or_insert(2);
    let platform: Arc<OnceLock<Result<Server, String>>> = Arc::default();
    let has_gradle = std::env::var_os(languages::gradle::DISTRIBUTION).is_some();
    let shared = SHARED.iter().map(|(name, story)| {
        let platform = platform.clone();
        Trial::test(*name, move || told(name, story(shared_platform(&platform)?)))
            .with_ignored_flag(*name == "languages::gradle::spring_boot" && !has_gradle)
    });
    let alone = ALONE.iter().map(|(name, story)| Trial::test(*name, move || told(name, story())));
    let conclusion = libtest_mimic::run(&arguments, shared.chain(alone).collect());
    let clean = match Arc::into_inner(platform).and_then(OnceLock::into_inner) {
        Some(Ok(server)) => server.purge(),
        _ => Ok(()),
    };
    match clean {
        Ok(()) => conclusion.exit_code(),
        Err(error) => {
            report(&format!("purging the shared platform: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn shared_platform(platform: &OnceLock<Result<Server, String>>) -> Result<&Server, Failed> {
    platform
        .get_or_init(|| {
            // What is not a part of a stack cannot be had, whatever this machine reaches.
            let example = catalog::example().map_err(|error| format!("{error:#}"))?.display().to_string();
            let settings = [
                ("KIGO_CATALOG", example.as_str()),
                ("KIGO_DYNO_DISK", "256"),
                ("UV_PYTHON_INSTALL_MIRROR", "https://mirror.invalid"),
                // Which a story makes of files.
                ("KIGO_REGISTRY_MIRRORS", "packs.example.com=http://198.51.100.10"),
            ];
            run(Server::start("shared", &settings)).map_err(|error| format!("{error:#}"))
        })
        .as_ref()
        .map_err(|error| Failed::from(format!("the platform did not start: {error}")))
}

/// Runs the asynchronous part of a story.
pub(crate) fn run<T>(story: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(story)
}

/// What went wrong is said at once as well: the run goes on for long, and may be cut off.
fn told(name: &str, outcome: Result<()>) -> Result<(), Failed> {
    outcome.map_err(|error| {
        let words = format!("{error:#}");
        report(&format!("{name}: {words}"));
        Failed::from(words)
    })
}

#[expect(clippy::print_stderr, reason = "the test runner's own words")]
fn report(line: &str) {
    eprintln!("{line}");
}
