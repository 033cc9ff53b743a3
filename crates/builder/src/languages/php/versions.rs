//! Which PHP, with which extensions: what the app asks for, held against what the stack has.

use super::app::App;
use super::extensions::{self, Extension};
use super::server::Servers;
use super::words::PhpError;
use crate::languages::constraint;
use crate::output::Output;
use crate::packages::Packages;
use crate::stack::{Runtime, Stack};

/// What a build uses and the app runs with.
#[derive(Clone, Debug)]
pub(super) struct Platform {
    pub(super) php: Runtime,
    /// Packages with extensions, besides those that every app gets.
    extensions: Packages,
    servers: Servers,
}

impl Platform {
    /// Decides.
    pub(super) fn resolve(app: &App, servers: Servers, stack: &Stack) -> Result<Self, PhpError> {
        let php = php(app, stack)?;
        let mut packages = Packages::new();
        let mut missing = Vec::new();
        for (name, by) in &app.extensions {
            match extensions::find(name, &php.version) {
                Extension::There => {}
                Extension::Package(package) => drop(packages.insert(package)),
                Extension::Unknown if app.provided.contains(name) => {}
                Extension::Unknown => missing.push((name.clone(), by.clone())),
            }
        }
        if missing.is_empty() {
            Ok(Self { php, extensions: packages, servers })
        } else {
            Err(PhpError::NoExtension { missing, offered: extensions::offered() })
        }
    }

    /// Tells the user.
    pub(super) async fn tell(&self, output: &Output) {
        output.heading("Installing platform packages...").await;
        output.detail(format!("- php ({})", self.php.version)).await;
        for package in &self.extensions {
            let name = package.split_once('-').map_or(package.as_str(), |(_, name)| name);
            output.detail(format!("- ext-{name}")).await;
        }
        for server in &self.servers.0 {
            output.detail(format!("- {} ({})", server.language, server.version)).await;
        }
    }

    pub(super) fn build_packages(&self) -> Packages {
        self.php.build.iter().chain(&self.extensions).cloned().collect()
    }

    pub(super) fn run_packages(&self) -> Packages {
        let servers = self.servers.0.iter().flat_map(|server| &server.run);
        self.php.run.iter().chain(&self.extensions).chain(servers).cloned().collect()
    }
}

fn php(app: &App, stack: &Stack) -> Result<Runtime, PhpError> {
    let mut runtimes = stack.runtimes("php");
    let found = match &app.php {
        None => runtimes.next(),
        Some(asked) => {
            let unclear = || PhpError::BadConstraint { file: app.file.clone(), asked: asked.clone() };
            constraint::allows(asked, "8.0").ok_or_else(unclear)?;
            runtimes.find(|runtime| constraint::allows(asked, &runtime.version) == Some(true))
        }
    };
    found.cloned().ok_or_else(|| PhpError::NoVersion {
        file: app.file.clone(),
        asked: app.php.clone(),
        stack: stack.name.clone(),
        offered: stack.runtimes("php").map(|runtime| runtime.version.clone()).collect(),
    })
}
