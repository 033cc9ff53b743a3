//! Which requests go where.

use crate::dynos::{Desired, Settings, retired};
use domain::route::{AppRoute, Backend, Backends, RouteTable};
use domain::{AppId, AppName, Dyno, DynoId, DynoKind, DynoState};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;

/// What the routes of one app are made from, besides its dynos.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppHosts {
    pub app: AppId,
    pub name: AppName,
    /// Host names in any case.
    pub hosts: Vec<String>,
    pub maintenance: bool,
    pub error_page: Option<String>,
    pub maintenance_page: Option<String>,
}

/// Makes the table. A dyno is in it while it is up and neither replaced nor told to stop.
pub fn table(
    apps: &[AppHosts],
    desired: &Desired,
    dynos: &[Dyno],
    now: Timestamp,
    settings: &Settings,
    generation: u64,
) -> RouteTable {
    let retired = retired(desired, dynos, now, settings);
    let mut web: BTreeMap<AppId, Vec<&Dyno>> = BTreeMap::new();
    for dyno in dynos {
        if dyno.kind == DynoKind::Formation && dyno.name.process_type.is_web() {
            web.entry(dyno.app).or_default().push(dyno);
        }
    }
    let mut hosts = HashMap::new();
    for app in apps {
        let own = web.get(&app.app).map(Vec::as_slice).unwrap_or_default();
        let route = Arc::new(AppRoute {
            app: app.app,
            name: app.name.clone(),
            maintenance: app.maintenance,
            error_page: app.error_page.clone(),
            maintenance_page: app.maintenance_page.clone(),
            backends: backends(app.app, desired, own, &retired),
        });
        hosts.extend(app.hosts.iter().map(|host| (host.to_ascii_lowercase(), route.clone())));
    }
    RouteTable { generation, hosts }
}

fn backends(app: AppId, desired: &Desired, web: &[&Dyno], retired: &BTreeSet<DynoId>) -> Backends {
    let ready: Vec<_> =
        web.iter().filter(|dyno| !retired.contains(&dyno.id)).filter_map(|dyno| backend(dyno)).collect();
    let wish = desired.apps.get(&app);
    if wish.is_none_or(|wish| wish.release.is_none()) {
        return Backends::Blank;
    }
    let wanted = wish
        .and_then(|wish| wish.formation.iter().find(|wish| wish.process_type.is_web()))
        .map_or(0, |wish| wish.quantity);
    if wanted == 0 {
        return Backends::NoWeb;
    }
    if !ready.is_empty() {
        return Backends::Ready(ready);
    }
    // A place without a row is about to be filled. One that crashed counts as crashed even if a
    // later start is planned, as on Heroku; the first quick restart shows as starting soon enough.
    let alive = |dyno: &&Dyno| matches!(dyno.state, DynoState::Starting | DynoState::Up | DynoState::Idle);
    let crashed: BTreeSet<u32> =
        web.iter().filter(|dyno| dyno.state == DynoState::Crashed).map(|dyno| dyno.name.number).collect();
    let empty = (1..=wanted).any(|number| !crashed.contains(&number));
    if empty || web.iter().any(alive) || retries_at_once(web) {
        Backends::Starting
    } else {
        Backends::Crashed
    }
}

/// Whether a crashed dyno is to be started again without waiting.
fn retries_at_once(web: &[&Dyno]) -> bool {
    web.iter().any(|dyno| {
        dyno.state == DynoState::Crashed && dyno.retry_at.is_none_or(|at| at <= dyno.state_changed_at)
    })
}

