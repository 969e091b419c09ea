//! `run`: the node serves until SIGTERM or Ctrl-C, then drains.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, RwLock};
use std::time::Duration;

use hallmark_schemas::exit::Exit;
use hallmark_schemas::key::SecretKey;
use hallmark_schemas::layout::Dir;
use hallmark_schemas::network::NetworkFile;
use hallmark_schemas::note::{NoteSigner, VerifierKeyError};
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, watch};
use tracing::{info, warn};

use super::init::{read_network, witness_name};
use crate::api;
use crate::cli::{Output, RunArgs};
use crate::client::Client;
use crate::config::Config;
use crate::core::log::TWIN_HELP;
use crate::core::{Node, OpenError, OpenOptions, WriterThread};
use crate::failure::Failure;
use crate::files::{now, write_durably};
use crate::judge::{self, Judged};
use crate::keys::{self, Purpose};
use crate::labels::Ledger;
use crate::passport::cache::Passports;
use crate::peers::address::AddressBook;
use crate::peers::catch_up::CatchUp;
use crate::peers::heard::HeardNotes;
use crate::serve::{Door, serve, tls};
use crate::service::{Health, Service};
use crate::store::disk::{OsDisk, is_caused_by};
use crate::store::head::{HeadError, HeadSlots};
use crate::store::lock::LockError;
use crate::witness::twin::{self, Beside, Process, Published};
use crate::witness::words::Words;
use crate::witness::{Witness, recall};
use crate::{mqtt, net, peers, socket, witness};

mod announce;
pub(crate) mod drain;
mod ports;

/// Longest wait for what still reads or writes at the end.
const DRAIN_WAIT_MAX: Duration = Duration::from_secs(5);
/// The same once a write has failed: the process is to end within a second.
const FAILED_WAIT_MAX: Duration = Duration::from_millis(300);

/// What a start needs that outlives no shutdown.
pub(crate) struct Started {
    pub(crate) service: Arc<Service>,
    pub(crate) writer: WriterThread,
}

/// Opens, serves, drains.
pub(super) fn run(args: &RunArgs, output: Output) -> Result<Exit, Failure> {
    let mut config = Config::load(&args.dir)?;
    if let Some(http) = args.http {
        config.http.listen = http;
    }
    if let Some(p2p) = args.p2p {
        config.p2p.listen = p2p;
    }
    if let Some(mqtt) = &args.mqtt {
        config.mqtt.broker.clone_from(mqtt);
    }
    config.check_flags(&args.dir)?;
    let started = open(&args.dir, config, args.passphrase_file.as_deref())?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::fault("cannot start the runtime").because(&e))?;
    let Started { service, writer } = started;
    let ended = runtime.block_on(attend(Arc::clone(&service), output));
    let _ = std::fs::remove_file(Dir::new(&args.dir).addresses());
    let _ = std::fs::remove_file(Dir::new(&args.dir).socket());
    runtime.shutdown_timeout(if ended.is_ok() { DRAIN_WAIT_MAX } else { FAILED_WAIT_MAX });
    drop(service);
    writer.stop();
    let exit = ended?;
    output.say("stopped: everything acknowledged is durable");
    Ok(exit)
}

/// How the store of this folder is opened.
pub(crate) fn open_options(dir: &Path, config: &Config) -> Result<OpenOptions, Failure> {
    let keys = Dir::new(dir).keys();
    Ok(OpenOptions {
        dir: Dir::new(dir),
        data: config.data_dir(dir),
        engine: config.index.engine,
        origin: config.origin.clone(),
        log_signer: Arc::new(keys::open(&keys, Purpose::Log, None)?),
        network: read_network(&Dir::new(dir).network())?,
        regions: config.regions.clone(),
        batch_wait_max: config.log.batch_wait_max,
        clock: Arc::new(now),
    })
}

