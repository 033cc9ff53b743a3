//! The shim as a program of its own, for this crate's tests.

fn main() {
    container::shim::main(std::env::args_os().skip(1))
}
