#!/usr/bin/env python3
"""A stranger's check of a Hallmark log: written from schemas/spec and the specifications it names,
sharing no code with Hallmark. It needs cbor2 and cryptography (requirements.txt).

    stranger.py URL NETWORK ID OLD_CHECKPOINT TLOG_PROOF

reads the node at URL, trusting only the network file NETWORK, and checks: the attestation ID and
its signer's keys, its COSE receipt (RFC 9942), the checkpoint with the cosignatures of the witness
policy, every tile and entry bundle of the log, that the log at OLD_CHECKPOINT is its beginning, the
same inclusion as the file TLOG_PROOF states it, and the answers of SCRAPI. Then it alters each of
these and demands that the check fails. Exits with 1 and says what does not hold.
"""

import base64
import gzip
import hashlib
import sys
import urllib.error
import urllib.parse
import urllib.request

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

WIDE = 256
EMPTY = hashlib.sha256(b"").digest()


class Wrong(Exception):
    """Something that was read does not hold."""


def need(holds, what):
    if not holds:
        raise Wrong(what)


def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def leaf_hash(entry):
    return sha(b"\0", entry)


def node_hash(left, right):
    return sha(b"\1", left, right)


def ed25519(key, signature, message, what):
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError) as error:
        raise Wrong(f"{what}: signature") from error


def b64(text):
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise Wrong(f"{text!r} is no base64") from error


def cbor(data, what):
    try:
        return cbor2.loads(data)
    except Exception as error:
        raise Wrong(f"{what}: CBOR") from error


def thumbprint(key):
    """RFC 9679, of an Ed25519 key."""
    return sha(bytes.fromhex("a3010120062158 20".replace(" ", "")), key)


# --- COSE ---------------------------------------------------------------------------------------


def cose_sign1(data, what):
    message = cbor(data, what)
    need(isinstance(message, cbor2.CBORTag) and message.tag == 18, f"{what}: tag 18")
    need(isinstance(message.value, (list, tuple)) and len(message.value) == 4, f"{what}: four")
    protected, unprotected, payload, signature = message.value
    return protected, cbor(protected, what), unprotected, payload, signature


def sig_structure(protected, payload):
    return cbor2.dumps(["Signature1", protected, b"", payload])


def network_of(data):
    """The network file: COSE_Sign by the threshold of its own registrars."""
    message = cbor(data, "network file")
    need(isinstance(message, cbor2.CBORTag) and message.tag == 98, "network file: tag 98")
    protected, _, payload, signatures = message.value
    network = cbor(payload, "network file")
    kids = {thumbprint(one["key"]): one["key"] for one in network["registrars"]}
    good = set()
    for signer, _, signature in signatures:
        kid = cbor(signer, "network file")[4]
        if kid in kids:
            signed = cbor2.dumps(["Signature", protected, signer, b"", payload])
            ed25519(kids[kid], signature, signed, "network file")
            good.add(kid)
    need(network["threshold"] <= len(good), "network file: threshold")
    return network


# --- notes, policies ----------------------------------------------------------------------------


def vkey(text):
    name, ident, rest = text.split("+", 2)
    data = b64(rest)
    need(sha(name.encode(), b"\n", data)[:4].hex() == ident, "verifier key: id")
    return {"name": name, "id": bytes.fromhex(ident), "type": data[0], "key": data[1:]}


