//! What containers can reach and what they cannot, with real packets. Each test is a small world
//! of its own: a thread in fresh network and mount namespaces plays the host, another namespace
//! the rest of the world. Both vanish with the test. Every refusal has a positive control: the
//! same listener answers somebody who may reach it.

mod world;

use container::net::{Allow, InstanceTag, Network, NetworkConfig, Wish};
use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4};
use std::path::Path;
use uuid::Uuid;
use world::{Namespace, UPLINK, World, in_world};

const WORLD: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 9);
const METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);
const PRIVATE: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 1);
const DATABASE: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 2);
const RESOLVER: Ipv4Addr = Ipv4Addr::new(10, 53, 0, 53);
/// What the world beyond the uplink answers to.
const ALL: [Ipv4Addr; 5] = [WORLD, METADATA, PRIVATE, DATABASE, RESOLVER];

fn config(containers: &Path) -> NetworkConfig {
    NetworkConfig {
        resolvers: Some(vec![RESOLVER]),
        allow: vec![format!("{DATABASE}:5432").parse::<Allow>().expect("an exception")],
        ..NetworkConfig::new(InstanceTag::of(containers), containers.to_owned())
    }
}

async fn container(network: &Network, world: &World) -> (Uuid, Namespace, Ipv4Addr) {
    wished(network, world, Wish::default()).await
}

async fn wished(network: &Network, world: &World, wish: Wish) -> (Uuid, Namespace, Ipv4Addr) {
    let id = Uuid::new_v4();
    std::fs::create_dir(world.containers().join(id.to_string())).expect("directory");
    let lease = network.attach(id, wish).await.expect("attach");
    (id, Namespace::open(&lease.namespace), lease.address)
}

#[test]
fn containers_reach_the_world_by_the_address_of_the_host() {
    in_world(async |world| {
        let network = Network::open(config(world.containers())).await.expect("open");
        let (_, inside, _) = container(&network, world).await;
        let listener = world.outside().listen(WORLD, 80);
        assert_eq!(inside.connect(WORLD, 80), Ok(()));
        assert_eq!(listener.last_peer(), UPLINK);
    });
}

#[test]
fn containers_reach_the_resolver_and_what_is_allowed_and_nothing_else_that_is_private() {
    in_world(async |world| {
        let network = Network::open(config(world.containers())).await.expect("open");
        let (_, inside, _) = container(&network, world).await;
        let _listeners: Vec<_> =
            [(METADATA, 80), (PRIVATE, 80), (RESOLVER, 80), (RESOLVER, 53), (DATABASE, 5432), (DATABASE, 22)]
                .map(|(address, port)| world.outside().listen(address, port))
                .into();
        let _echo = world.outside().echo_udp(RESOLVER, 53);
        for (address, port) in [(METADATA, 80), (PRIVATE, 80), (RESOLVER, 80), (DATABASE, 22)] {
            assert_eq!(world.host().connect(address, port), Ok(()), "{address}:{port} from the host");
            let refused = inside.connect(address, port);
            assert_eq!(refused, Err(ErrorKind::HostUnreachable), "{address}:{port} from the container");
        }
        assert_eq!(inside.connect(RESOLVER, 53), Ok(()));
        assert_eq!(inside.connect(DATABASE, 5432), Ok(()));
        assert_eq!(inside.ask_udp(RESOLVER, 53, None), Ok(()));
    });
}

#[test]
fn containers_do_not_reach_the_host() {
    in_world(async |world| {
        let network = Network::open(config(world.containers())).await.expect("open");
        let (_, inside, _) = container(&network, world).await;
        let _listener = world.host().listen(Ipv4Addr::UNSPECIFIED, 5000);
        assert_eq!(world.outside().connect(UPLINK, 5000), Ok(()), "the host listens");
        for address in [container::net::GATEWAY, UPLINK] {
            assert_eq!(inside.connect(address, 5000), Err(ErrorKind::HostUnreachable), "{address}");
        }
    });
}

