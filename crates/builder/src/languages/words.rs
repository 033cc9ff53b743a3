//! What users of several languages read in the same words.

use crate::errors::Words;

/// A file of the app that is no text.
pub(super) fn unreadable(file: &str, why: &str) -> Words {
    Words::new(format!("{file} of this app could not be read."), why, "Make it a regular file of text.")
}

/// Why a step failed that has said it itself.
pub(super) fn above(status: i32) -> String {
    format!("It ended with status {status}. The lines above say more.")
}

/// A step that has nothing to do with the language.
pub(super) fn copying(status: i32) -> Words {
    Words::new(
        "The app's files could not be copied in or out of the build.",
        above(status),
        "The build may have filled its disk. Leave out what the app does not need to run.",
    )
}

/// A tool of the JVM that Maven's central repository did not give.
pub(super) fn not_downloaded(tool: &str) -> Words {
    Words::new(
        format!("{tool} could not be downloaded."),
        "The lines above say what the repository answered.",
        "Often it could not be reached for a moment. Try again; if it fails again, tell the operator of\nthis installation.",
    )
}

/// Which versions of such a tool there are.
pub(super) fn newest_of_central(offered: &str) -> String {
    if offered.is_empty() {
        return "Maven's central repository does not have it.".to_owned();
    }
    format!("The newest versions in Maven's central repository are:\n{}", offered.replace(' ', ", "))
}