class Note:
    def __init__(self, data):
        try:
            text, _, lines = data.decode().rpartition("\n\n")
        except UnicodeDecodeError as error:
            raise Wrong("note: text") from error
        self.text = text + "\n"
        need(lines.endswith("\n") and text, "note: no signatures")
        self.lines = []
        for line in lines[:-1].split("\n"):
            need(line.startswith("\u2014 "), "note: signature line")
            name, _, rest = line[2:].rpartition(" ")
            raw = b64(rest)
            self.lines.append((name, raw[:4], raw[4:]))
        parts = self.text.split("\n")
        need(4 <= len(parts) and parts[1].isdigit(), "note: no checkpoint")
        self.origin, self.size, self.root = parts[0], int(parts[1]), b64(parts[2])
        need(str(self.size) == parts[1] and len(self.root) == 32, "note: size or root")

    def signed_by(self, key):
        """The earliest time stated under this key; None if it has not signed."""
        times = []
        for name, ident, signature in self.lines:
            if (name, ident) != (key["name"], key["id"]):
                continue
            if key["type"] == 1:
                ed25519(key["key"], signature, self.text.encode(), name)
                times.append(0)
            else:
                at = int.from_bytes(signature[:8], "big")
                signed = f"cosignature/v1\ntime {at}\n{self.text}".encode()
                ed25519(key["key"], signature[8:], signed, name)
                times.append(at)
        return min(times, default=None)


class Policy:
    def __init__(self, text):
        self.witnesses, self.groups, self.quorum = {}, {}, None
        for line in text.splitlines():
            word, *rest = line.split()
            if word == "witness":
                self.witnesses[rest[0]] = vkey(rest[1])
            elif word == "group":
                count = {"any": 1, "all": len(rest) - 2}.get(rest[1])
                self.groups[rest[0]] = (count or int(rest[1]), rest[2:])
            elif word == "quorum":
                self.quorum = rest[0]

    def met(self, note, name=None):
        name = name or self.quorum
        if name == "none":
            return True
        if name in self.witnesses:
            return note.signed_by(self.witnesses[name]) is not None
        count, members = self.groups[name]
        # Each is looked at: a wrong cosignature of a known witness refuses the note.
        return count <= sum([self.met(note, member) for member in members])


def checkpoint(data, log, policy):
    note = Note(data)
    need(note.signed_by(log) is not None, "checkpoint: not signed by the log")
    need(note.origin == log["name"], "checkpoint: another log")
    need(policy.met(note), "checkpoint: quorum")
    return note


# --- trees: RFC 9162, sections 2.1.3.2 and 2.1.4.2 ----------------------------------------------


def root_of(hashes):
    if not hashes:
        return EMPTY
    if len(hashes) == 1:
        return hashes[0]
    split = 1 << (len(hashes) - 1).bit_length() - 1
    return node_hash(root_of(hashes[:split]), root_of(hashes[split:]))


def check_inclusion(leaf, index, size, path):
    need(0 <= index < size, "inclusion: index")
    fn, sn, r = index, size - 1, leaf
    for p in path:
        need(sn != 0, "inclusion: path too long")
        if fn & 1 or fn == sn:
            r = node_hash(p, r)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = node_hash(r, p)
        fn, sn = fn >> 1, sn >> 1
    need(sn == 0, "inclusion: path too short")
    return r


def consistency_path(old, hashes, whole=True):
    """PROOF(m, D_n) and SUBPROOF of RFC 9162, section 2.1.4.1."""
    size = len(hashes)
    if old == size:
        return [] if whole else [root_of(hashes)]
    split = 1 << (size - 1).bit_length() - 1
    if old <= split:
        return consistency_path(old, hashes[:split], whole) + [root_of(hashes[split:])]
    return consistency_path(old - split, hashes[split:], False) + [root_of(hashes[:split])]


def check_consistency(old, old_root, new, new_root, path):
    if old == new:
        need(not path and old_root == new_root, "consistency: same size, another root")
        return
    need(0 < old < new, "consistency: sizes")
    path = list(path)
    if old & (old - 1) == 0:
        path.insert(0, old_root)
    need(path, "consistency: empty")
    fn, sn = old - 1, new - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for c in path[1:]:
        need(sn != 0, "consistency: too long")
        if fn & 1 or fn == sn:
            fr, sr = node_hash(c, fr), node_hash(c, sr)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node_hash(sr, c)
        fn, sn = fn >> 1, sn >> 1
    need(sn == 0 and fr == old_root and sr == new_root, "consistency: root")


# --- what is fetched ----------------------------------------------------------------------------