#[test]
fn containers_do_not_reach_each_other_but_the_host_reaches_both() {
    in_world(async |world| {
        let network = Network::open(config(world.containers())).await.expect("open");
        let (_, first, first_address) = container(&network, world).await;
        let (_, second, second_address) = container(&network, world).await;
        assert_ne!(first_address, second_address);
        let _listeners = [first.listen(Ipv4Addr::UNSPECIFIED, 80), second.listen(Ipv4Addr::UNSPECIFIED, 80)];
        for address in [first_address, second_address] {
            assert_eq!(world.host().connect(address, 80), Ok(()));
        }
        assert_eq!(first.connect(first_address, 80), Ok(()), "a container reaches itself");
        assert!(first.try_connect(second_address, 80).is_err());
        assert!(second.try_connect(first_address, 80).is_err());
    });
}

#[test]
fn a_container_reaches_the_one_port_that_it_was_given() {
    in_world(async |world| {
        let range = "10.201.0.0/24".parse().expect("a range");
        let reserved = Some("10.201.0.192/26".parse().expect("a range"));
        let make = || NetworkConfig { subnet: range, reserved, ..config(world.containers()) };
        let network = Network::open(make()).await.expect("open");
        let at = Ipv4Addr::new(10, 201, 0, 200);
        let given = Wish { reach: vec![SocketAddrV4::new(at, 5432)], ..Wish::default() };
        let (first, friend, _) = wished(&network, world, given).await;
        let (_, stranger, _) = container(&network, world).await;
        let (service, database, address) =
            wished(&network, world, Wish { address: Some(at), ..Wish::default() }).await;
        assert_eq!(address, at);
        let _listeners = [5432, 22].map(|port| database.listen(Ipv4Addr::UNSPECIFIED, port));
        let check = || {
            assert_eq!(friend.connect(at, 5432), Ok(()));
            assert!(friend.try_connect(at, 22).is_err());
            assert!(stranger.try_connect(at, 5432).is_err());
        };
        check();
        assert!(network.attach(Uuid::new_v4(), Wish { address: Some(at), ..Wish::default() }).await.is_err());

        // As a new server finds it, and after somebody flushed the rules.
        drop(network);
        let network = Network::open(make()).await.expect("open again");
        check();
        world.host().command("nft", &["flush", "ruleset"]);
        assert!(network.repair().await.expect("repair"));
        check();

        network.detach(first).expect("detach");
        network.settle().await;
        let left = world.host().command("nft", &["list", "ruleset"]);
        assert!(!left.contains("5432 }"), "{left}");
        network.detach(service).expect("detach");
        network.settle().await;
        let (_, _, again) = wished(&network, world, Wish { address: Some(at), ..Wish::default() }).await;
        assert_eq!(again, at);
    });
}

#[test]
fn one_container_cannot_use_up_the_host_s_connections() {
    in_world(async |world| {
        let bounded = NetworkConfig { connections: Some(3), ..config(world.containers()) };
        let network = Network::open(bounded).await.expect("open");
        assert!(network.warnings().is_empty(), "{:?}", network.warnings());
        let (_, greedy, _) = container(&network, world).await;
        let (_, modest, _) = container(&network, world).await;
        let _listener = world.outside().listen(WORLD, 80);
        let _echo = world.outside().echo_udp(RESOLVER, 53);
        let mut held: Vec<_> = (0..3).map(|_| greedy.open_connection(WORLD, 80)).collect();
        assert_eq!(greedy.connect(WORLD, 80), Err(ErrorKind::HostUnreachable));
        assert!(greedy.try_udp(RESOLVER, 53, None).is_err(), "all protocols count together");
        assert!(held.iter_mut().all(world::Connection::echoes), "what is open stays");
        assert_eq!(modest.connect(WORLD, 80), Ok(()), "each has its own");
        drop(held);
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while greedy.connect(WORLD, 80).is_err() {
            assert!(std::time::Instant::now() < deadline, "closed connections count for ever");
        }
    });
}

#[test]
fn nobody_outside_reaches_a_container() {
    in_world(async |world| {
        let network = Network::open(config(world.containers())).await.expect("open");
        let (_, inside, address) = container(&network, world).await;
        let _listener = inside.listen(Ipv4Addr::UNSPECIFIED, 80);
        assert_eq!(world.host().connect(address, 80), Ok(()));
        world.outside().route(&format!("{address}/32"), UPLINK);
        assert_eq!(world.outside().try_connect(address, 80), Err(ErrorKind::TimedOut));
    });
}

