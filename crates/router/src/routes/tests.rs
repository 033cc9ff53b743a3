use super::*;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};

fn backend(number: u32) -> Backend {
    Backend {
        dyno: DynoId::new(),
        name: format!("web.{number}").parse().unwrap(),
        address: SocketAddr::from(([10, 0, 0, 1], 5000)),
    }
}

fn table(generation: u64, app: AppId, backends: Backends) -> RouteTable {
    let name: domain::AppName = "my-app".parse().unwrap();
    let route =
        AppRoute { app, name, maintenance: false, error_page: None, maintenance_page: None, backends };
    RouteTable { generation, hosts: HashMap::from([("my-app.localhost".into(), Arc::new(route))]) }
}

fn is_ready(future: impl Future<Output = ()>) -> bool {
    pin!(future).poll(&mut Context::from_waker(Waker::noop())).is_ready()
}

#[test]
fn an_older_table_is_ignored() {
    let (routes, app) = (Routes::new(), AppId::new());
    assert!(routes.publish(&table(5, app, Backends::Starting)));
    assert!(!routes.publish(&table(4, app, Backends::NoWeb)));
    assert_eq!(routes.find("my-app.localhost").unwrap().route.backends, Backends::Starting);
    assert!(routes.publish(&table(5, app, Backends::Crashed)), "the same generation is not older");
}

#[test]
fn a_dyno_is_drained_when_it_left_and_its_requests_ended() {
    let (routes, app, web) = (Routes::new(), AppId::new(), backend(1));
    assert!(is_ready(routes.drained(web.dyno)), "never routed");
    routes.publish(&table(1, app, Backends::Ready(vec![web.clone()])));
    assert!(!is_ready(routes.drained(web.dyno)), "routed");

    let dyno = routes.find("my-app.localhost").unwrap().dynos[0].clone();
    let slot = dyno.reserve().unwrap();
    assert_eq!(routes.in_flight(web.dyno), InFlight { requests: 1, tunnels: 0 });
    routes.publish(&table(2, app, Backends::Starting));
    assert!(dyno.reserve().is_none(), "it takes no more");
    let drained = routes.drained(web.dyno);
    let mut drained = pin!(drained);
    let mut context = Context::from_waker(Waker::noop());
    assert!(drained.as_mut().poll(&mut context).is_pending());
    drop(slot);
    assert!(drained.as_mut().poll(&mut context).is_ready());
}

#[test]
fn a_tunnel_does_not_keep_a_dyno_from_draining() {
    let (routes, app, web) = (Routes::new(), AppId::new(), backend(1));
    routes.publish(&table(1, app, Backends::Ready(vec![web.clone()])));
    let dyno = routes.find("my-app.localhost").unwrap().dynos[0].clone();
    let tunnel = dyno.reserve().unwrap().into_tunnel();
    routes.publish(&table(2, app, Backends::NoWeb));
    assert_eq!(routes.in_flight(web.dyno), InFlight { requests: 0, tunnels: 1 });
    assert!(is_ready(routes.drained(web.dyno)));
    drop(tunnel);
    routes.publish(&table(3, app, Backends::NoWeb));
    assert_eq!(routes.in_flight(web.dyno), InFlight::default());
}

#[test]
fn counts_survive_a_new_table() {
    let (routes, app, web) = (Routes::new(), AppId::new(), backend(1));
    routes.publish(&table(1, app, Backends::Ready(vec![web.clone()])));
    let slot = routes.find("my-app.localhost").unwrap().dynos[0].reserve().unwrap();
    routes.publish(&table(2, app, Backends::Ready(vec![web.clone(), backend(2)])));
    assert_eq!(routes.in_flight(web.dyno).requests, 1);
    drop(slot);
    assert_eq!(routes.in_flight(web.dyno).requests, 0);
}

#[test]
fn an_app_admits_up_to_its_limit() {
    let (routes, app) = (Routes::new(), AppId::new());
    routes.publish(&table(1, app, Backends::Starting));
    let app = routes.find("my-app.localhost").unwrap();
    let first = app.admit(2).unwrap();
    let second = app.admit(2).unwrap();
    assert!(app.admit(2).is_none());
    drop(first);
    assert!(app.admit(2).is_some());
    drop(second);
}

#[test]
fn wishes_to_wake_are_bundled() {
    let state = AppState::default();
    let second = Duration::from_secs(1);
    assert!(state.claim_wake(1, second));
    assert!(!state.claim_wake(900, second));
    assert!(state.claim_wake(1001, second));
}
