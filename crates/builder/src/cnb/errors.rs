//! Why a build with Cloud Native Buildpacks fails, and what its user reads.

use super::descriptor::supported;
use super::detection::Report;
use crate::errors::{Explain, Words};

/// Why there is no app.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum CnbError {
    #[error("the buildpack.toml of {buildpack} is not valid: {why}")]
    Descriptor { buildpack: String, why: String },
    #[error("{buildpack} speaks version {api} of the Buildpack API")]
    Api { buildpack: String, api: String },
    #[error("{buildpack} has no {program}")]
    Program { buildpack: String, program: &'static str },
    #[error("the order of {buildpack} names {member}, which is not there")]
    Missing { buildpack: String, member: String },
    #[error("the orders of the buildpacks lead to too many groups")]
    Order,
    #[error("{0} has several buildpacks and none that orders them")]
    Several(String),
    #[error("Cloud Native Buildpacks stand apart from each other")]
    Apart,
    #[error("the image {image} has no buildpacks: {why}")]
    Image { image: String, why: String },
    #[error("no group of buildpacks passed detection")]
    Nothing(Report),
    #[error("{buildpack} failed with status {status}")]
    Build { buildpack: String, status: i32 },
    #[error("{file} of {buildpack} is not valid: {why}")]
    File { buildpack: String, file: String, why: String },
    #[error("{buildpack} has a layer {name:?}")]
    LayerName { buildpack: String, name: String },
    #[error("the layer {layer} of {buildpack} has no content, and there is none of an earlier build")]
    NoLayer { buildpack: String, layer: String },
    #[error("{buildpack} has more than {limit} {what}")]
    TooMany { buildpack: String, what: &'static str, limit: usize },
}

const AUTHOR: &str = "Report this to the author of the buildpack, or use another version of it.";

impl Explain for CnbError {
    fn words(&self) -> Words {
        match self {
            Self::Descriptor { buildpack, why } => Words::new(
                format!("{buildpack} is not a valid Cloud Native Buildpack."),
                format!("Its buildpack.toml: {why}."),
                AUTHOR,
            ),
            Self::Api { buildpack, api } => Words::new(
                format!("The buildpack {buildpack} cannot be used here."),
                format!("It speaks version {api} of the Buildpack API; here are spoken {}.", supported()),
                "Use a version of the buildpack that speaks one of these.",
            ),
            Self::Program { buildpack, program } => Words::new(
                format!("{buildpack} is not a valid Cloud Native Buildpack."),
                format!("It has no program {program}, and no order of others."),
                "Check the address. Of a buildpack that has to be compiled, name what comes of it.",
            ),
            Self::Missing { buildpack, member } => Words::new(
                format!("The buildpack {buildpack} is not complete."),
                format!(
                    "Its order names {member}, which neither it nor another buildpack of this app brings."
                ),
                "Add that buildpack's address with `heroku buildpacks:add`, or use an image of the whole.",
            ),
            Self::Order => Words::new(
                "The buildpacks of this app cannot be put in order.",
                "Their orders lead to each other without end, or to too many groups.",
                AUTHOR,
            ),
            Self::Several(buildpack) => Words::new(
                format!("It is not clear which buildpack of {buildpack} is meant."),
                "There are several, and none has an order of all others.",
                "Name a directory with one, or add a buildpack.toml with an `order`.",
            ),
            Self::Apart => Words::new(
                "The buildpacks of this app cannot be run in this order.",
                "Cloud Native Buildpacks build together, so they have to follow each other; others may come\nbefore all of them or after.",
                "Change the order with `heroku buildpacks:remove` and `heroku buildpacks:add --index`.",
            ),
            Self::Image { image, why } => Words::new(
                format!("The image {image} cannot be used as a buildpack."),
                format!("{}.", why.trim_end_matches('.')),
                "Name an image that `pack buildpack package` made, by its whole name.",
            ),
            Self::Nothing(Report { lines, is_fault }) => Words::new(
                if *is_fault {
                    "The Cloud Native Buildpacks of this app failed to detect whether they fit."
                } else {
                    "None of this app's Cloud Native Buildpacks fits it."
                },
                lines.join("\n"),
                if *is_fault {
                    "The lines above say more. Fix what they name, or choose other buildpacks."
                } else {
                    "Add the files by which they recognise an app, or choose others with `heroku buildpacks:set`."
                },
            ),
            Self::Build { buildpack, status } => Words::new(
                format!("The buildpack {buildpack} failed."),
                format!("Its bin/build ended with status {status}. The lines above say more."),
                "Fix what they name and push again.",
            ),
            Self::File { buildpack, file, why } => Words::new(
                format!("The buildpack {buildpack} answered with something unexpected."),
                format!("{file}: {why}."),
                AUTHOR,
            ),
            Self::LayerName { buildpack, name } => Words::new(
                format!("The buildpack {buildpack} answered with something unexpected."),
                format!("A layer cannot be called \"{name}\"."),
                AUTHOR,
            ),
            Self::NoLayer { buildpack, layer } => Words::new(
                format!("The buildpack {buildpack} answered with something unexpected."),
                format!(
                    "It wants to use its layer {layer} again, of which there is none from an earlier build."
                ),
                "Throw the build cache away with `heroku builds:cache:purge` and push again.",
            ),
            Self::TooMany { buildpack, what, limit } => Words::new(
                format!("The buildpack {buildpack} asks for too much."),
                format!("It has more {what} than {limit}."),
                AUTHOR,
            ),
        }
    }
}