#[test]
fn a_container_cannot_use_an_address_that_is_not_its_own() {
    in_world(async |world| {
        let network = Network::open(config(world.containers())).await.expect("open");
        let (_, inside, own) = container(&network, world).await;
        let (_, _, other) = container(&network, world).await;
        let foreign = Ipv4Addr::new(8, 8, 8, 8);
        inside.add_address(other);
        inside.add_address(foreign);
        let echo = world.outside().echo_udp(RESOLVER, 53);
        for stolen in [other, foreign] {
            assert!(inside.try_udp(RESOLVER, 53, Some(stolen)).is_err(), "{stolen}");
        }
        assert_eq!(inside.ask_udp(RESOLVER, 53, Some(own)), Ok(()));
        assert_eq!(echo.heard(), 1, "nothing but the honest question came out");
    });
}

#[test]
fn a_container_has_no_ipv6_but_its_own_loopback() {
    in_world(async |world| {
        let network = Network::open(config(world.containers())).await.expect("open");
        let (id, inside, _) = container(&network, world).await;
        let read = || std::fs::read_to_string("/proc/thread-self/net/if_inet6").unwrap_or_default();
        let addresses = inside.run(read);
        let interfaces: Vec<_> =
            addresses.lines().filter_map(|line| line.split_whitespace().last()).collect();
        assert!(interfaces.iter().all(|interface| *interface == "lo"), "{addresses}");

        // Even with addresses, which nobody in a container may set, nothing passes.
        let interface = network.lease(id).expect("a lease").interface;
        inside.run(|| std::fs::write("/proc/sys/net/ipv6/conf/eth0/disable_ipv6", "0")).expect("IPv6 on");
        inside.command("ip", &["addr", "add", "fd99::2/64", "dev", "eth0", "nodad"]);
        world.host().command("ip", &["addr", "add", "fd99::1/64", "dev", &interface, "nodad"]);
        let host = Ipv6Addr::new(0xfd99, 0, 0, 0, 0, 0, 0, 1);
        let _listener = world.host().listen(host, 5000);
        assert!(inside.try_connect(host, 5000).is_err());
        let tag = InstanceTag::of(world.containers());
        world.host().command("nft", &["delete", "table", "inet", &tag.table()]);
        assert_eq!(inside.connect(host, 5000), Ok(()), "it was the rules");
    });
}

#[test]
fn a_new_server_finds_the_networks_of_the_old_one() {
    in_world(async |world| {
        let network = Network::open(config(world.containers())).await.expect("open");
        let (id, inside, address) = container(&network, world).await;
        let (gone, ..) = container(&network, world).await;
        let listener = world.outside().listen(WORLD, 80);
        let mut open = inside.open_connection(WORLD, 80);
        let lease = network.lease(gone).expect("a lease");
        drop(network);
        // What a crash in the middle of removing a container leaves.
        std::fs::remove_file(world.containers().join(gone.to_string()).join("network.json")).expect("remove");

        let again = Network::open(config(world.containers())).await.expect("open again");
        assert_eq!(again.leases().into_keys().collect::<Vec<_>>(), [id]);
        assert_eq!(again.attach(id, Wish::default()).await.expect("attach again").address, address);
        assert!(open.echoes(), "a connection lives on");
        assert!(!world.interfaces().contains(&lease.interface), "{:?}", world.interfaces());
        let (_, _, fresh) = container(&again, world).await;
        assert_ne!(fresh, address);
        drop(listener);
    });
}

#[test]
fn rules_that_somebody_flushed_come_back() {
    in_world(async |world| {
        let network = Network::open(config(world.containers())).await.expect("open");
        let (_, inside, _) = container(&network, world).await;
        let _listener = world.host().listen(Ipv4Addr::UNSPECIFIED, 5000);
        assert!(!network.repair().await.expect("nothing to repair"));
        world.host().command("nft", &["flush", "ruleset"]);
        assert_eq!(inside.connect(UPLINK, 5000), Ok(()), "there is something to repair");
        assert!(network.repair().await.expect("repair"));
        assert_eq!(inside.connect(UPLINK, 5000), Err(ErrorKind::HostUnreachable));
    });
}

