//! DIR/run/node.sock: the same routes, for whoever may open the owner's socket.
//!
//! Invariants: the socket is mode 0600 in a folder of mode 0700; a socket left by a process that is
//! gone is replaced, which is safe under the lock of DIR.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use hallmark_schemas::exit::Exit;
use hallmark_schemas::layout::Dir;
use tokio::net::UnixListener;

use crate::api::problem::{DAMAGED_TYPE, LOST_TYPE};
use crate::client::{Answer, Ask, Client, ClientError};
use crate::failure::Failure;

/// Listens on the socket of this folder. The caller holds the lock of DIR.
pub fn listen(dir: &Path) -> Result<UnixListener, Failure> {
    let path = Dir::new(dir).socket();
    let cannot = |e: std::io::Error| {
        Failure::busy(format!("cannot listen on {}", path.display()))
            .because(&e)
            .help("DIR/run must be writable by whoever runs the node")
    };
    if let Some(run) = path.parent() {
        std::fs::create_dir_all(run).map_err(cannot)?;
        std::fs::set_permissions(run, PermissionsExt::from_mode(0o700)).map_err(cannot)?;
    }
    match std::fs::remove_file(&path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(cannot(e)),
        _ => {}
    }
    let listener = bind(&path).map_err(cannot)?;
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).map_err(cannot)?;
    Ok(listener)
}

/// A path longer than a socket address holds (107 bytes) is reached through the open folder.
fn bind(path: &Path) -> std::io::Result<UnixListener> {
    UnixListener::bind(short(path)?.1)
}

/// The path, or the same by /proc/self/fd of its folder, which must stay open meanwhile.
fn short(path: &Path) -> std::io::Result<(Option<std::fs::File>, std::path::PathBuf)> {
    use std::os::fd::AsRawFd;

    let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else {
        return Ok((None, path.to_owned()));
    };
    if path.as_os_str().len() < 100 {
        return Ok((None, path.to_owned()));
    }
    let dir = std::fs::File::open(dir)?;
    let path = Path::new("/proc/self/fd").join(dir.as_raw_fd().to_string()).join(name);
    Ok((Some(dir), path))
}

/// The running node of a folder, asked by its owner.
pub struct Local {
    client: Client,
    /// Keeps the way to a socket with a long path open.
    _dir: Option<std::fs::File>,
}

impl Local {
    /// The running node, or None where none answers.
    pub async fn connect(dir: &Path) -> Result<Option<Local>, Failure> {
        let path = Dir::new(dir).socket();
        let opened = short(&path).ok();
        let Some((folder, path)) = opened else {
            return Ok(None);
        };
        if tokio::net::UnixStream::connect(&path).await.is_err() {
            return Ok(None);
        }
        let client = Client::local(&path)
            .map_err(|e| Failure::fault("cannot speak to the node").because(&e))?;
        Ok(Some(Local { client, _dir: folder }))
    }

    /// Asks; any status is an answer.
    pub async fn ask(&self, path: &str, ask: Ask<'_>) -> Result<Answer, Failure> {
        self.client.ask(&format!("http://localhost{path}"), ask).await.map_err(|e| {
            Failure::busy("the running node does not answer")
                .because(&e)
                .help("look at its log; the command may be given again")
        })
    }

    /// Posts JSON and hands on the answer piece by piece, however long it is.
    pub async fn download(
        &self,
        path: &str,
        json: &[u8],
        take: impl FnMut(&[u8]) -> std::io::Result<()>,
    ) -> Result<(), Failure> {
        let url = format!("http://localhost{path}");
        self.client.download(&url, json, take).await.map_err(|e| match &e {
            ClientError::Refused { answer } if is_of(answer, DAMAGED_TYPE) => {
                Failure::new(Exit::Broken, "a file that this needs is damaged")
                    .because(&e)
                    .help("`hallmark-node check` tells what is damaged, of this file and others")
            }
            ClientError::Refused { answer } if is_of(answer, LOST_TYPE) => {
                Failure::new(Exit::Incomplete, "a file that this needs is lost")
                    .because(&e)
                    .help("`hallmark-node check --repair` fetches it from peers; then again")
            }
            ClientError::Refused { .. } => Failure::busy("the running node does not give this")
                .because(&e)
                .help("look at its log, then give the command again"),
            ClientError::Keep { source } => Failure::unwritten("the bundle", source),
            _ => Failure::busy("the running node did not answer to the end")
                .because(&e)
                .help("look at its log, then give the command again: no half file is left"),
        })
    }

    /// Asks for a path.
    pub async fn get(&self, path: &str) -> Result<Answer, Failure> {
        self.ask(path, Ask::default()).await
    }

    /// Posts to a path.
    pub async fn post(&self, path: &str, kind: &str, body: &[u8]) -> Result<Answer, Failure> {
        self.ask(path, Ask { body: Some((kind, body)), ..Ask::default() }).await
    }
}

fn is_of(answer: &Answer, problem: &str) -> bool {
    answer.problem_type().as_deref() == Some(problem)
}
