//! Which builds run next.

use domain::{AppId, BuildId};
use jiff::Timestamp;
use std::collections::BTreeSet;

/// A build that has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    pub build: BuildId,
    pub app: AppId,
    /// Somebody works on it already.
    pub running: bool,
    pub created_at: Timestamp,
}

/// The builds to take up now: oldest first, one at a time for each app, at most `limit` with those
/// that run already.
pub fn pick(builds: &[Waiting], limit: usize) -> Vec<BuildId> {
    let running = || builds.iter().filter(|build| build.running);
    let mut busy: BTreeSet<AppId> = running().map(|build| build.app).collect();
    let mut waiting: Vec<_> = builds.iter().filter(|build| !build.running).collect();
    waiting.sort_by_key(|build| (build.created_at, build.build));
    let free = limit.saturating_sub(running().count());
    waiting.into_iter().filter(|build| busy.insert(build.app)).take(free).map(|build| build.build).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::AppId;
    use uuid::Uuid;

    /// Builds as `(number, app, running)`, created in the order of their numbers.
    fn check(builds: &[(u128, u128, bool)], limit: usize, expected: &[u128]) {
        let builds: Vec<_> = builds
            .iter()
            .map(|(number, app, running)| Waiting {
                build: BuildId(Uuid::from_u128(*number)),
                app: AppId(Uuid::from_u128(*app)),
                running: *running,
                created_at: Timestamp::from_second(*number as i64).unwrap(),
            })
            .collect();
        let got: Vec<_> = pick(&builds, limit).into_iter().map(|build| build.0.as_u128()).collect();
        assert_eq!(got, expected, "{builds:?}");
    }

    #[test]
    fn oldest_first_one_for_each_app_within_the_limit() {
        check(&[], 2, &[]);
        check(&[(2, 1, false), (1, 2, false)], 2, &[1, 2]);
        check(&[(1, 1, false), (2, 1, false), (3, 2, false)], 2, &[1, 3]);
        check(&[(1, 1, true), (2, 1, false), (3, 2, false)], 2, &[3]);
        check(&[(1, 1, true), (2, 2, true), (3, 3, false)], 2, &[]);
        check(&[(1, 1, false), (2, 2, false), (3, 3, false)], 2, &[1, 2]);
    }
}