#[test]
fn nothing_is_left_behind() {
    in_world(async |world| {
        let before = world.interfaces();
        let network = Network::open(config(world.containers())).await.expect("open");
        let (first, inside, _) = container(&network, world).await;
        let (second, ..) = container(&network, world).await;
        drop(inside);
        assert_eq!(world.interfaces().len(), before.len() + 2);
        network.detach(first).expect("detach");
        network.detach(first).expect("detach what has no network");
        network.settle().await;
        assert!(network.lease(first).is_none());
        assert_eq!(world.interfaces().len(), before.len() + 1);
        let left = std::fs::read_dir(world.containers().join(first.to_string())).expect("directory").count();
        assert_eq!(left, 0);
        network.detach(second).expect("detach");
        network.destroy().await.expect("destroy");
        assert_eq!(world.interfaces(), before);
        assert_eq!(world.host().command("nft", &["list", "ruleset"]), "");
    });
}

#[test]
fn two_installations_share_a_subnet_without_sharing_an_address() {
    in_world(async |world| {
        let other = world.containers().join("other");
        std::fs::create_dir(&other).expect("directory");
        let mine = Network::open(config(world.containers())).await.expect("open");
        let theirs = Network::open(config(&other)).await.expect("open the other");
        let (_, my_inside, my_address) = container(&mine, world).await;
        let id = Uuid::new_v4();
        std::fs::create_dir(other.join(id.to_string())).expect("directory");
        let lease = theirs.attach(id, Wish::default()).await.expect("attach");
        assert_ne!(lease.address, my_address);
        let their_inside = Namespace::open(&lease.namespace);
        let _listeners = [their_inside.listen(lease.address, 80), world.outside().listen(WORLD, 80)];
        assert_eq!(world.host().connect(lease.address, 80), Ok(()));
        assert!(my_inside.try_connect(lease.address, 80).is_err());
        assert_eq!(my_inside.connect(WORLD, 80), Ok(()));
        assert_eq!(their_inside.connect(WORLD, 80), Ok(()));
    });
}

#[test]
fn a_firewall_in_the_way_is_named() {
    in_world(async |world| {
        let drop_all = "add table ip filter; add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }";
        world.host().command("nft", &[drop_all]);
        let network = Network::open(config(world.containers())).await.expect("open");
        let [warning] = network.warnings() else { panic!("{:?}", network.warnings()) };
        assert!(warning.contains("iptables -I FORWARD -i k"), "{warning}");
        let (_, inside, _) = container(&network, world).await;
        let _listener = world.outside().listen(WORLD, 80);
        assert_eq!(inside.try_connect(WORLD, 80), Err(ErrorKind::TimedOut), "the warning is true");

        let prefix = InstanceTag::of(world.containers()).interface_prefix();
        for direction in ["iifname", "oifname"] {
            let rule = format!("insert rule ip filter FORWARD {direction} \"{prefix}*\" accept");
            world.host().command("nft", &[&rule]);
        }
        let again = Network::open(config(world.containers())).await.expect("open again");
        assert!(again.warnings().is_empty(), "{:?}", again.warnings());
        assert_eq!(inside.connect(WORLD, 80), Ok(()), "the advice works");
    });
}

#[test]
fn a_full_subnet_is_an_error_until_somebody_leaves() {
    in_world(async |world| {
        let small =
            NetworkConfig { subnet: "10.201.7.0/30".parse().expect("a range"), ..config(world.containers()) };
        let network = Network::open(small).await.expect("open");
        let (first, ..) = container(&network, world).await;
        container(&network, world).await;
        let id = Uuid::new_v4();
        std::fs::create_dir(world.containers().join(id.to_string())).expect("directory");
        let error = network.attach(id, Wish::default()).await.expect_err("full");
        assert!(error.to_string().contains("all addresses of 10.201.7.0/30 are taken"), "{error}");
        network.detach(first).expect("detach");
        network.settle().await;
        network.attach(id, Wish::default()).await.expect("attach");
    });
}

#[test]
fn names_and_addresses_are_told_to_the_container() {
    in_world(async |world| {
        let network = Network::open(config(world.containers())).await.expect("open");
        let (id, _, address) = container(&network, world).await;
        assert_eq!(network.resolv_conf(), "nameserver 10.53.0.53\n");
        let hosts = network.hosts(&network.lease(id).expect("a lease"), "web.1");
        assert!(hosts.contains("127.0.0.1\tlocalhost\n"), "{hosts}");
        assert!(hosts.contains(&format!("{address}\tweb.1\n")), "{hosts}");
    });
}
