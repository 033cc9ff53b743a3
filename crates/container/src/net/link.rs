//! Veth pairs, addresses and routes, by netlink.

use super::namespace::{self, enter, on_own_thread};
use super::{GATEWAY, Lease, NetworkError};
use futures_util::TryStreamExt;
use rtnetlink::packet_route::link::{InfoData, InfoVeth, LinkAttribute};
use rtnetlink::packet_route::route::RouteScope;
use rtnetlink::{Handle, LinkMessageBuilder, LinkUnspec, LinkVeth, RouteMessageBuilder};
use std::fs::File;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsRawFd;

/// The name of the interface inside a container.
const INSIDE: &str = "eth0";
/// The loopback interface is the first of every network namespace.
const LOOPBACK: u32 = 1;

/// The interfaces of the network namespace in which it was opened.
#[derive(Clone)]
pub(super) struct Links {
    handle: Handle,
}

impl Links {
    pub(super) fn open() -> Result<Self, NetworkError> {
        let (connection, handle, _) =
            rtnetlink::new_connection().map_err(NetworkError::io("open a netlink socket"))?;
        tokio::spawn(connection);
        Ok(Self { handle })
    }

    /// Makes the pair of a lease, with one end in the namespace, and the host's route to it. False,
    /// and nothing made, if the host has a route to that very address already.
    async fn create(&self, lease: &Lease, namespace: &File) -> Result<bool, NetworkError> {
        let doing = || NetworkError::netlink(format!("make the interface {}", lease.interface));
        let inside = LinkMessageBuilder::<LinkUnspec>::new()
            .name(INSIDE.to_owned())
            .setns_by_fd(namespace.as_raw_fd())
            .build();
        let pair = LinkMessageBuilder::<LinkVeth>::new(&lease.interface, INSIDE)
            .set_info_data(InfoData::Veth(InfoVeth::Peer(inside)))
            .build();
        match self.handle.link().add(pair).execute().await {
            Err(error) if is(&error, libc::EEXIST) => {
                // Left by a start that was cut short; nobody else makes this name.
                tracing::warn!(interface = lease.interface, "replacing a stale interface");
                self.delete(&lease.interface).await?;
                return Box::pin(self.create(lease, namespace)).await;
            }
            result => result.map_err(doing())?,
        }
        let index = self.index(&lease.interface).await.map_err(doing())?;
        self.handle
            .link()
            .set(LinkUnspec::new_with_index(index).up().build())
            .execute()
            .await
            .map_err(doing())?;
        self.handle.address().add(index, IpAddr::V4(GATEWAY), 32).execute().await.map_err(doing())?;
        let route = RouteMessageBuilder::<Ipv4Addr>::new()
            .destination_prefix(lease.address, 32)
            .output_interface(index)
            .scope(RouteScope::Link)
            .build();
        match self.handle.route().add(route).execute().await {
            Err(error) if is(&error, libc::EEXIST) => Ok(false),
            result => result.map_err(doing()).map(|()| true),
        }
    }

    /// Deletes an interface; none of that name is no error.
    pub(super) async fn delete(&self, name: &str) -> Result<(), NetworkError> {
        let doing = || NetworkError::netlink(format!("delete the interface {name}"));
        let index = match self.index(name).await {
            Err(error) if is(&error, libc::ENODEV) => return Ok(()),
            result => result.map_err(doing())?,
        };
        match self.handle.link().del(index).execute().await {
            Err(error) if is(&error, libc::ENODEV) => Ok(()),
            result => result.map_err(doing()),
        }
    }

    /// Deletes the interfaces whose names start with `prefix`, except those that are known.
    pub(super) async fn delete_unknown(&self, prefix: &str, known: &[&str]) -> Result<(), NetworkError> {
        let mut links = self.handle.link().get().execute();
        let mut unknown = Vec::new();
        while let Some(link) = links.try_next().await.map_err(NetworkError::netlink("list interfaces"))? {
            for attribute in link.attributes {
                if let LinkAttribute::IfName(name) = attribute
                    && name.starts_with(prefix)
                    && !known.contains(&name.as_str())
                {
                    unknown.push(name);
                }
            }
        }
        for name in unknown {
            tracing::info!(interface = name, "deleting an interface that no container has");
            self.delete(&name).await?;
        }
        Ok(())
    }

    async fn index(&self, name: &str) -> Result<u32, rtnetlink::Error> {
        let link = self.handle.link().get().match_name(name).execute().try_next().await?;
        link.map(|link| link.header.index).ok_or(rtnetlink::Error::RequestFailed)
    }
}

/// Makes a lease real: its namespace, the pair, addresses and routes. `home` is the host's
/// namespace. False, and nothing but the namespace made, if the host has a route to that very
/// address already.
///
/// All of it on one thread, which asks the kernel and has its answer at once: every change to
/// another thread would wait for a processor.
pub(super) async fn build(home: &File, lease: &Lease) -> Result<bool, NetworkError> {
    let doing = || NetworkError::io("make the network of a container");
    let (home, lease) = (home.try_clone().map_err(doing())?, lease.clone());
    on_own_thread("make the network of a container", move || {
        enter(&home).map_err(doing())?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(doing())?;
        runtime.block_on(async {
            // A socket stays in the namespace in which it was opened.
            let outside = Links::open()?;
            let namespace = namespace::create(&lease.namespace)?;
            let inside = Links::open()?;
            if !outside.create(&lease, &namespace).await? {
                return Ok(false);
            }
            let configured = inside.configure(lease.address).await;
            configured.map_err(NetworkError::netlink("configure the inner interface"))?;
            // The host's end, which was up before there was another, sends nothing until a worker of
            // the kernel has noticed that one. Whoever asks for the link does its work (Linux 6.8).
            let noticed = outside.index(&lease.interface).await;
            noticed.map_err(NetworkError::netlink("look at the outer interface")).map(|_| true)
        })
    })
    .await
}

impl Links {
    async fn configure(&self, address: Ipv4Addr) -> Result<(), rtnetlink::Error> {
        let handle = &self.handle;
        let index = self.index(INSIDE).await?;
        for link in [LOOPBACK, index] {
            handle.link().set(LinkUnspec::new_with_index(link).up().build()).execute().await?;
        }
        handle.address().add(index, IpAddr::V4(address), 32).execute().await?;
        // The gateway is in no range of ours, so it needs a route before it can be one.
        let to_gateway = RouteMessageBuilder::<Ipv4Addr>::new()
            .destination_prefix(GATEWAY, 32)
            .output_interface(index)
            .scope(RouteScope::Link)
            .build();
        handle.route().add(to_gateway).execute().await?;
        let default = RouteMessageBuilder::<Ipv4Addr>::new().gateway(GATEWAY).output_interface(index).build();
        handle.route().add(default).execute().await
    }
}

/// Whether the kernel answered with this error number.
fn is(error: &rtnetlink::Error, number: i32) -> bool {
    matches!(error, rtnetlink::Error::NetlinkError(message) if message.raw_code() == -number)
}