/// A store that cannot be opened, as exit code and remedy.
pub(crate) fn cannot_open(error: OpenError) -> Failure {
    if let OpenError::Lock(held @ LockError::Held { .. }) = &error {
        return Failure::busy(held.to_string())
            .help("one process works in a folder; stop the other first");
    }
    let unwritable = [ErrorKind::PermissionDenied, ErrorKind::ReadOnlyFilesystem];
    if is_caused_by(&error, &unwritable) {
        return Failure::busy("nothing can be written here, so no node can run")
            .because(&error)
            .help(
                "mount the disk writable, or give this user the right to write, and start again; \
                 `hallmark-node check` and `backup` read what is there, and any web server can \
                 serve DATA/log as it is",
            );
    }
    Failure::fault("cannot open the log")
        .because(&error)
        .help("nothing was changed; `hallmark-node check` tells what is damaged")
}

pub(crate) fn open(
    dir: &Path,
    config: Config,
    passphrase_file: Option<&Path>,
) -> Result<Started, Failure> {
    let keys = Dir::new(dir).keys();
    keys::check_modes(&keys)?;
    let options = open_options(dir, &config)?;
    let organisation = organisation_key(&keys, &config, &options.network, passphrase_file)?;
    let open = |purpose| keys::open(&keys, purpose, None).map(Arc::new);
    let (log_key, witness_key) = (open(Purpose::Log)?, open(Purpose::Witness)?);
    let (capture, peer) = (open(Purpose::Capture)?, open(Purpose::Peer)?);
    let log_vkey =
        NoteSigner::log(&config.origin, log_key.clone()).map_err(no_name)?.vkey().clone();
    let network = RwLock::new(Arc::new(options.network.clone()));
    let (node, writer) = Node::open(options).map_err(cannot_open)?;
    let witness = own_witness(dir, &config, witness_key)?;
    remember(dir, &config, &node, &witness)?;
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    // In tests several nodes share a process: the first recorder counts for all.
    let _ = metrics::set_global_recorder(recorder);
    let data = config.data_dir(dir);
    let client = Client::new().map_err(|e| Failure::fault("cannot make HTTP calls").because(&e))?;
    let is_founded = node.log().head().size != 0;
    let service = Arc::new(Service {
        addresses: AddressBook::open(data.path().join("addresses.json"), &config.peer),
        findings: RwLock::new(Arc::new(Judged::read(&data.path().join("findings.json")))),
        dir: dir.to_owned(),
        data,
        node,
        witness,
        client,
        clock: Arc::new(now),
        organisation,
        capture,
        peer,
        log_key,
        labels: Ledger::new(&config.org, &keys),
        limiter: api::limit::Limiter::default(),
        form_limiter: api::limit::Limiter::default(),
        form_turn: tokio::sync::Mutex::default(),
        passports: Passports::default(),
        url: OnceLock::new(),
        net: OnceLock::new(),
        heard: HeardNotes::default(),
        catch_up: CatchUp::new(config.peers.catch_up_bytes_per_second_max),
        health: Health::default(),
        founded: AtomicBool::new(is_founded),
        network_changed: Notify::new(),
        evidence_changed: Notify::new(),
        network,
        witnessed: Mutex::default(),
        process: Process::begun(log_vkey.to_string()),
        log_vkey,
        published: Published::default(),
        twin_at_start: tokio::sync::OnceCell::new(),
        beside: Beside::default(),
        is_moved: AtomicBool::new(false),
        words: Words::default(),
        deferred: Mutex::default(),
        devices: Mutex::default(),
        told: Mutex::default(),
        metrics: handle,
        config,
    });
    Ok(Started { service, writer })
}

