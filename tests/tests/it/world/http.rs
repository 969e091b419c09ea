//! Requests to a node, also such as no client would send.

use hallmark_examples::world::http;

use super::RUNTIME;

pub(crate) use http::Answer;

/// One request over a connection of its own; status 0 where nobody answers.
pub(crate) fn send(
    method: &str,
    url: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    let target = format!("{url}{path}");
    let sent = http::send(method, &target, headers, body);
    let nobody = |_| Answer { status: 0, headers: Vec::new(), body: Vec::new() };
    RUNTIME.block_on(sent).unwrap_or_else(nobody)
}
