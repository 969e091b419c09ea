//! HTTP by hand: also requests that no client would send.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::Value;

use super::SOON;

/// An HTTP answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }
}

/// One request over a connection of its own, so that malformed ones can be sent too.
pub(crate) fn send(
    method: &str,
    url: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    let host = url.strip_prefix("http://").expect("loopback speaks plain HTTP");
    let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
    for (name, value) in headers {
        request += &format!("{name}: {value}\r\n");
    }
    request += &format!("Content-Length: {}\r\n\r\n", body.len());
    let refused = Answer { status: 0, headers: Vec::new(), body: Vec::new() };
    let Ok(mut stream) = TcpStream::connect(host) else {
        return refused;
    };
    stream.set_read_timeout(Some(SOON)).expect("a socket");
    let sent = stream.write_all(request.as_bytes()).and_then(|()| stream.write_all(body));
    let mut bytes = Vec::new();
    if sent.and_then(|()| stream.read_to_end(&mut bytes).map(drop)).is_err() && bytes.is_empty() {
        return refused;
    }
    parse_answer(&bytes).unwrap_or(refused)
}

fn parse_answer(bytes: &[u8]) -> Option<Answer> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect();
    let mut body = bytes[end + 4..].to_vec();
    let chunked = |(name, value): &(String, String)| {
        name.eq_ignore_ascii_case("transfer-encoding") && value.contains("chunked")
    };
    if headers.iter().any(chunked) {
        body = unchunk(&body);
    }
    Some(Answer { status, headers, body })
}

fn unchunk(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|window| window == b"\r\n") {
        let size = std::str::from_utf8(&rest[..end])
            .ok()
            .and_then(|hex| usize::from_str_radix(hex, 16).ok());
        let Some(size) = size.filter(|size| *size != 0) else {
            break;
        };
        let Some(chunk) = rest.get(end + 2..end + 2 + size) else {
            break;
        };
        body.extend(chunk);
        rest = rest.get(end + 2 + size + 2..).unwrap_or_default();
    }
    body
}
