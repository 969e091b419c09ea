//! Connections whose bytes are counted, below the multiplexer.
//!
//! Invariants: what comes is counted before anything reads it; nothing is changed on its way.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::{AsyncRead, AsyncWrite};
use libp2p::PeerId;
use libp2p::core::ConnectedPoint;
use libp2p::core::upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade, UpgradeInfo};
use libp2p::multiaddr::Protocol;
use libp2p::yamux;

use super::traffic::{OfPeer, Traffic};

/// The multiplexer over a connection with one peer.
#[derive(Clone)]
pub(super) struct Metered {
    muxer: yamux::Config,
    counters: Counters,
}

#[derive(Clone)]
struct Counters {
    peer: Arc<OfPeer>,
    /// Through whom it comes: what a relay carries is counted on its own connection too.
    relay: Option<Arc<OfPeer>>,
}

impl Metered {
    pub(super) fn new(
        muxer: yamux::Config,
        traffic: &Traffic,
        peer: &PeerId,
        endpoint: &ConnectedPoint,
    ) -> Metered {
        let relay = relay_of(endpoint).map(|relay| traffic.of(relay));
        Metered { muxer, counters: Counters { peer: traffic.of(*peer), relay } }
    }

    fn counted<C>(self, io: C) -> (yamux::Config, Counted<C>) {
        (self.muxer, Counted { io, counters: self.counters })
    }
}

/// Through whom this connection comes: `/…/p2p/<relay>/p2p-circuit`.
fn relay_of(endpoint: &ConnectedPoint) -> Option<PeerId> {
    let address = match endpoint {
        ConnectedPoint::Dialer { address, .. } => address,
        ConnectedPoint::Listener { local_addr, .. } => local_addr,
    };
    let before = address.iter().zip(address.iter().skip(1));
    before.filter(|(_, next)| *next == Protocol::P2pCircuit).find_map(|(hop, _)| match hop {
        Protocol::P2p(relay) => Some(relay),
        _ => None,
    })
}

impl UpgradeInfo for Metered {
    type Info = <yamux::Config as UpgradeInfo>::Info;
    type InfoIter = <yamux::Config as UpgradeInfo>::InfoIter;

    fn protocol_info(&self) -> Self::InfoIter {
        self.muxer.protocol_info()
    }
}

impl<C> InboundConnectionUpgrade<C> for Metered
where
    C: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    type Output = yamux::Muxer<Counted<C>>;
    type Error = io::Error;
    type Future = <yamux::Config as InboundConnectionUpgrade<Counted<C>>>::Future;

    fn upgrade_inbound(self, io: C, info: Self::Info) -> Self::Future {
        let (muxer, io) = self.counted(io);
        muxer.upgrade_inbound(io, info)
    }
}

impl<C> OutboundConnectionUpgrade<C> for Metered
where
    C: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    type Output = yamux::Muxer<Counted<C>>;
    type Error = io::Error;
    type Future = <yamux::Config as OutboundConnectionUpgrade<Counted<C>>>::Future;

    fn upgrade_outbound(self, io: C, info: Self::Info) -> Self::Future {
        let (muxer, io) = self.counted(io);
        muxer.upgrade_outbound(io, info)
    }
}

/// A connection whose incoming bytes are counted.
pub(super) struct Counted<C> {
    io: C,
    counters: Counters,
}

impl<C: AsyncRead + Unpin> AsyncRead for Counted<C> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let read = Pin::new(&mut self.io).poll_read(cx, buf);
        if let Poll::Ready(Ok(bytes)) = read {
            self.counters.peer.came(bytes);
            if let Some(relay) = &self.counters.relay {
                // With what encryption and frames add on the relay's own connection.
                relay.brought(bytes + bytes / 8 + 64);
            }
        }
        read
    }
}

impl<C: AsyncWrite + Unpin> AsyncWrite for Counted<C> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_close(cx)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{AsyncReadExt, AsyncWriteExt};
    use libp2p::core::Endpoint;
    use libp2p::core::transport::PortUse;

    use super::*;

    fn dialled(address: String) -> ConnectedPoint {
        let (role_override, port_use) = (Endpoint::Dialer, PortUse::Reuse);
        ConnectedPoint::Dialer { address: address.parse().unwrap(), role_override, port_use }
    }

    #[tokio::test]
    async fn what_a_relay_carries_counts_for_whoever_sends_it_and_is_of_use_from_the_relay() {
        let (traffic, peer, relay) = (Traffic::default(), PeerId::random(), PeerId::random());
        let direct = dialled(format!("/ip4/127.0.0.1/tcp/1/p2p/{peer}"));
        assert_eq!(relay_of(&direct), None);
        let relayed = format!("/ip4/127.0.0.1/tcp/1/p2p/{relay}/p2p-circuit/p2p/{peer}");
        let metered = Metered::new(yamux::Config::default(), &traffic, &peer, &dialled(relayed));
        let mut sent = futures_util::io::Cursor::new(Vec::new());
        sent.write_all(&[7; 1000]).await.unwrap();
        sent.set_position(0);
        let (_, mut counted) = metered.counted(sent);
        let mut read = Vec::new();
        counted.read_to_end(&mut read).await.unwrap();
        assert_eq!(read, [7; 1000]);
        for (id, bytes) in traffic.take(|_| true) {
            assert_eq!(bytes.came, if id == peer { 1000 } else { 0 });
            assert_eq!(1000 < bytes.brought, id == relay);
        }
    }
}
