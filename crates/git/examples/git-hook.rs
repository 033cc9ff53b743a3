//! The pre-receive hook alone, as the tests of this crate have git run it.

fn main() -> std::process::ExitCode {
    git::hook::pre_receive()
}
