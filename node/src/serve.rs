//! The accept loop: connections in, requests to the router, limits on both.
//!
//! Invariants: no connection without a limit on its header, its idle time and its neighbours from
//! the same address; plain HTTP only on loopback or behind stated proxies; on shutdown requests in
//! work are answered before their connection closes.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;
use tracing::{debug, warn};

use crate::api::limit;
use crate::api::problem::ApiError;
use crate::config::Http;
use crate::failure::Failure;
use line::{Line, Turn};

mod line;

/// Longest drain after SIGTERM.
pub const DRAIN_WAIT_MAX: Duration = Duration::from_secs(10);
/// Longest TLS handshake.
const HANDSHAKE_WAIT_MAX: Duration = Duration::from_secs(10);

/// Most bytes of one request's head that a connection buffers. A head over the limit of the routes
/// is answered with problem details by these up to here, beyond by the accept loop, which closes.
const HEAD_BUFFER_MAX: usize = 128 << 10;
const _: () = assert!(limit::HEADER_BYTES_MAX + limit::URI_BYTES_MAX < HEAD_BUFFER_MAX);
/// Most header fields that are parsed, for the same reason.
const HEAD_FIELDS_MAX: usize = 4 * limit::HEADER_FIELDS_MAX;

/// Most connections over `connections_per_ip_max` that are told so at one time; others just end.
const FAREWELLS_MAX: usize = 32;
/// When a client that has too many connections may try again.
const TURNED_AWAY_AFTER_S: u64 = 1;

/// Whom a request came from, put into its extensions.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Origin {
    /// Over DIR/run/node.sock, which only the owner can open.
    Socket,
    /// Over TCP from this address.
    Address(IpAddr),
}

/// Where the service listens.
pub enum Door {
    /// TCP, with TLS or without.
    Tcp(TcpListener, Option<TlsAcceptor>),
    /// The owner's socket.
    Socket(UnixListener),
}

/// Whether plain HTTP, TLS or nothing is allowed on this address.
pub fn tls(http: &Http, dir: &Path, listen: SocketAddr) -> Result<Option<TlsAcceptor>, Failure> {
    match (&http.tls_certificate, &http.tls_key) {
        (Some(certificate), Some(key)) => {
            acceptor(&dir.join(certificate), &dir.join(key)).map(Some)
        }
        (None, None) if listen.ip().is_loopback() || !http.trusted_proxies.is_empty() => Ok(None),
        (None, None) => Err(Failure::usage(format!("plain HTTP is not served on {listen}")).help(
            "set http.tls_certificate and http.tls_key, or http.trusted_proxies if a proxy in \
             front speaks TLS, or listen on 127.0.0.1",
        )),
        _ => Err(Failure::usage("http.tls_certificate and http.tls_key go together")
            .help("set both in config.toml, or none")),
    }
}

fn acceptor(certificate: &Path, key: &Path) -> Result<TlsAcceptor, Failure> {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};

    let wrong = |path: &Path, e: &(dyn std::error::Error + 'static)| {
        Failure::usage(format!("cannot use {} for TLS", path.display()))
            .because(e)
            .help("both files are PEM: the chain from the leaf up, and its private key")
    };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|e| wrong(certificate, &e))?;
    let key_der = PrivateKeyDer::from_pem_file(key).map_err(|e| wrong(key, &e))?;
    crate::client::install_tls_provider();
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, key_der)
        .map_err(|e| wrong(certificate, &e))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Accepts until `stop` turns true, then drains.
pub async fn serve(door: Door, http: Arc<Http>, router: Router, mut stop: watch::Receiver<bool>) {
    let doorman = Arc::new(Doorman::new(http, router, stop.clone()));
    let mut tasks = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            () = crate::peers::stopped(&mut stop) => break,
            _ = accept(&door, &doorman, &mut tasks) => {}
        }
        while tasks.try_join_next().is_some() {}
    }
    drop(door);
    let drained = async { while tasks.join_next().await.is_some() {} };
    if tokio::time::timeout(DRAIN_WAIT_MAX, drained).await.is_err() {
        warn!("connections still open after the drain are closed");
    }
}

