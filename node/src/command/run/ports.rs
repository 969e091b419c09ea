//! Addresses that stay: port 0 in the configuration picks a free port once.
//!
//! Invariants: the port that a service was given is kept durably in DIR/run/ports.json before the
//! service answers, and is the first that the next start asks for; a start that is refused changes
//! nothing; a node that must move all the same says so, and what whoever knew the old address has to
//! do.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::Path;

use hallmark_schemas::layout::Dir;
use tokio::net::TcpListener;
use tracing::warn;

use crate::failure::Failure;
use crate::files::write_durably;
use crate::keys::random;

/// Where a port that shall stay is looked for: below those that Linux gives to outgoing connections
/// (32,768 and up), one of which could hold it just when the node starts again.
const STEADY: Range<u16> = 20_000..32_768;
/// Ports tried there before any free one will do.
const TRIES_MAX: usize = 64;

/// A service with an address of its own.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Service {
    /// HTTP.
    Http,
    /// The embedded broker.
    Mqtt,
    /// Connections of peers.
    P2p,
}

impl Service {
    /// Its key in the file.
    const fn as_str(self) -> &'static str {
        match self {
            Service::Http => "http",
            Service::Mqtt => "mqtt",
            Service::P2p => "p2p",
        }
    }

    fn cannot_listen(self, asked: SocketAddr, cause: &std::io::Error) -> Failure {
        let (who, help) = match self {
            Service::Http => {
                ("this node", "choose another address with --http, or port 0 for a free one")
            }
            Service::Mqtt => ("the embedded broker", "choose another `mqtt.listen`, or port 0"),
            Service::P2p => {
                ("the peers' side of this node", "choose another address with --p2p, or port 0")
            }
        };
        Failure::busy(format!("{who} cannot listen on {asked}")).because(cause).help(help)
    }

    /// Whoever knew the old address has to hear of the new one.
    fn warn_moved(self, old: SocketAddr, new: SocketAddr, cause: &str) {
        match self {
            Service::Http | Service::P2p => warn!(
                %old, %new, %cause,
                "this node moved to another port, and attests its new address to its network; \
                 where the old one is configured by hand, change it"
            ),
            Service::Mqtt => warn!(
                %old, %new, %cause,
                "THE BROKER MOVED to another port: agents that are enrolled keep their readings \
                 until they find it; set `mqtt.url = \"mqtt://{new}\"` in their \
                 config.toml, or enrol them again; or free {old} and start this node again"
            ),
        }
    }
}

/// A service that listens and has not answered yet.
#[derive(Debug)]
pub(super) struct Held {
    service: Service,
    listener: TcpListener,
    address: SocketAddr,
    /// Whether the configuration left the port open.
    is_free: bool,
    /// Where the service listened before, and why it does no longer.
    moved: Option<(SocketAddr, String)>,
}

impl Held {
    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether somebody else has the port that was kept.
    pub(super) fn is_displaced(&self) -> bool {
        self.is_free && self.moved.is_some()
    }

    /// Listens without keeping anything, where nothing can be written.
    pub(super) fn take(self) -> TcpListener {
        self.listener
    }

    /// Keeps the address for the next start, now that nothing refuses this one.
    pub(super) fn keep(self, dir: &Path) -> Result<TcpListener, Failure> {
        let name = self.service.as_str();
        if let Some((old, cause)) = &self.moved {
            self.service.warn_moved(*old, self.address, cause);
        }
        let path = Dir::new(dir).ports();
        let mut kept = read(&path);
        if self.is_free && kept.get(name) != Some(&self.address) {
            kept.insert(name.to_owned(), self.address);
            let text = serde_json::to_vec(&kept).expect("a map of addresses is JSON");
            write_durably(&path, &text).map_err(|cause| {
                Failure::fault(format!("cannot keep the address of {name}"))
                    .because(&cause)
                    .help(format!("{} must be writable", path.display()))
            })?;
        }
        Ok(self.listener)
    }
}

/// Listens on `asked`; for port 0, on the port where this service listened before, else on a free
/// one. Nothing is written until [`Held::keep`].
pub(super) async fn listen(
    dir: &Path,
    service: Service,
    asked: SocketAddr,
) -> Result<Held, Failure> {
    let failed = |address| move |cause| service.cannot_listen(address, &cause);
    let kept = read(&Dir::new(dir).ports());
    let old = kept.get(service.as_str()).copied().filter(|old| old.port() != 0);
    let is_free = asked.port() == 0;
    let mut taken = None;
    let mut listener = None;
    if let (true, Some(old)) = (is_free, old) {
        match TcpListener::bind(SocketAddr::new(asked.ip(), old.port())).await {
            Ok(found) => listener = Some(found),
            Err(cause) => taken = Some(cause.to_string()),
        }
    }
    if listener.is_none() && is_free {
        listener = free(asked).await;
    }
    let listener = match listener {
        Some(listener) => listener,
        None => TcpListener::bind(asked).await.map_err(failed(asked))?,
    };
    let address = listener.local_addr().map_err(failed(asked))?;
    let cause = taken.unwrap_or_else(|| format!("{asked} was asked for"));
    let moved = old.filter(|old| old.port() != address.port()).map(|old| (old, cause));
    Ok(Held { service, listener, address, is_free, moved })
}

