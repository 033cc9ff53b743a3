//! When a scheduled backup is due, and which backups are not kept any more.

use crate::addons::Seen;
use domain::{
    Addon, AddonId, AddonState, InstanceId, Proof, Retention, Schedule, Transfer, TransferId, TransferKind,
    TransferState,
};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan, Zoned};
use std::collections::{BTreeMap, BTreeSet};

/// Ended transfers without a dump are told about for so long.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(24 * 30);
/// Of what has been destroyed, backups by hand are kept for so long.
const AFTER_THE_END: SignedDuration = SignedDuration::from_hours(24 * 7);
const HOUR: SignedDuration = SignedDuration::from_hours(1);
/// A daily backup is to be proven at least so often.
const OVERDUE: SignedDuration = SignedDuration::from_hours(48);
/// What is made or tried has so long to come to something.
const TRIAL: SignedDuration = SignedDuration::from_hours(6);

/// The hour for which a schedule is to be done now, if it was not yet. An hour that a server which was
/// down has missed is made up for; one that was over before the schedule was made is not.
pub fn due(schedule: &Schedule, timezone: &TimeZone, now: Timestamp) -> Option<Timestamp> {
    let slot = slot(schedule.hour, timezone, now, 0)?;
    let over = slot.saturating_add(HOUR).ok()?;
    (schedule.created_at < over && schedule.done.is_none_or(|done| done < slot)).then_some(slot)
}

/// When the next hour of a schedule begins.
pub fn next(schedule: &Schedule, timezone: &TimeZone, now: Timestamp) -> Option<Timestamp> {
    slot(schedule.hour, timezone, now, 1)
}

/// The beginning of the last such hour that is not later than now, and `days` later. Where clocks skip it,
/// the hour is the one that comes in its place.
fn slot(hour: u8, timezone: &TimeZone, now: Timestamp, days: i64) -> Option<Timestamp> {
    let here = now.to_zoned(timezone.clone());
    let at = |days: i64| -> Option<Zoned> {
        let date = here.date().checked_add(days.days()).ok()?;
        date.at(i8::try_from(hour).ok()?, 0, 0, 0).to_zoned(timezone.clone()).ok()
    };
    let today = at(days)?;
    let began = at(0)?.timestamp() <= now;
    if began { Some(today.timestamp()) } else { at(days - 1).map(|zoned| zoned.timestamp()) }
}

/// Since when there is no backup of a schedule that is proven, or for a service that cannot prove any, that was
/// made; if that is too long, and was not told yet. What comes of one that is under way is waited for.
pub fn overdue(
    schedule: &Schedule,
    transfers: &[Transfer],
    provable: bool,
    now: Timestamp,
) -> Option<Timestamp> {
    let own = || {
        transfers.iter().filter(|one| one.kind == TransferKind::Backup && one.from == Some(schedule.addon))
    };
    let under_way = |one: &Transfer| {
        let open = !one.state.is_over() || (one.is_backup() && one.proof == Proof::Wanted);
        open && now.duration_since(one.created_at) < TRIAL
    };
    if own().any(under_way) {
        return None;
    }
    let good = own().filter(|one| one.is_backup() && (one.proof == Proof::Proven || !provable));
    let since = good.map(|one| one.created_at).max().max(Some(schedule.created_at))?;
    (now.duration_since(since) > OVERDUE && schedule.overdue != Some(since)).then_some(since)
}

/// Add-ons that are given up, and have a backup to be made before what they hold goes: one that is under
/// way, or waits for its turn while there is a service to ask.
pub fn last_backups(
    transfers: &[Transfer],
    addons: &[Addon],
    seen: &BTreeMap<InstanceId, Seen>,
) -> BTreeSet<AddonId> {
    let is_last = |one: &Transfer, addon: &Addon| {
        let ready = || addon.instance.is_some_and(|id| seen.get(&id) == Some(&Seen::Ready));
        one.kind == TransferKind::Backup
            && one.from == Some(addon.id)
            && match one.state {
                TransferState::Running => true,
                TransferState::Pending => ready(),
                TransferState::Succeeded | TransferState::Failed | TransferState::Cancelled => false,
            }
    };
    let leaving = addons.iter().filter(|addon| addon.state == AddonState::Deprovisioning);
    leaving.filter(|addon| transfers.iter().any(|one| is_last(one, addon))).map(|addon| addon.id).collect()
}

/// What is known of the add-ons that transfers belong to.
pub trait Owners {
    /// How many backups are kept.
    fn retention(&self, transfer: &Transfer) -> Retention;
    /// Whether the add-on is still there.
    fn is_there(&self, addon: Option<AddonId>) -> bool;
}

