//! The HTTP client: the only home of `reqwest` in this program.
//!
//! Invariants: every answer has a size limit and every call a time limit; redirects are not
//! followed (303 and 302 are answers of SCRAPI); a local client speaks only to its socket.

use std::path::Path;
use std::time::Duration;

use reqwest::Method;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};

/// Most bytes of one answer: a full entry bundle is 11,008, a body 1 MiB.
pub const ANSWER_BYTES_MAX: usize = 8 << 20;
/// Longest wait for a connection.
const CONNECT_WAIT_MAX: Duration = Duration::from_secs(5);
/// Longest wait for a whole answer.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(30);

/// Whether paths of a node can be asked for under this URL.
pub(crate) fn is_base_url(text: &str) -> bool {
    reqwest::Url::parse(text).is_ok_and(|url| {
        let is_http = matches!(url.scheme(), "http" | "https") && url.has_host();
        let is_bare = url.query().is_none() && url.fragment().is_none();
        is_http && is_bare && url.username().is_empty() && url.password().is_none()
    })
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The client could not be built or the request not be written.
    #[error("cannot make the request to {url}")]
    Request {
        /// Where it should have gone.
        url: String,
        /// What is wrong.
        source: reqwest::Error,
    },
    /// Nobody answered, or not in time, or not to the end.
    #[error("{url} does not answer")]
    Unreachable {
        /// Who was asked.
        url: String,
        /// Why.
        source: reqwest::Error,
    },
    /// What came cannot be kept.
    #[error("the answer cannot be written")]
    Keep {
        /// Why.
        source: std::io::Error,
    },
    /// What was asked for is not given.
    #[error("{}", answer.text())]
    Refused {
        /// Status and reason.
        answer: Answer,
    },
    /// The answer is larger than [`ANSWER_BYTES_MAX`].
    #[error("the answer of {url} is larger than {ANSWER_BYTES_MAX} bytes")]
    TooLarge {
        /// Who was asked.
        url: String,
    },
}

/// Longest wait for a whole download.
const DOWNLOAD_WAIT_MAX: Duration = Duration::from_secs(3600);

/// A request in few words.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ask<'a> {
    /// `Accept`.
    pub accept: Option<&'a str>,
    /// Bearer token.
    pub token: Option<&'a str>,
    /// `Content-Type` and body; makes it a POST.
    pub body: Option<(&'a str, &'a [u8])>,
    /// `Prefer`.
    pub prefer: Option<&'a str>,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// `Location`.
    pub location: Option<String>,
    /// `Hallmark-Status`: stored, recorded or deferred.
    pub standing: Option<String>,
    /// `Hallmark-Bodies-Damaged`: how many bodies of a trace are damaged there.
    pub bodies_damaged: Option<u64>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The type of the problem that the body tells; none where it tells none.
    pub fn problem_type(&self) -> Option<String> {
        let problem: serde_json::Value = serde_json::from_slice(&self.body).ok()?;
        problem["type"].as_str().map(str::to_owned)
    }

    /// The body as text, for messages.
    pub fn text(&self) -> String {
        let problem: Option<serde_json::Value> = serde_json::from_slice(&self.body).ok();
        let detail = problem.as_ref().and_then(|p| p.get("detail").or(p.get("title")));
        match detail.and_then(serde_json::Value::as_str) {
            Some(detail) => detail.to_owned(),
            None => String::from_utf8_lossy(&self.body).chars().take(500).collect(),
        }
    }
}

/// Makes the ring provider the one of this process. Calling it again changes nothing.
pub fn install_tls_provider() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// An HTTP client with its pool of connections. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client(reqwest::Client);

impl Client {
    /// A client for other nodes.
    pub fn new() -> Result<Client, ClientError> {
        Client::build(reqwest::Client::builder(), "peers")
    }

    /// A client that speaks to the node behind this socket, whatever the URL's host.
    pub fn local(socket: &Path) -> Result<Client, ClientError> {
        Client::build(reqwest::Client::builder().unix_socket(socket), &socket.to_string_lossy())
    }

    fn build(builder: reqwest::ClientBuilder, url: &str) -> Result<Client, ClientError> {
        install_tls_provider();
        builder
            .connect_timeout(CONNECT_WAIT_MAX)
            .timeout(ANSWER_WAIT_MAX)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .user_agent(concat!("hallmark-node/", env!("CARGO_PKG_VERSION")))
            .build()
            .map(Client)
            .map_err(|source| ClientError::Request { url: url.to_owned(), source })
    }

    /// Asks and reads the whole answer; any status is an answer.
    pub async fn ask(&self, url: &str, ask: Ask<'_>) -> Result<Answer, ClientError> {
        let method = if ask.body.is_some() { Method::POST } else { Method::GET };
        let mut request = self.0.request(method, url);
        if let Some(accept) = ask.accept {
            request = request.header(ACCEPT, accept);
        }
        if let Some(token) = ask.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some(prefer) = ask.prefer {
            request = request.header("prefer", prefer);
        }
        if let Some((content_type, body)) = ask.body {
            request = request.header(CONTENT_TYPE, content_type).body(body.to_vec());
        }
        let unreachable = |source: reqwest::Error| {
            let url = url.to_owned();
            if source.is_builder() {
                ClientError::Request { url, source }
            } else {
                ClientError::Unreachable { url, source }
            }
        };
        let mut response = request.send().await.map_err(unreachable)?;
        let header = |name: &str| {
            let value = response.headers().get(name)?;
            value.to_str().ok().map(str::to_owned)
        };
        let (location, standing) = (header("location"), header("hallmark-status"));
        let bodies_damaged = header(crate::api::trace::DAMAGED).and_then(|text| text.parse().ok());
        let status = response.status().as_u16();
        let body = whole(&mut response, url).await?;
        Ok(Answer { status, location, standing, bodies_damaged, body })
    }

    /// Posts JSON and hands on the answer piece by piece, however long it is.
    pub async fn download(
        &self,
        url: &str,
        json: &[u8],
        mut take: impl FnMut(&[u8]) -> std::io::Result<()>,
    ) -> Result<(), ClientError> {
        let unreachable =
            |source: reqwest::Error| ClientError::Unreachable { url: url.to_owned(), source };
        let request = self.0.post(url).header(CONTENT_TYPE, "application/json");
        let request = request.body(json.to_vec()).timeout(DOWNLOAD_WAIT_MAX);
        let mut response = request.send().await.map_err(unreachable)?;
        if !response.status().is_success() {
            let status = response.status().as_u16();
            let body = whole(&mut response, url).await?;
            let (location, standing, bodies_damaged) = (None, None, None);
            let answer = Answer { status, location, standing, bodies_damaged, body };
            return Err(ClientError::Refused { answer });
        }
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            take(&chunk).map_err(|source| ClientError::Keep { source })?;
        }
        Ok(())
    }

    /// Asks for `url` without more.
    pub async fn get(&self, url: &str) -> Result<Answer, ClientError> {
        self.ask(url, Ask::default()).await
    }

    /// Posts a body.
    pub async fn post(
        &self,
        url: &str,
        content_type: &str,
        body: &[u8],
    ) -> Result<Answer, ClientError> {
        self.ask(url, Ask { body: Some((content_type, body)), ..Ask::default() }).await
    }
}

/// The whole body of an answer.
async fn whole(response: &mut reqwest::Response, url: &str) -> Result<Vec<u8>, ClientError> {
    let unreachable = |source| ClientError::Unreachable { url: url.to_owned(), source };
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        if ANSWER_BYTES_MAX < body.len() + chunk.len() {
            return Err(ClientError::TooLarge { url: url.to_owned() });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
