//! When bad news that could not be told is tried again.

use domain::Notice;
use jiff::{SignedDuration, Timestamp};

/// Rest after an attempt; twice as long after each further one.
const REST: SignedDuration = SignedDuration::from_secs(30);
const LONGEST_REST: SignedDuration = SignedDuration::from_hours(1);
/// News that nobody has taken for so long is given up.
const LIFE: SignedDuration = SignedDuration::from_hours(3 * 24);

/// When one that has failed once more is tried again; `None` if it is given up.
pub fn retry_at(notice: &Notice, now: Timestamp) -> Option<Timestamp> {
    let rest = REST.checked_mul(1 << notice.attempts.min(16)).unwrap_or(LONGEST_REST).min(LONGEST_REST);
    let at = now.checked_add(rest).ok()?;
    (at.duration_since(notice.created_at) < LIFE).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{AppId, NoticeId, NoticeKind, Reader};

    #[test]
    fn rests_grow_to_an_hour_and_come_to_an_end_after_days() {
        let mut notice = Notice {
            id: NoticeId::new(),
            kind: NoticeKind::BackupRefuted,
            to: Reader::Operator,
            app: AppId::new(),
            transfer: None,
            addon: "db".into(),
            subject: String::new(),
            text: String::new(),
            attempts: 0,
            retry_at: None,
            created_at: Timestamp::UNIX_EPOCH,
        };
        let (mut now, mut rests) = (Timestamp::UNIX_EPOCH, Vec::new());
        while let Some(at) = retry_at(&notice, now) {
            rests.push(at.duration_since(now).as_secs());
            notice.attempts += 1;
            now = at;
        }
        assert_eq!(rests[..8], [30, 60, 120, 240, 480, 960, 1920, 3600]);
        assert!(rests[8..].iter().all(|rest| *rest == 3600) && rests.len() > 70, "{rests:?}");
        assert!(now.duration_since(Timestamp::UNIX_EPOCH) < LIFE);
    }
}