/// The witness that this node is, with the logs of other networks that it knows.
fn own_witness(dir: &Path, config: &Config, key: Arc<SecretKey>) -> Result<Witness, Failure> {
    let name = witness_name(&config.network, &config.org);
    let signer = NoteSigner::witness(&name, key).map_err(no_name)?;
    let witness = Witness::open(Arc::new(OsDisk), &Dir::new(dir).witness_memory(), signer)
        .map_err(|e| Failure::fault("cannot read what this witness has cosigned").because(&e))?;
    let strangers = config.witness.log.iter().map(|log| {
        let origin = log.origin.clone().unwrap_or_else(|| log.vkey.name().to_owned());
        (origin, log.vkey.clone())
    });
    Ok(witness.knowing(strangers))
}

/// What this witness may have forgotten is in doubt: all where nothing says what was cosigned, and
/// whatever is here where the head beside it is lost, or older than what the log has published.
fn remember(dir: &Path, config: &Config, node: &Node, witness: &Witness) -> Result<(), Failure> {
    if node.is_on_read_only_disk() {
        return Ok(()); // nothing can be cosigned
    }
    let slots = HeadSlots::new(Arc::new(OsDisk), Dir::new(dir).head_slots(), &config.origin);
    let published = node.log().published().map_or(0, |published| published.head.size);
    let is_old = match slots.load() {
        Ok(head) => head.size < published,
        Err(error) => matches!(error, HeadError::Missing { .. }),
    };
    let network = read_network(&Dir::new(dir).network())?;
    let logs = recall::known_logs(network.network(), node.mirror());
    let begun = witness.begin(&logs);
    let doubted = if is_old { begun.and_then(|()| witness.doubt(&logs)) } else { begun };
    doubted.map_err(|e| {
        Failure::fault("cannot write down what this witness may have forgotten").because(&e)
    })
}

fn no_name(error: VerifierKeyError) -> Failure {
    Failure::usage("the configured origin is no name for a log")
        .because(&error)
        .help("put back the `origin` that `init` wrote into config.toml")
}

/// The key that a registrar's node renews the network file with; no other node keeps it in memory.
///
/// A passphrase that is given is tried in any case: its file is wrong now or never.
fn organisation_key(
    keys: &Path,
    config: &Config,
    network: &NetworkFile,
    passphrase_file: Option<&Path>,
) -> Result<Option<Arc<SecretKey>>, Failure> {
    let mut registrars = network.network().registrars.iter();
    let is_registrar = registrars.any(|registrar| registrar.org == config.org);
    if !is_registrar && passphrase_file.is_none() {
        return Ok(None);
    }
    let key = keys::open_organisation(keys, passphrase_file)?;
    if key.is_none() && is_registrar {
        info!("the organisation key is kept offline: this node renews no network file");
    }
    Ok(key.filter(|_| is_registrar).map(Arc::new))
}