async fn accept(door: &Door, doorman: &Arc<Doorman>, tasks: &mut tokio::task::JoinSet<()>) {
    let doorman = Arc::clone(doorman);
    let refused = match door {
        Door::Tcp(listener, tls) => match listener.accept().await {
            Ok((stream, address)) => {
                let Some(guest) = doorman.guests.enter(address.ip(), &doorman.http) else {
                    debug!(%address, "too many connections from one address");
                    // A handshake would cost more than what is refused: with TLS it just ends.
                    if tls.is_none()
                        && let Ok(turn) = Arc::clone(&doorman.farewells).try_acquire_owned()
                    {
                        tasks.spawn(async move {
                            turn_away(stream).await;
                            drop(turn);
                        });
                    }
                    return;
                };
                let _ = stream.set_nodelay(true);
                let (tls, origin) = (tls.clone(), Origin::Address(address.ip()));
                tasks.spawn(async move {
                    let _guest = guest;
                    match tls {
                        None => doorman.attend(stream, origin).await,
                        Some(tls) => {
                            let shake =
                                tokio::time::timeout(HANDSHAKE_WAIT_MAX, tls.accept(stream));
                            if let Ok(Ok(stream)) = shake.await {
                                doorman.attend(stream, origin).await;
                            }
                        }
                    }
                });
                None
            }
            Err(error) => Some(error),
        },
        Door::Socket(listener) => match listener.accept().await {
            Ok((stream, _)) => {
                tasks.spawn(async move { doorman.attend(stream, Origin::Socket).await });
                None
            }
            Err(error) => Some(error),
        },
    };
    if let Some(error) = refused {
        // Out of file descriptors, most likely: wait for some to close.
        warn!(%error, "cannot accept a connection");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// What every connection shares.
struct Doorman {
    http: Arc<Http>,
    router: Router,
    stop: watch::Receiver<bool>,
    guests: Guests,
    /// One permit for each connection that is told why it is not served.
    farewells: Arc<Semaphore>,
}

/// Tells a connection too many that it is one.
async fn turn_away<S: AsyncRead + AsyncWrite + Unpin>(stream: S) {
    let line = Line::new(stream, Arc::new(Turn::default()));
    line.refuse(&ApiError::TooMany { after_s: TURNED_AWAY_AFTER_S }).await;
}

impl Doorman {
    fn new(http: Arc<Http>, router: Router, stop: watch::Receiver<bool>) -> Doorman {
        let farewells = Arc::new(Semaphore::new(FAREWELLS_MAX));
        Doorman { http, router, stop, guests: Guests::default(), farewells }
    }

    async fn attend<S>(&self, stream: S, origin: Origin)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let turn = Arc::new(Turn::default());
        let (router, told) = (self.router.clone(), Arc::clone(&turn));
        let proxies = self.http.trusted_proxies.clone();
        let wait = self.http.request_wait_max;
        let service = hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
            let (router, turn) = (router.clone(), Arc::clone(&told));
            let is_named = names_its_host(&request);
            let mut request = request.map(Body::new);
            let origin = behind_proxy(origin, &request, &proxies);
            request.extensions_mut().insert(origin);
            async move {
                turn.begin();
                if !is_named {
                    let refused = crate::api::refused(&ApiError::malformed(HOSTLESS));
                    return Ok(refused.map(|body| turn.end(body)));
                }
                let answer = tokio::time::timeout(wait, router.oneshot(request)).await;
                let answer = answer.unwrap_or_else(|_| Ok(crate::api::too_slow()));
                answer.map(|answer| answer.map(|body| turn.end(body))) as Result<_, Infallible>
            }
        });
        let mut connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            // Who has sent all it wants may close its side and still be answered.
            .half_close(true)
            .header_read_timeout(self.http.header_wait_max.max(self.http.idle_wait_max))
            .max_headers(HEAD_FIELDS_MAX)
            .max_buf_size(HEAD_BUFFER_MAX)
            .serve_connection(TokioIo::new(Line::new(stream, Arc::clone(&turn))), service);
        let mut stop = self.stop.clone();
        let mut closing = false;
        let mut seen = u64::MAX;
        // The first header has its own, shorter limit.
        let mut patience = self.http.header_wait_max;
        let error = loop {
            tokio::select! {
                ended = &mut connection => match ended {
                    Ok(()) => return,
                    Err(error) => break Some(error),
                },
                () = crate::peers::stopped(&mut stop), if !closing => {
                    closing = true;
                    std::pin::Pin::new(&mut connection).graceful_shutdown();
                }
                () = tokio::time::sleep(patience) => {
                    let now = turn.beat();
                    let is_idle = now.is_multiple_of(2) && (now == seen || now == 0);
                    if is_idle {
                        break None;
                    }
                    seen = now;
                    patience = self.http.idle_wait_max;
                }
            }
        };
        let parts = connection.into_parts();
        let (line, unread) = (parts.io.into_inner(), parts.read_buf);
        if let Some(refusal) = line.refusal(error.as_ref(), &unread) {
            debug!(?refusal, "a request could not be read");
            line.refuse(&refusal).await;
        }
    }
}