/// The transfers that are not kept: backups beyond what the plan keeps, and ended ones without a dump that
/// are old. What is being tried stays, and as long as the add-on is there, the newest backup that is proven:
/// however many came after it, none of them is known to be of use.
pub fn expired(transfers: &[Transfer], owners: &impl Owners, now: Timestamp) -> Vec<TransferId> {
    let mut by_addon: BTreeMap<Option<AddonId>, Vec<&Transfer>> = BTreeMap::new();
    let mut expired = Vec::new();
    let older = |one: &Transfer, than| now.duration_since(one.finished_at.unwrap_or(one.created_at)) > than;
    for one in transfers.iter().filter(|one| one.state.is_over() && one.proof_instance.is_none()) {
        if one.is_backup() {
            by_addon.entry(one.from).or_default().push(one);
        } else if one.state != TransferState::Pending && older(one, REMEMBERED) {
            expired.push(one.id);
        }
    }
    for (addon, mut backups) in by_addon {
        backups.sort_by_key(|one| std::cmp::Reverse((one.created_at, one.number)));
        let Some(newest) = backups.first() else { continue };
        let retention = owners.retention(newest);
        let (scheduled, manual): (Vec<&Transfer>, Vec<&Transfer>) =
            backups.iter().partition(|one| one.schedule.is_some());
        let mut kept = kept_scheduled(&scheduled, retention, now);
        let there = owners.is_there(addon);
        let proven = backups.iter().find(|one| one.proof == Proof::Proven).filter(|_| there);
        kept.extend(proven.map(|one| one.id));
        expired.extend(scheduled.iter().map(|one| one.id).filter(|id| !kept.contains(id)));
        let limit = retention.manual as usize;
        expired.extend(
            manual
                .iter()
                .enumerate()
                .filter(|(index, one)| *index >= limit || (!there && older(one, AFTER_THE_END)))
                .map(|(_, one)| one.id)
                .filter(|id| !kept.contains(id)),
        );
    }
    expired
}

/// The newest of each of the last days, weeks and months, by the calendar: what is the newest of a week that
/// is over stays it. `backups` is sorted, newest first.
fn kept_scheduled(backups: &[&Transfer], retention: Retention, now: Timestamp) -> BTreeSet<TransferId> {
    let mut kept = BTreeSet::new();
    let mut seen: BTreeSet<(usize, i64)> = BTreeSet::new();
    let today = calendar(now);
    // Besides the week and the month that are not over, where such are kept at all.
    let whole = |count: u32| if count > 0 { count.saturating_add(1) } else { 0 };
    let limits = [retention.daily, whole(retention.weekly), whole(retention.monthly)];
    for one in backups {
        let its = calendar(one.created_at);
        for (kind, limit) in limits.into_iter().enumerate() {
            let age = today[kind] - its[kind];
            if age < i64::from(limit) && seen.insert((kind, its[kind])) {
                kept.insert(one.id);
            }
        }
    }
    kept
}