/// Everything between the open log and the drained node.
async fn attend(service: Arc<Service>, output: Output) -> Result<Exit, Failure> {
    let (stop, stopped) = watch::channel(false);
    // Caught from here on: whoever stops a node that only begins stops it in good order too.
    let terminated = signal(SignalKind::terminate())
        .map_err(|e| Failure::fault("SIGTERM cannot be caught").because(&e))?;
    let http = &service.config.http;
    let held = ports::listen(&service.dir, ports::Service::Http, http.listen).await?;
    let address = held.address();
    service.is_moved.store(held.is_displaced(), Ordering::Release);
    let tls = tls(http, &service.dir, address)?;
    let url = public_url(&service, address, tls.is_some());
    let _ = service.url.set(url.clone());
    let is_frozen = service.node.is_on_read_only_disk();
    let (local, broker, listener) = if is_frozen {
        (None, None, held.take())
    } else {
        let local = socket::listen(&service.dir)?;
        let broker = start_broker(&service).await?;
        (Some(local), broker, held.keep(&service.dir)?)
    };
    let router = api::router(Arc::clone(&service));
    let shared = Arc::new(http.clone());
    let door =
        |door| tokio::spawn(serve(door, Arc::clone(&shared), router.clone(), stopped.clone()));
    let (peers, multiaddrs) = connect(&service).await?;
    // The witness endpoint answers before the own log signs anything.
    let doors = std::iter::once(Door::Tcp(listener, tls)).chain(local.map(Door::Socket));
    let doors: Vec<_> = doors.map(door).collect();
    let mut tasks = Vec::new();
    let twin = if is_frozen { None } else { twin::at_start(&service).await };
    // Peers are reached only then: the first connection of a process takes the place of another's.
    if let Some(peers) = peers.filter(|_| twin.is_none()) {
        tasks.push(tokio::spawn(peers.run(Arc::clone(&service), stopped.clone())));
    }
    if is_frozen {
        warn!("nothing can be written: this node serves what is here, and takes and signs nothing");
        tasks.push(tokio::spawn(peers::serve_copies(Arc::clone(&service))));
    } else if twin.is_none() {
        let own = announce::Own { url: url.clone(), multiaddrs };
        tasks.extend(work(&service, &own, broker.clone(), &stopped));
        tokio::select! {
            () = announce::renew_first(&service, &own) => {}
            _ = writer_failed(&service) => {}
        }
        if failure_of(&service).is_none() {
            write_addresses(&service, &own, broker.as_deref())?;
        }
    }
    let fault = match (&twin, failure_of(&service)) {
        (Some(_), _) => None,
        // It never was ready.
        (None, Some(cause)) => Some(cause),
        (None, None) => {
            info!(url, broker, origin = service.config.origin, "ready");
            output.say(format!("ready: {url}"));
            until_stopped(&service, terminated).await
        }
    };
    // From here on no new request; what is in work is answered.
    let _ = stop.send(true);
    finished(doors.into_iter().chain(tasks), fault.is_some()).await;
    ended(twin, fault)
}

/// Waits for all that is in work; not for long after a failed write, when nothing of it can be
/// acknowledged any more.
async fn finished(tasks: impl Iterator<Item = tokio::task::JoinHandle<()>>, is_failed: bool) {
    let all = async {
        for task in tasks {
            if let Err(error) = task.await
                && error.is_panic()
            {
                warn!(%error, "a task ended by a bug");
            }
        }
    };
    let patience = if is_failed { FAILED_WAIT_MAX } else { Duration::MAX };
    if tokio::time::timeout(patience, all).await.is_err() {
        warn!("some of what was in work is given up");
    }
}

/// What a run comes to: another process was met at the start, the writer stopped, or all is well.
fn ended(twin: Option<String>, fault: Option<String>) -> Result<Exit, Failure> {
    match (twin, fault) {
        (Some(url), _) => {
            Err(Failure::busy(format!("this node already runs at {url}, as another process"))
                .note("two processes that sign one log would sign two histories")
                .help(TWIN_HELP))
        }
        (None, Some(cause)) => Err(Failure::fault("the log cannot be written any more")
            .note(cause)
            .help("free or repair the disk, then start again: everything acknowledged is durable")),
        (None, None) => Ok(Exit::Done),
    }
}

/// Everything that a node does beside answering.
fn work(
    service: &Arc<Service>,
    own: &announce::Own,
    broker: Option<String>,
    stopped: &watch::Receiver<bool>,
) -> Vec<tokio::task::JoinHandle<()>> {
    let (node, stop) = (|| Arc::clone(service), || stopped.clone());
    let mut tasks = vec![
        tokio::spawn(witness::quorum::run(node(), stop())),
        tokio::spawn(witness::renew::run(node(), stop())),
        tokio::spawn(recall::run(node(), stop())),
        tokio::spawn(twin::run(node(), stop())),
        tokio::spawn(peers::run(node(), stop())),
        tokio::spawn(crate::defect::run(node(), stop())),
        tokio::spawn(crate::defect::exchange::run(node(), stop())),
        tokio::spawn(judge::run(node(), stop())),
        tokio::spawn(judge::forget(node(), stop())),
        tokio::spawn(drain::run(node(), stop())),
        tokio::spawn(announce::run(node(), own.clone(), stop())),
    ];
    if let Some(broker) = broker {
        let (service, stopped) = (node(), stop());
        tasks.push(tokio::spawn(async move {
            if let Err(failure) = mqtt::run(service, broker, stopped).await {
                tracing::error!(failure = failure.lines(), "no MQTT");
            }
        }));
    }
    tasks
}