/// What is said of a request of HTTP/1.1 that does not say whom it asks.
const HOSTLESS: &str = "a request of HTTP/1.1 has one `Host`, with a name or address";

/// Whether `Host` stands in it once and is one (RFC 9112, section 3.2); older versions need none.
fn names_its_host<B>(request: &hyper::Request<B>) -> bool {
    if request.version() != hyper::Version::HTTP_11 {
        return true;
    }
    let mut hosts = request.headers().get_all(hyper::header::HOST).iter();
    let (host, more) = (hosts.next().map(hyper::header::HeaderValue::as_bytes), hosts.next());
    let is_host = |host: &[u8]| {
        let is_name = hyper::http::uri::Authority::try_from(host).is_ok() && !host.contains(&b'@');
        host.is_empty() || is_name
    };
    more.is_none() && host.is_some_and(is_host)
}

/// Behind a stated proxy the client is the last address that the proxy names.
fn behind_proxy<B>(origin: Origin, request: &hyper::Request<B>, proxies: &[IpAddr]) -> Origin {
    let Origin::Address(address) = origin else {
        return origin;
    };
    if !proxies.contains(&address) {
        return origin;
    }
    let named = request.headers().get("x-forwarded-for").and_then(|value| value.to_str().ok());
    let last = named.and_then(|list| list.rsplit(',').next()?.trim().parse().ok());
    last.map_or(origin, Origin::Address)
}

/// Open connections by address. Each connection adds one and takes it off when it ends.
#[derive(Clone, Default)]
struct Guests(Arc<Mutex<HashMap<IpAddr, usize>>>);

impl Guests {
    fn enter(&self, address: IpAddr, http: &Http) -> Option<Guest> {
        let mut guests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = guests.entry(address).or_default();
        let is_proxy = http.trusted_proxies.contains(&address);
        if http.connections_per_ip_max <= *count && !is_proxy {
            return None;
        }
        *count += 1;
        Some(Guest { guests: self.clone(), address })
    }
}

struct Guest {
    guests: Guests,
    address: IpAddr,
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut guests = self.guests.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = guests.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                guests.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_refused_off_loopback_without_proxies() {
        let dir = Path::new(".");
        let mut http = Http::default();
        let outside = SocketAddr::from(([192, 0, 2, 1], 80));
        assert!(tls(&http, dir, outside).is_err());
        assert!(tls(&http, dir, SocketAddr::from(([127, 0, 0, 1], 80))).is_ok());
        http.trusted_proxies = vec![IpAddr::from([192, 0, 2, 9])];
        assert!(tls(&http, dir, outside).is_ok());
        http.tls_key = Some("key.pem".into());
        assert!(tls(&http, dir, outside).is_err());
    }

