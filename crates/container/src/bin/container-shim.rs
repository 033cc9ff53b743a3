//! The shim as a program of its own, for tests and measurements. The product re-executes itself
//! instead (`kigo shim GROUP`).

fn main() {
    container::shim::main(std::env::args_os().skip(1))
}