fn backend(dyno: &Dyno) -> Option<Backend> {
    if dyno.state != DynoState::Up || dyno.stopping_since.is_some() {
        return None;
    }
    let address = SocketAddr::new(dyno.address?, dyno.port?);
    Some(Backend { dyno: dyno.id, name: dyno.name.clone(), address })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dynos::{AppWish, TypeWish};
    use domain::{DynoName, DynoSize, ProcessType, ReleaseId};
    use uuid::Uuid;

    const APP: AppId = AppId(Uuid::from_u128(1));

    fn dyno(number: u32, release: u128, state: DynoState) -> Dyno {
        let time = Timestamp::from_second(release as i64).unwrap();
        Dyno {
            id: DynoId(Uuid::from_u128(release * 100 + u128::from(number))),
            app: APP,
            name: DynoName::new(ProcessType::web(), number),
            kind: DynoKind::Formation,
            size: DynoSize::Basic,
            release: ReleaseId(Uuid::from_u128(release)),
            command: "run".into(),
            state,
            env: BTreeMap::new(),
            image_type: None,
            attach_key: None,
            no_tty: false,
            user: None,
            time_limit: None,
            port: Some(5000),
            address: Some([10, 0, 0, number as u8].into()),
            crashes: 2,
            retry_at: (state == DynoState::Crashed).then_some(Timestamp::MAX),
            stop_requested_at: None,
            stopping_since: (state == DynoState::Down).then_some(time),
            exit_status: None,
            started_at: Some(time),
            state_changed_at: time,
            created_at: time,
            updated_at: time,
        }
    }

    /// The table of an app with `quantity` web dynos wished of release 2.
    fn route(quantity: Option<u32>, dynos: &[Dyno]) -> AppRoute {
        let formation = quantity.map(|quantity| TypeWish {
            process_type: ProcessType::web(),
            command: "run".into(),
            quantity,
            size: DynoSize::Basic,
        });
        let wish = AppWish {
            release: Some(ReleaseId(Uuid::from_u128(2))),
            formation: formation.into_iter().collect(),
        };
        let desired = Desired { apps: [(APP, wish)].into(), ..Desired::default() };
        table_of(&desired, dynos)
    }

    fn table_of(desired: &Desired, dynos: &[Dyno]) -> AppRoute {
        let app = AppHosts {
            app: APP,
            name: "blog".parse().unwrap(),
            hosts: vec!["Blog.localhost".into(), "www.example.com".into()],
            maintenance: true,
            error_page: Some("//e".into()),
            maintenance_page: None,
        };
        let now = Timestamp::from_second(100).unwrap();
        let table = table(&[app], desired, dynos, now, &Settings::default(), 7);
        assert_eq!((table.generation, table.hosts.len()), (7, 2));
        assert_eq!(table.hosts["blog.localhost"], table.hosts["www.example.com"]);
        (*table.hosts["blog.localhost"]).clone()
    }

    fn ready(route: &AppRoute) -> Vec<String> {
        match &route.backends {
            Backends::Ready(backends) => backends.iter().map(|backend| backend.address.to_string()).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn says_why_nobody_answers() {
        use DynoState::{Crashed, Down, Starting};
        let blank = table_of(&Desired::default(), &[]);
        assert_eq!(blank.backends, Backends::Blank);
        assert!(blank.maintenance);
        assert_eq!(blank.error_page.as_deref(), Some("//e"));
        for (quantity, dynos, expected) in [
            (None, vec![], Backends::NoWeb),
            (Some(0), vec![], Backends::NoWeb),
            (Some(0), vec![dyno(1, 2, DynoState::Up)], Backends::NoWeb),
            (Some(1), vec![], Backends::Starting),
            (Some(1), vec![dyno(1, 2, Starting)], Backends::Starting),
            (Some(1), vec![dyno(1, 1, Down)], Backends::Starting),
            (Some(1), vec![dyno(1, 2, Crashed)], Backends::Crashed),
            (Some(1), vec![dyno(1, 1, Crashed), dyno(1, 2, Starting)], Backends::Starting),
            (Some(2), vec![dyno(1, 2, Crashed)], Backends::Starting),
            (Some(2), vec![dyno(1, 2, Crashed), dyno(2, 2, Crashed)], Backends::Crashed),
            (Some(1), vec![Dyno { retry_at: None, ..dyno(1, 2, Crashed) }], Backends::Starting),
        ] {
            assert_eq!(route(quantity, &dynos).backends, expected, "{quantity:?} {dynos:?}");
        }
    }

    #[test]
    fn the_old_answers_until_the_new_is_up() {
        let old = dyno(1, 1, DynoState::Up);
        let new = |state| Dyno { address: Some([10, 0, 1, 1].into()), ..dyno(1, 2, state) };
        assert_eq!(ready(&route(Some(1), std::slice::from_ref(&old))), ["10.0.0.1:5000"]);
        assert_eq!(ready(&route(Some(1), &[old.clone(), new(DynoState::Starting)])), ["10.0.0.1:5000"]);
        assert_eq!(ready(&route(Some(1), &[old.clone(), new(DynoState::Crashed)])), ["10.0.0.1:5000"]);
        assert_eq!(ready(&route(Some(1), &[old, new(DynoState::Up)])), ["10.0.1.1:5000"]);
    }

    #[test]
    fn a_dyno_without_an_address_is_no_backend() {
        let lost = Dyno { address: None, ..dyno(1, 2, DynoState::Up) };
        assert_eq!(route(Some(1), &[lost]).backends, Backends::Starting);
    }
}