fn public_url(service: &Service, address: SocketAddr, is_tls: bool) -> String {
    let scheme = if is_tls { "https" } else { "http" };
    let own = format!("{scheme}://{address}");
    let stated = service.config.http.public_url.as_ref();
    stated.map_or(own, |url| url.trim_end_matches('/').to_owned())
}

/// The broker to connect to, started first if it is the embedded one.
async fn start_broker(service: &Service) -> Result<Option<String>, Failure> {
    match service.config.mqtt.broker.as_str() {
        "none" => Ok(None),
        #[cfg(feature = "broker")]
        "embedded" => {
            service.health.broker(false);
            let listen = service.config.mqtt.listen;
            let held = ports::listen(&service.dir, ports::Service::Mqtt, listen).await?;
            mqtt::broker::start(held.keep(&service.dir)?).await.map(Some)
        }
        #[cfg(not(feature = "broker"))]
        "embedded" => Err(Failure::usage("this build has no embedded broker")
            .help("name a broker in `mqtt.broker`, or build with feature `broker`")),
        url => {
            service.health.broker(false);
            Ok(Some(url.to_owned()))
        }
    }
}

/// The stack that speaks to peers, listening, and the addresses under which they find it.
async fn connect(service: &Service) -> Result<(Option<net::Peers>, Vec<String>), Failure> {
    let config = &service.config.p2p;
    if !config.enabled {
        return Ok((None, Vec::new()));
    }
    let held = ports::listen(&service.dir, ports::Service::P2p, config.listen).await?;
    let address = held.address();
    // libp2p binds the port itself, so it is let go for that moment.
    let is_frozen = service.node.is_on_read_only_disk();
    drop(if is_frozen { held.take() } else { held.keep(&service.dir)? });
    let mut peers =
        net::Peers::new(service).map_err(|e| Failure::fault("cannot start libp2p").because(&e))?;
    let listening = peers.listen(address).await.map_err(|cause| {
        Failure::busy(format!("cannot listen for peers on {address}"))
            .note(cause)
            .help("choose another address with --p2p, or port 0 for a free one")
    })?;
    let _ = service.net.set(peers.net());
    Ok((Some(peers), listening))
}

fn write_addresses(
    service: &Service,
    own: &announce::Own,
    mqtt: Option<&str>,
) -> Result<(), Failure> {
    let mqtt = service.config.mqtt.public_url.as_deref().or(mqtt);
    let addresses = serde_json::json!({
        "http": own.url, "p2p": own.multiaddrs, "mqtt": mqtt, "pid": std::process::id(),
    });
    write_durably(&Dir::new(&service.dir).addresses(), addresses.to_string().as_bytes())
        .map_err(|e| Failure::fault("cannot write run/addresses.json").because(&e))
}

/// SIGTERM, Ctrl-C, or the cause for which the writer stopped.
async fn until_stopped(service: &Service, mut terminated: Signal) -> Option<String> {
    tokio::select! {
        _ = terminated.recv() => None,
        _ = tokio::signal::ctrl_c() => None,
        cause = writer_failed(service) => Some(cause),
    }
}

/// Returns once the writer has stopped by itself, and says why.
async fn writer_failed(service: &Service) -> String {
    let mut writer = service.node.log().subscribe_stopped();
    let cause = writer.wait_for(Option::is_some).await.ok().and_then(|cause| cause.clone());
    cause.unwrap_or_else(|| "the writer is gone".to_owned())
}

/// Why the writer has stopped by itself, if it has.
fn failure_of(service: &Service) -> Option<String> {
    service.node.log().subscribe_stopped().borrow().clone()
}