/// Day, week (from Monday on) and month, each counted from some beginning.
fn calendar(time: Timestamp) -> [i64; 3] {
    let day = time.as_second().div_euclid(24 * 3600);
    let date = time.to_zoned(TimeZone::UTC).date();
    // The first of January 1970 was a Thursday.
    [day, (day + 3).div_euclid(7), i64::from(date.year()) * 12 + i64::from(date.month())]
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{AccountId, AppId, ScheduleId};

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn schedule(hour: u8, created: &str, done: Option<&str>) -> Schedule {
        Schedule {
            id: ScheduleId::new(),
            addon: AddonId::new(),
            name: "DATABASE_URL".into(),
            hour,
            timezone: "UTC".into(),
            done: done.map(time),
            overdue: None,
            created_at: time(created),
        }
    }

    #[test]
    fn an_hour_is_done_once_and_made_up_for() {
        let zone = TimeZone::UTC;
        let due = |schedule: &Schedule, now: &str| due(schedule, &zone, time(now)).map(|at| at.to_string());
        let fresh = schedule(5, "2026-03-01T05:20:00Z", None);
        assert_eq!(due(&fresh, "2026-03-01T05:20:00Z").as_deref(), Some("2026-03-01T05:00:00Z"));
        let late = schedule(5, "2026-03-01T07:00:00Z", None);
        assert_eq!(due(&late, "2026-03-01T07:00:00Z"), None);
        assert_eq!(due(&late, "2026-03-02T04:59:59Z"), None);
        assert_eq!(due(&late, "2026-03-02T05:00:00Z").as_deref(), Some("2026-03-02T05:00:00Z"));
        let done = schedule(5, "2026-03-01T00:00:00Z", Some("2026-03-02T05:00:00Z"));
        assert_eq!(due(&done, "2026-03-02T23:00:00Z"), None);
        assert_eq!(due(&done, "2026-03-04T03:00:00Z").as_deref(), Some("2026-03-03T05:00:00Z"));
        let next = next(&done, &zone, time("2026-03-02T23:00:00Z")).unwrap();
        assert_eq!(next.to_string(), "2026-03-03T05:00:00Z");
    }

    #[test]
    fn an_hour_is_one_of_its_time_zone_also_when_clocks_change() {
        // Two hours east in summer, one in winter.
        let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let two = schedule(2, "2026-01-01T00:00:00Z", None);
        for (now, slot) in [
            ("2026-01-10T12:00:00Z", "2026-01-10T01:00:00Z"),
            ("2026-07-10T12:00:00Z", "2026-07-10T00:00:00Z"),
            // There is no two o'clock on this day.
            ("2026-03-29T12:00:00Z", "2026-03-29T01:00:00Z"),
        ] {
            assert_eq!(due(&two, &zone, time(now)).unwrap().to_string(), slot);
        }
    }

    struct There(Retention, bool);

    impl Owners for There {
        fn retention(&self, _: &Transfer) -> Retention {
            self.0
        }
        fn is_there(&self, _: Option<AddonId>) -> bool {
            self.1
        }
    }

    fn backup(number: u32, created: &str, scheduled: bool) -> Transfer {
        Transfer {
            id: TransferId::new(),
            app: AppId::new(),
            number,
            kind: TransferKind::Backup,
            state: TransferState::Succeeded,
            from: None,
            from_name: String::new(),
            to: None,
            to_name: String::new(),
            service: "db".into(),
            plan: "small".into(),
            backup: None,
            url: String::new(),
            extensions: Vec::new(),
            schedule: scheduled.then(|| "DATABASE_URL".into()),
            cancelled: false,
            attempts: 1,
            source_bytes: 0,
            processed_bytes: 0,
            warnings: 0,
            digest: None,
            figures: None,
            proof: Proof::None,
            proof_text: None,
            proven_at: None,
            proof_attempts: 0,
            proof_instance: None,
            created_at: time(created),
            started_at: None,
            finished_at: Some(time(created)),
        }
    }

    #[test]
    fn a_day_a_week_and_a_few_by_hand_are_kept() {
        let kept = |transfers: &[Transfer], retention, there, now| {
            let expired = expired(transfers, &There(retention, there), now);
            let kept = transfers.iter().filter(|one| !expired.contains(&one.id));
            kept.cloned().collect::<Vec<_>>()
        };
        let numbers = |list: Vec<Transfer>| list.iter().map(|one| one.number).collect::<Vec<_>>();
        let usual = Retention::default();
        // Day by day, as it happens: what is the second week's must not go before it is.
        let through_march = |retention| {
            let mut all = Vec::new();
            for day in 1..=31 {
                all.push(backup(day, &format!("2026-03-{day:02}T05:00:00Z"), true));
                all = kept(&all, retention, true, time(&format!("2026-03-{day:02}T12:00:00Z")));
            }
            numbers(all)
        };
        // The 31st is a Tuesday.
        assert_eq!(through_march(usual), [25, 26, 27, 28, 29, 30, 31]);
        assert_eq!(through_march(Retention { weekly: 4, ..usual }), [8, 15, 22, 25, 26, 27, 28, 29, 30, 31]);
        let now = time("2026-03-31T12:00:00Z");
        let manual: Vec<_> = (1..=8).map(|number| backup(number, "2026-03-01T00:00:00Z", false)).collect();
        assert_eq!(numbers(kept(&manual, usual, true, now)), [4, 5, 6, 7, 8]);
        assert!(kept(&manual, usual, false, now).is_empty(), "kept though its add-on is gone for long");
        let mut failed = backup(1, "2026-02-01T00:00:00Z", false);
        failed.state = TransferState::Failed;
        assert!(kept(&[failed], usual, true, now).is_empty());
    }

    #[test]
    fn what_is_given_up_waits_for_its_last_backup() {
        use {
            AddonState::{Deprovisioning, Provisioned},
            TransferKind::{Backup, Copy},
        };
        let (instance, id) = (InstanceId::new(), AddonId::new());
        let addon = |state| Addon {
            id,
            app: AppId::new(),
            user: AccountId::new(),
            service: "db".into(),
            plan: "small".into(),
            name: "db-clear-1".into(),
            state,
            instance: Some(instance),
            attempts: 0,
            retry_at: None,
            failure: None,
            over_limit: false,
            created_at: time("2026-03-01T00:00:00Z"),
            updated_at: time("2026-03-01T00:00:00Z"),
        };
        let of = |kind, state, from| {
            let made = backup(1, "2026-03-01T05:00:00Z", false);
            Transfer { kind, state, from: Some(from), ..made }
        };
        let waits = |transfer: Transfer, state, seen: Option<Seen>| {
            let seen = seen.into_iter().map(|seen| (instance, seen)).collect();
            last_backups(&[transfer], &[addon(state)], &seen).contains(&id)
        };
        let (running, pending) = (TransferState::Running, TransferState::Pending);
        assert!(waits(of(Backup, running, id), Deprovisioning, None));
        assert!(waits(of(Backup, pending, id), Deprovisioning, Some(Seen::Ready)));
        assert!(!waits(of(Backup, pending, id), Deprovisioning, Some(Seen::Starting)), "nobody to ask");
        assert!(!waits(of(Backup, TransferState::Succeeded, id), Deprovisioning, Some(Seen::Ready)));
        assert!(!waits(of(Backup, running, AddonId::new()), Deprovisioning, Some(Seen::Ready)));
        assert!(!waits(of(Copy, running, id), Deprovisioning, Some(Seen::Ready)));
        assert!(!waits(of(Backup, running, id), Provisioned, Some(Seen::Ready)));
    }

    #[test]
    fn the_newest_that_is_proven_stays_until_there_is_another() {
        let now = time("2026-03-31T12:00:00Z");
        let kept = |transfers: &[Transfer], there| {
            let expired = expired(transfers, &There(Retention::default(), there), now);
            let kept = transfers.iter().filter(|one| !expired.contains(&one.id));
            kept.map(|one| one.number).collect::<Vec<_>>()
        };
        for scheduled in [true, false] {
            let mut all: Vec<_> =
                (1..=9).map(|day| backup(day, &format!("2026-03-0{day}T05:00:00Z"), scheduled)).collect();
            all[1].proof = Proof::Proven;
            all[2].proof = Proof::Proven;
            let usual: &[u32] = if scheduled { &[] } else { &[5, 6, 7, 8, 9] };
            assert_eq!(kept(&all, true), [&[3][..], usual].concat());
            assert!(kept(&all, false).is_empty());
            all[8].proof = Proof::Proven;
            assert_eq!(kept(&all, true), if scheduled { vec![9] } else { usual.to_vec() });
        }
    }

    #[test]
    fn a_schedule_without_a_proven_backup_for_days_is_told_once() {
        let mut schedule = schedule(5, "2026-03-01T04:00:00Z", None);
        let mut day = backup(1, "2026-03-01T05:00:00Z", true);
        (day.from, day.proof) = (Some(schedule.addon), Proof::Proven);
        let mut next = backup(2, "2026-03-02T05:00:00Z", true);
        (next.from, next.proof) = (Some(schedule.addon), Proof::Refuted);
        let other = Transfer { from: Some(AddonId::new()), proof: Proof::Proven, ..next.clone() };
        let all = [day.clone(), next.clone(), other];
        let overdue = |schedule: &Schedule, all: &[Transfer], provable, now: &str| {
            overdue(schedule, all, provable, time(now)).map(|since| since.to_string())
        };
        assert_eq!(overdue(&schedule, &all, true, "2026-03-03T05:00:00Z"), None);
        let since = Some("2026-03-01T05:00:00Z".to_owned());
        assert_eq!(overdue(&schedule, &all, true, "2026-03-03T05:00:01Z"), since);
        // Where nothing can be proven, that it was made counts.
        assert_eq!(overdue(&schedule, &all, false, "2026-03-03T05:00:01Z"), None);
        // One that is being tried is waited for, for some hours.
        let trying = Transfer { proof: Proof::Wanted, ..next.clone() };
        let tried = [day.clone(), Transfer { created_at: time("2026-03-03T05:00:00Z"), ..trying }];
        assert_eq!(overdue(&schedule, &tried, true, "2026-03-03T10:59:59Z"), None);
        assert_eq!(overdue(&schedule, &tried, true, "2026-03-03T11:00:00Z"), since);
        schedule.overdue = Some(day.created_at);
        assert_eq!(overdue(&schedule, &all, true, "2026-03-09T05:00:00Z"), None);
        // A schedule that is new is given its time.
        let later = self::schedule(5, "2026-03-08T00:00:00Z", None);
        let moved = Schedule { addon: schedule.addon, ..later };
        assert_eq!(overdue(&moved, &all, true, "2026-03-09T00:00:00Z"), None);
        assert_eq!(
            overdue(&moved, &all, true, "2026-03-10T00:00:01Z").as_deref(),
            Some("2026-03-08T00:00:00Z")
        );
    }
}