class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


OPENER = urllib.request.build_opener(Stay)


def ask(url, method="GET", headers=None, body=None):
    request = urllib.request.Request(url, data=body, headers=headers or {}, method=method)
    try:
        with OPENER.open(request, timeout=60) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def get(url, accept=None):
    headers = {"Accept-Encoding": "gzip"} | ({"Accept": accept} if accept else {})
    status, head, body = ask(url, headers=headers)
    need(status == 200, f"{url}: {status}")
    return gzip.decompress(body) if head.get("Content-Encoding") == "gzip" else body


def tile_path(level, index, width):
    groups = [f"{index % 1000:03}"]
    while index := index // 1000:
        groups.insert(0, f"x{index % 1000:03}")
    partial = "" if width == WIDE else f".p/{width}"
    return f"tile/{level}/{'/'.join(groups)}{partial}"


def fetch_log(url, size):
    """Every entry bundle and hash tile of the log under this address, by their paths."""
    files = {}
    for level in ["entries", *range(8)]:
        count = size >> (8 * level) if isinstance(level, int) else size
        for index in range((count + WIDE - 1) // WIDE):
            path = tile_path(level, index, min(WIDE, count - index * WIDE))
            files[path] = get(f"{url}/{path}")
    return files


def check_log(files, size, root):
    """The entries, once bundles and tiles are one tree with this root."""
    entries = []
    for index in range((size + WIDE - 1) // WIDE):
        rest = files[tile_path("entries", index, min(WIDE, size - index * WIDE))]
        while rest:
            length = int.from_bytes(rest[:2], "big")
            need(length == 41 and length + 2 <= len(rest), "bundle: entry")
            entries.append(rest[2 : length + 2])
            rest = rest[length + 2 :]
    need(len(entries) == size, "bundles: count")
    hashes = leaves = [leaf_hash(entry) for entry in entries]
    for level in range(8):
        for index in range((len(hashes) + WIDE - 1) // WIDE):
            part = hashes[index * WIDE : (index + 1) * WIDE]
            path = tile_path(level, index, len(part))
            need(files[path] == b"".join(part), f"{path}: hashes")
        full = len(hashes) // WIDE
        hashes = [root_of(hashes[n * WIDE : (n + 1) * WIDE]) for n in range(full)]
    need(root_of(leaves) == root, "tiles: root")
    times = [int.from_bytes(entry[1:9], "big") for entry in entries]
    need(times == sorted(times), "entries: times")
    return entries, leaves


# --- the checks ---------------------------------------------------------------------------------


def check_statement(data, ident, keys):
    need(hashlib.sha256(data).hexdigest() == ident, "statement: content id")
    protected, header, unprotected, payload, signature = cose_sign1(data, "statement")
    need(header.get(1) == -19 and header.get(4) in keys, "statement: algorithm or key")
    need(unprotected == {} and isinstance(header.get(15, {}).get(1), str), "statement: header")
    ed25519(keys[header[4]], signature, sig_structure(protected, payload), "statement")
    return header, cbor(payload, "statement")


def check_receipt(data, ident, key_set, log, policy):
    protected, header, unprotected, payload, signature = cose_sign1(data, "receipt")
    need(header.get(1) == -19 and header.get(395) == 1 and payload is None, "receipt: header")
    need(header.get(4) in key_set, "receipt: key")
    need(header.get(15) == {1: log["name"], 2: f"sha256:{ident}"}, "receipt: claims")
    proofs = unprotected.get(396, {}).get(-1, [])
    need(len(proofs) == 1, "receipt: proofs")
    size, index, path = cbor(proofs[0], "receipt")
    entry = header["hallmark-entry"] + bytes.fromhex(ident)
    root = check_inclusion(leaf_hash(entry), index, size, path)
    ed25519(key_set[header[4]], signature, sig_structure(protected, root), "receipt")
    note = checkpoint(unprotected["hallmark-checkpoint"], log, policy)
    need((note.size, note.root) == (size, root), "receipt: another checkpoint")
    return index, entry


def check_tlog_proof(data, ident, log, policy):
    try:
        head, _, rest = data.decode().partition("\n\n")
    except UnicodeDecodeError as error:
        raise Wrong("tlog-proof: text") from error
    first, extra, index, *path = head.split("\n")
    need(first == "c2sp.org/tlog-proof@v1" and extra.startswith("extra "), "tlog-proof: head")
    need(index.startswith("index ") and index[6:].isdigit(), "tlog-proof: index")
    note = checkpoint(rest.encode(), log, policy)
    entry = b64(extra[6:]) + bytes.fromhex(ident)
    hashes = [b64(line) for line in path]
    root = check_inclusion(leaf_hash(entry), int(index[6:]), note.size, hashes)
    need(root == note.root, "tlog-proof: root")


def key_set_of(data):
    """A COSE Key Set: Ed25519 keys by their thumbprint."""
    keys = {}
    for key in cbor(data, "key set"):
        need((key.get(1), key.get(-1), key.get(3)) == (1, 6, -19), "key set: no Ed25519 key")
        need(key.get(2) == thumbprint(key[-2]), "key set: id")
        keys[key[2]] = key[-2]
    return keys


def other_logs(url, network, origin, policy):
    """The entries of the other members' logs, as far as this node has a copy of them."""
    entries = []
    for member in network["members"]:
        if member["origin"] == origin:
            continue
        copy = f"{url}/peers/{hashlib.sha256(member['origin'].encode()).hexdigest()}"
        status, _, body = ask(f"{copy}/checkpoint")
        if status == 404:
            continue
        note = checkpoint(body, vkey(member["log_key"]), policy)
        entries += check_log(fetch_log(copy, note.size), note.size, note.root)[0]
    return entries


def signers(url, entries, network):
    """Keys that registrars, and then organisations, introduced by attestations in the logs."""
    keys = {thumbprint(one["key"]): one["key"] for one in network["registrars"]}
    introduced = []
    for entry in entries:
        ident = entry[9:].hex()
        status, _, body = ask(
            f"{url}/v1/attestations/sha256:{ident}", headers={"Accept": "application/cose"}
        )
        if status != 200:
            continue
        header = cose_sign1(body, "attestation")[1]
        if header[3].split(".")[-1] in ("organisation+cbor", "device+cbor"):
            introduced.append((ident, body, header[4]))
    # Whoever introduces one was introduced before, perhaps in another log.
    known = -1
    while known != len(keys):
        known = len(keys)
        for ident, body, signer in introduced:
            if signer in keys:
                payload = check_statement(body, ident, keys)[1]
                keys[thumbprint(payload["key"])] = payload["key"]
    return keys


def check_scrapi(url, ident, statement, kid):
    cose = {"Content-Type": "application/cose", "Accept": "application/cose"}
    status, head, body = ask(f"{url}/entries", "POST", cose, statement)
    need(status in (201, 303) and head["Location"].endswith(ident), f"register: {status}")
    need(status == 303 or cose_sign1(body, "register")[1][395] == 1, "register: receipt")
    status, head, _ = ask(f"{url}/entries", "POST", cose | {"Prefer": "respond-async"}, statement)
    need(status == 303 and head["Retry-After"].isdigit(), f"register: {status} without waiting")
    location = urllib.parse.urljoin(url, head["Location"])
    need(ask(location)[0] == 200, "register: location")
    altered = statement[:-1] + bytes([statement[-1] ^ 1])
    problems = [
        ("GET", f"/entries/sha256:{'0' * 64}", None, 404),
        ("GET", "/entries/none", None, 400),
        ("GET", f"/.well-known/scitt-keys/{'A' * 43}", None, 404),
        ("POST", "/entries", altered, 400),
        ("POST", "/entries", b"none", 400),
    ]
    for method, path, body, expected in problems:
        status, head, told = ask(url + path, method, cose, body)
        kind = head["Content-Type"]
        need(status == expected, f"{method} {path}: {status}")
        need(kind == "application/concise-problem-details+cbor", f"{method} {path}: {kind}")
        problem = cbor(told, path)
        need(isinstance(problem[-1], str) and isinstance(problem[-2], str), f"{path}: details")
        status, head, _ = ask(url + path, method, cose | {"Accept": "application/json"}, body)
        need(head["Content-Type"] == "application/problem+json", f"{method} {path}: JSON")
    text = base64.urlsafe_b64encode(kid).decode().rstrip("=")
    key = cbor(get(f"{url}/.well-known/scitt-keys/{text}", "application/cbor"), "key")
    need(thumbprint(key[-2]) == kid, "the key by its id")


def check_caching(url, path):
    status, head, body = ask(f"{url}/log/{path}")
    need(status == 200 and "immutable" in head["Cache-Control"], f"{path}: caching")
    status, again, nothing = ask(f"{url}/log/{path}", "HEAD")
    need((status, nothing) == (200, b"") and again["ETag"] == head["ETag"], f"{path}: HEAD")
    status, _, _ = ask(f"{url}/log/{path}", headers={"If-None-Match": head["ETag"]})
    need(status == 304, f"{path}: {status} for what is known")
    status, head, _ = ask(f"{url}/log/checkpoint")
    need("max-age=0" in head["Cache-Control"], "checkpoint: caching")
    need(head["Content-Type"] == "text/plain; charset=utf-8", "checkpoint: type")
    # Every earlier width of the last tile is served, no later one.
    name, _, width = path.partition(".p/")
    for earlier in range(1, int(width) + 1):
        need(get(f"{url}/log/{name}.p/{earlier}") == body[: 32 * earlier], f"{name}.p/{earlier}")
    need(ask(f"{url}/log/{name}.p/{int(width) + 1}")[0] == 404, "a tile that is not there")
    need(ask(f"{url}/log/tile/0/00")[0] == 404, "a name that is none")


def fails(what, check):
    try:
        check()
    except (Wrong, KeyError, TypeError, IndexError, ValueError, AttributeError):
        return
    raise Wrong(f"altered, and not noticed: {what}")


def bare(data, log, policy):
    """The checkpoint with no signature line more than it needs: of the others nothing depends."""
    text, _, lines = data.rpartition(b"\n\n")
    lines = lines.splitlines(keepends=True)
    for line in list(lines):
        fewer = [other for other in lines if other is not line]
        try:
            checkpoint(text + b"\n\n" + b"".join(fewer), log, policy)
        except Wrong:
            continue
        lines = fewer
    return text + b"\n\n" + b"".join(lines)


def bare_receipt(data, log, policy):
    tag = cbor(data, "receipt")
    protected, unprotected, payload, signature = tag.value
    note = bare(unprotected["hallmark-checkpoint"], log, policy)
    unprotected = dict(unprotected) | {"hallmark-checkpoint": note}
    return cbor2.dumps(cbor2.CBORTag(18, [protected, unprotected, payload, signature]))


def flips(data, places=13):
    """Copies of the data, each with one bit changed, spread over it."""
    for place in range(places):
        at = (len(data) - 1) * place // (places - 1)
        # The lowest bits of the last digit of base64 are nobody's.
        while data[at + 1 : at + 2] == b"=":
            at -= 1
        yield at, data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def main(url, network_path, ident, old_path, proof_path):
    ident = ident.removeprefix("sha256:")
    with open(network_path, "rb") as file:
        network_file = file.read()
    network = network_of(network_file)
    policy = Policy(network["policy"])
    need(policy.quorum != "none", "the policy asks for no witness")
    key_set = key_set_of(get(f"{url}/.well-known/scitt-keys"))
    note_bytes = get(f"{url}/log/checkpoint")
    member = [one for one in network["members"] if one["origin"] == Note(note_bytes).origin]
    need(len(member) == 1, "the log is no member's")
    log = vkey(member[0]["log_key"])
    need(log["key"] in key_set.values(), "the network file names another log key")

    note = checkpoint(note_bytes, log, policy)
    files = fetch_log(f"{url}/log", note.size)
    entries, leaves = check_log(files, note.size, note.root)
    keys = signers(url, entries + other_logs(url, network, note.origin, policy), network)
    statement = get(f"{url}/v1/attestations/sha256:{ident}", "application/cose")
    check_statement(statement, ident, keys)
    receipt = get(f"{url}/entries/sha256:{ident}", "application/cose")
    index, entry = check_receipt(receipt, ident, key_set, log, policy)
    need(entries[index] == entry, "the receipt is about another entry")
    with open(old_path, "rb") as file:
        old = checkpoint(file.read(), log, policy)
    path = consistency_path(old.size, leaves)
    check_consistency(old.size, old.root, note.size, note.root, path)
    with open(proof_path, "rb") as file:
        proof = file.read()
    check_tlog_proof(proof, ident, log, policy)
    check_scrapi(url, ident, statement, thumbprint(log["key"]))
    last = [path for path in files if path.startswith("tile/0/") and ".p/" in path]
    need(last, "a log whose last tile is full: record one more entry")
    check_caching(url, last[0])

    other = "00" * 32
    note_bytes = bare(note_bytes, log, policy)
    receipt = bare_receipt(receipt, log, policy)
    check_receipt(receipt, ident, key_set, log, policy)
    head, _, rest = proof.partition(b"\n\n")
    proof = head + b"\n\n" + bare(rest, log, policy)
    for at, altered in flips(network_file):
        fails(f"network file, byte {at}", lambda altered=altered: network_of(altered))
    for at, altered in flips(note_bytes):
        fails(f"checkpoint, byte {at}", lambda altered=altered: checkpoint(altered, log, policy))
    unwitnessed = note_bytes.split(b"\n\n")[0] + b"\n\n"
    lines = note_bytes.split(b"\n\n")[1].split(b"\n")
    own = [line for line in lines if log["name"].encode() in line]
    unwitnessed += own[0] + b"\n"
    fails("checkpoint without witnesses", lambda: checkpoint(unwitnessed, log, policy))
    for at, altered in flips(statement):
        fails(f"statement, byte {at}", lambda altered=altered: check_statement(altered, ident, keys))
    for at, altered in flips(receipt, 29):
        fails(
            f"receipt, byte {at}",
            lambda altered=altered: check_receipt(altered, ident, key_set, log, policy),
        )
    fails("receipt of another", lambda: check_receipt(receipt, other, key_set, log, policy))
    for at, altered in flips(proof, 29):
        fails(
            f"tlog-proof, byte {at}",
            lambda altered=altered: check_tlog_proof(altered, ident, log, policy),
        )
    fails("tlog-proof of another", lambda: check_tlog_proof(proof, other, log, policy))
    for name, data in files.items():
        for at, altered in flips(data, 3):
            wrong = files | {name: altered}
            fails(f"{name}, byte {at}", lambda wrong=wrong: check_log(wrong, note.size, note.root))
    for at, step in enumerate(path):
        wrong = path[:at] + [sha(step)] + path[at + 1 :]
        fails(
            f"consistency proof, hash {at}",
            lambda wrong=wrong: check_consistency(
                old.size, old.root, note.size, note.root, wrong
            ),
        )
    fails(
        "consistency with another root",
        lambda: check_consistency(old.size, sha(old.root), note.size, note.root, path),
    )
    print(
        f"holds: {note.origin} at size {note.size}, entry {index}, from size {old.size} on, "
        f"{len(files)} files, {len(keys)} keys"
    )


if __name__ == "__main__":
    if len(sys.argv) != 6:
        sys.exit(__doc__)
    try:
        main(sys.argv[1].rstrip("/"), *sys.argv[2:])
    except Wrong as error:
        sys.exit(f"does not hold: {error}")