    const PLANTED: &str = "HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n";

    /// What comes back on a connection over which these bytes are sent; whole, unless the client
    /// is still to be heard.
    async fn answer(sent: &[u8], is_whole: bool) -> String {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};

        let router = Router::new()
            .route("/", axum::routing::get(|| async { "fine" }))
            .route("/planted", axum::routing::get(|| async { PLANTED }));
        let wait = Duration::from_millis(if is_whole { 60_000 } else { 20 });
        let http = Http { header_wait_max: wait, idle_wait_max: wait, ..Http::default() };
        let (_sender, stop) = watch::channel(false);
        let doorman = Doorman::new(Arc::new(http), router, stop);
        let (mut client, stream) = tokio::io::duplex(1 << 20);
        let attended = tokio::spawn(async move { doorman.attend(stream, Origin::Socket).await });
        client.write_all(sent).await.unwrap();
        if is_whole {
            client.shutdown().await.unwrap();
        }
        let mut read = Vec::new();
        client.read_to_end(&mut read).await.unwrap();
        drop(client);
        attended.await.unwrap();
        String::from_utf8(read).unwrap()
    }

    fn assert_is_problem(answer: &str, status: u16, name: &str) {
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{name}"));
        let head = head.to_ascii_lowercase();
        assert!(head.starts_with(&format!("http/1.1 {status} ")), "{name}: {answer}");
        for line in [
            "content-type: application/problem+json",
            "x-content-type-options: nosniff",
            "cache-control: no-store",
            "connection: close",
            &format!("content-length: {}", body.len()),
        ] {
            assert!(head.contains(&format!("\r\n{line}")), "{name}: no {line}: {head}");
        }
        let problem: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(problem["status"], status, "{name}");
        assert!(problem["type"].as_str().unwrap().starts_with("urn:hallmark:problem:"));
        assert!(!problem["detail"].as_str().unwrap().is_empty(), "{name}");
    }

    #[tokio::test]
    async fn what_the_http_library_cannot_read_is_told_as_problem_details() {
        let fields = "x: y\r\n".repeat(HEAD_FIELDS_MAX + 1);
        let large = "y".repeat(2 * HEAD_BUFFER_MAX);
        let path = "x".repeat(70_000);
        for (sent, status) in [
            ("GET /< HTTP/1.1\r\n\r\n".to_owned(), 400),
            ("GET / HTTP/1.1\r\nno colon\r\n\r\n".to_owned(), 400),
            ("GET / HTTP/x\r\n\r\n".to_owned(), 400),
            ("G@T{} / HTTP/1.1\r\n\r\n".to_owned(), 400),
            ("\u{1}\u{16}\u{3}nonsense\r\n\r\n".to_owned(), 400),
            ("POST / HTTP/1.1\r\ncontent-length: many\r\n\r\n".to_owned(), 400),
            ("GET / HTTP/1.1\r\nhost: x\r\n".to_owned(), 400),
            ("GET / HTTP/3.0\r\n\r\n".to_owned(), 505),
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), 505),
            (format!("GET / HTTP/1.1\r\n{fields}\r\n"), 431),
            (format!("GET / HTTP/1.1\r\nx: {large}\r\n\r\n"), 431),
            (format!("GET /{path} HTTP/1.1\r\n\r\n"), 414),
            (format!("GET /{large}{large} HTTP/1.1\r\n\r\n"), 414),
        ] {
            let name = format!("{:.40} … {} bytes", sent, sent.len());
            assert_is_problem(&answer(sent.as_bytes(), true).await, status, &name);
        }
        let head = answer(b"HEAD /< HTTP/1.1\r\n\r\n", true).await;
        assert!(head.starts_with("HTTP/1.1 400 ") && head.ends_with("\r\n\r\n"), "{head}");
    }

    #[tokio::test]
    async fn a_request_of_http_1_1_says_once_whom_it_asks() {
        for (sent, is_served) in [
            ("GET / HTTP/1.1\r\nhost: example.com\r\n\r\n", true),
            ("GET / HTTP/1.1\r\nhost: [::1]:8080\r\n\r\n", true),
            ("GET / HTTP/1.1\r\nhost:\r\n\r\n", true),
            ("GET / HTTP/1.0\r\n\r\n", true),
            ("GET / HTTP/1.1\r\n\r\n", false),
            ("GET http://example.com/ HTTP/1.1\r\n\r\n", false),
            ("GET / HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n", false),
            ("GET / HTTP/1.1\r\nhost: a b\r\n\r\n", false),
            ("GET / HTTP/1.1\r\nhost: user@a\r\n\r\n", false),
        ] {
            let answered = answer(sent.as_bytes(), true).await;
            let (status, end) = if is_served { ("200 OK", "fine") } else { ("400 Bad", "}") };
            let is_so = answered.contains(status) && answered.ends_with(end);
            assert!(is_so && answered.contains("Host") != is_served, "{sent:?}: {answered}");
        }
    }

    #[tokio::test]
    async fn a_connection_too_many_is_told_when_to_come_again() {
        use tokio::io::AsyncReadExt;

        let (mut client, stream) = tokio::io::duplex(1 << 16);
        let turned_away = tokio::spawn(turn_away(stream));
        let mut read = Vec::new();
        client.read_to_end(&mut read).await.unwrap();
        drop(client);
        turned_away.await.unwrap();
        let answer = String::from_utf8(read).unwrap();
        assert_is_problem(&answer, 429, "too many");
        assert!(answer.contains("\r\nretry-after: 1\r\n"), "{answer}");
    }

    #[tokio::test]
    async fn a_client_that_has_closed_its_side_is_answered() {
        let served = answer(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", true).await;
        assert!(served.starts_with("HTTP/1.1 200 OK\r\n") && served.ends_with("fine"), "{served}");
    }

    #[tokio::test]
    async fn a_request_that_comes_too_slowly_is_told_so_and_an_idle_connection_just_ends() {
        assert_is_problem(&answer(b"GET / HTTP/1.1\r\nhost:", false).await, 408, "slow");
        assert_eq!(answer(b"", false).await, "");
        assert_eq!(answer(b"", true).await, "");
        let served = answer(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", false).await;
        assert!(served.ends_with("\r\n\r\nfine"), "nothing follows: {served}");
    }

    #[tokio::test]
    async fn what_the_routes_answered_before_stays_whatever_it_looks_like() {
        let sent = b"GET /planted HTTP/1.1\r\nhost: x\r\n\r\nGET /< HTTP/1.1\r\n\r\n";
        let both = answer(sent, true).await;
        let (first, second) = both.split_once(PLANTED).expect("the planted body, whole");
        assert!(first.starts_with("HTTP/1.1 200 OK\r\n"), "{first}");
        assert_is_problem(second, 400, "the second");
    }

    #[test]
    fn one_address_has_only_so_many_connections() {
        let http = Http { connections_per_ip_max: 2, ..Http::default() };
        let guests = Guests::default();
        let address = IpAddr::from([192, 0, 2, 1]);
        let first = guests.enter(address, &http).expect("first");
        let _second = guests.enter(address, &http).expect("second");
        assert!(guests.enter(address, &http).is_none());
        drop(first);
        assert!(guests.enter(address, &http).is_some());
    }

    #[test]
    fn only_a_stated_proxy_names_the_client() {
        let request = hyper::Request::builder()
            .header("x-forwarded-for", "203.0.113.9, 198.51.100.7")
            .body(())
            .expect("a request");
        let proxy = IpAddr::from([192, 0, 2, 1]);
        let client = IpAddr::from([198, 51, 100, 7]);
        let origin = Origin::Address(proxy);
        assert_eq!(behind_proxy(origin, &request, &[]), origin);
        assert_eq!(behind_proxy(origin, &request, &[proxy]), Origin::Address(client));
    }
}