/// Listens on a free port that can be had again.
async fn free(asked: SocketAddr) -> Option<TcpListener> {
    for _ in 0..TRIES_MAX {
        let within = u16::from_be_bytes(random()) % (STEADY.end - STEADY.start);
        let address = SocketAddr::new(asked.ip(), STEADY.start + within);
        if let Ok(listener) = TcpListener::bind(address).await {
            return Some(listener);
        }
    }
    None
}

/// What was kept; nothing where the file is gone or no longer readable, which only costs the port.
fn read(path: &Path) -> BTreeMap<String, SocketAddr> {
    serde_json::from_slice(&std::fs::read(path).unwrap_or_default()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FREE: SocketAddr =
        SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

    async fn address(dir: &Path, service: Service, asked: SocketAddr) -> SocketAddr {
        let held = listen(dir, service, asked).await.unwrap();
        held.keep(dir).unwrap().local_addr().unwrap()
    }

    fn dir() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("run")).unwrap();
        dir
    }

    #[tokio::test]
    async fn port_0_is_a_free_port_once_and_the_same_one_after_it() {
        let dir = dir();
        let http = address(dir.path(), Service::Http, FREE).await;
        let mqtt = address(dir.path(), Service::Mqtt, FREE).await;
        assert_ne!(http, mqtt);
        assert!(STEADY.contains(&http.port()) && STEADY.contains(&mqtt.port()));
        for _ in 0..3 {
            assert_eq!(address(dir.path(), Service::Http, FREE).await, http);
            assert_eq!(address(dir.path(), Service::Mqtt, FREE).await, mqtt);
        }
    }

    #[tokio::test]
    async fn a_taken_port_is_left_for_a_free_one_that_is_then_kept() {
        let dir = dir();
        let old = address(dir.path(), Service::Mqtt, FREE).await;
        let thief = TcpListener::bind(old).await.unwrap();
        let new = address(dir.path(), Service::Mqtt, FREE).await;
        assert_ne!(old, new);
        drop(thief);
        assert_eq!(address(dir.path(), Service::Mqtt, FREE).await, new);
    }

    #[tokio::test]
    async fn a_stated_port_is_that_port_or_a_failure() {
        let dir = dir();
        let thief = TcpListener::bind(FREE).await.unwrap();
        let stated = thief.local_addr().unwrap();
        let refused = listen(dir.path(), Service::Http, stated).await.unwrap_err();
        assert_eq!(refused.exit(), hallmark_schemas::exit::Exit::Busy);
        assert!(refused.lines().contains("help: "), "{}", refused.lines());
        drop(thief);
        assert_eq!(address(dir.path(), Service::Http, stated).await, stated);
        assert!(!Dir::new(dir.path()).ports().exists());
    }

    #[tokio::test]
    async fn a_start_that_is_refused_after_it_listened_loses_no_port() {
        let dir = dir();
        let old = address(dir.path(), Service::Http, FREE).await;
        let before = std::fs::read(Dir::new(dir.path()).ports()).unwrap();
        let thief = TcpListener::bind(old).await.unwrap();
        let everywhere = SocketAddr::new(std::net::Ipv4Addr::UNSPECIFIED.into(), 0);
        for asked in [FREE, everywhere] {
            let held = listen(dir.path(), Service::Http, asked).await.unwrap();
            assert_ne!(held.address().port(), old.port());
            assert_eq!(held.moved.as_ref().map(|(old, _)| *old), Some(old));
            drop(held);
            assert_eq!(std::fs::read(Dir::new(dir.path()).ports()).unwrap(), before);
        }
        drop(thief);
        assert_eq!(address(dir.path(), Service::Http, FREE).await, old);
        // Elsewhere on this machine it is the same port, and a stated one that differs is told.
        let held = listen(dir.path(), Service::Http, everywhere).await.unwrap();
        assert_eq!(held.address().port(), old.port());
        drop(held);
        let other = TcpListener::bind(FREE).await.unwrap().local_addr().unwrap();
        assert!(listen(dir.path(), Service::Http, other).await.unwrap().moved.is_some());
    }

    #[tokio::test]
    async fn a_damaged_file_costs_the_port_and_nothing_else() {
        let dir = dir();
        for damaged in ["", "{\"http\":7}", "nonsense"] {
            std::fs::write(Dir::new(dir.path()).ports(), damaged).unwrap();
            let http = address(dir.path(), Service::Http, FREE).await;
            assert_eq!(address(dir.path(), Service::Http, FREE).await, http);
        }
    }
}
