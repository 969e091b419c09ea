// Checks a Hallmark bundle where it is read: in the browser, without trusting the page's server.
//
// Every signature, hash and proof is computed from the bundle's bytes; nothing in it is true because
// it is there. Trust starts from the network file in the bundle, so its fingerprint is shown: a
// reader who knows it from elsewhere needs to trust nobody else. What is checked, and how strictly,
// is what `hallmark-verify` does (schemas/spec/*.md), and so is the verdict; what a body's own fields
// mean is left to it. A bundle with whole logs, with proofs about others or under several versions of
// the network file is left to it too, and so is one that is too long: `cannot check here`, as in a
// browser without BigInt.
//
// For a page: an element with `data-check="<path of a bundle>"` gets a button, a status line
// (role="status") and the list of steps, each `li` with the class ok, failed, missing, skipped or
// cannot; its language is that of `<html lang>`. Without script the element stays as the server wrote it. The
// page needs the policy `api::CSP_CHECK` and, at its end, nothing but
//   <script type="module" src="/assets/check.mjs"></script>
// For a program: `check(bytes)` gives the report, see below.

import {
  Unable, big, concat, hex, isBytes, isKey, same, sha256, unhex, verifyStrict,
} from './ed25519.mjs';

/** Why something does not hold; `code` is a key of WHY. */
class Fault extends Error {
  constructor(code) { super(code); this.code = code; }
}

/** What the check asks for is not in the bundle: nothing is wrong, and nothing can be said. */
class Absent extends Fault {}

const need = (holds, code) => { if (!holds) throw new Fault(code); };
const utf8 = text => new TextEncoder().encode(text);
const text = bytes => new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
/** A number in 8 bytes, big-endian. */
function uint64(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, 8);
  return view.getUint32(0) * 2 ** 32 + view.getUint32(4);
}
const isCount = value => Number.isSafeInteger(value) && value >= 0;

/** Base64 in its only form: padded, without unused bits. */
function base64(line) {
  need(/^[A-Za-z0-9+/]+={0,2}$/.test(line) && line.length % 4 === 0, 'note');
  const raw = atob(line);
  need(btoa(raw) === line, 'note');
  return Uint8Array.from(raw, char => char.charCodeAt(0));
}

const COSE_KEY = unhex('a301012006215820');
/** Key id: the COSE key thumbprint of RFC 9679, hex. */
const keyId = async key => hex(await sha256(COSE_KEY, key));

// --- Deterministic CBOR (RFC 8949 section 4.2.1), without floats and tags ------------------------

const DEPTH_MAX = 16;

class Reader {
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  take(count) {
    need(count <= this.bytes.length - this.at, 'cbor');
    this.at += count;
    return this.bytes.subarray(this.at - count, this.at);
  }

  /** Major type and argument in the shortest form. */
  head() {
    const first = this.take(1)[0], major = first >> 5, info = first & 31, at = this.at;
    if (info < 24) return [major, info];
    need(info < 28 && major < 7, 'cbor');
    const width = this.take(1 << (info - 24)).length;
    if (width === 8) {
      const high = this.view.getUint32(at), low = this.view.getUint32(at + 4);
      need(high > 0, 'cbor');
      const value = high * 2 ** 32 + low;
      return [major, Number.isSafeInteger(value) ? value : big(high) << big(32) | big(low)];
    }
    const read = { 1: 'getUint8', 2: 'getUint16', 4: 'getUint32' }[width];
    const value = this.view[read](at);
    need(value >= (width === 1 ? 24 : 2 ** (width * 4)), 'cbor');
    return [major, value];
  }

  item(depth = 0) {
    const [major, value] = this.head();
    if (major === 0) return value;
    if (major === 1) return typeof value === 'number' ? -1 - value : big(-1) - value;
    if (major === 2) return this.take(value);
    if (major === 3) return text(this.take(value));
    if (major === 7 && value > 19 && value < 23) return [false, true, null][value - 20];
    need((major === 4 || major === 5) && depth < DEPTH_MAX, 'cbor');
    need(value <= this.bytes.length - this.at, 'cbor');
    return major === 4
      ? Array.from({ length: value }, () => this.item(depth + 1))
      : this.map(value, depth + 1);
  }

  /** Keys are integers, byte or text strings, in bytewise order of their encodings. */
  map(count, depth) {
    const found = new Map();
    let before = null;
    for (let n = 0; n < count; n++) {
      const from = this.at, key = this.item(depth), raw = this.bytes.subarray(from, this.at);
      need(raw[0] >> 5 < 4 && (!before || isBefore(before, raw)), 'cbor');
      found.set(isBytes(key) ? 'h:' + hex(key) : key, this.item(depth));
      before = raw;
    }
    return found;
  }

  end() {
    need(this.at === this.bytes.length, 'cbor');
  }
}

function isBefore(a, b) {
  const at = a.findIndex((byte, place) => byte !== b[place]);
  return at < 0 ? a.length < b.length : at < b.length && a[at] < b[at];
}

/** Exactly one item. */
export function decode(bytes) {
  const reader = new Reader(bytes), item = reader.item();
  reader.end();
  return item;
}

/** The values of a map that has exactly these keys, in their order. */
function fields(map, keys) {
  need(map instanceof Map && map.size === keys.length, 'shape');
  need([...map.keys()].every((key, at) => key === keys[at]), 'shape');
  return [...map.values()];
}

function byteString(bytes) {
  const n = bytes.length;
  const head = n < 24 ? [0x40 + n] : n < 256 ? [0x58, n]
    : n < 65536 ? [0x59, n >> 8, n & 255] : [0x5a, n >>> 24, n >> 16 & 255, n >> 8 & 255, n & 255];
  return concat(Uint8Array.from(head), bytes);
}

/** COSE_Sign1 (RFC 9052 section 4.2) with tag 18. */
function sign1(bytes) {
  need(bytes[0] === 0xd2 && bytes[1] === 0x84, 'shape');
  const reader = new Reader(bytes);
  reader.at = 2;
  const [guarded, open, payload, signature] = [0, 0, 0, 0].map(() => reader.item());
  reader.end();
  need(isBytes(guarded) && open instanceof Map && isBytes(signature, 64), 'shape');
  need(payload === null || isBytes(payload), 'shape');
  return { guarded, open, payload, signature };
}

const signedBytes = (guarded, payload) =>
  concat([0x84, 0x6a], utf8('Signature1'), byteString(guarded), [0x40], byteString(payload));

// --- Attestations ------------------------------------------------------------------------------

/** Whose key signs a kind (O organisation, D the subject's device) and the roles that may issue it. */
export const KINDS = new Map(`genesis O;network O registrar;organisation O registrar;key O;node;
facility;device O;event;label;readings D;emissions;finding;response;
accreditation accreditor regulator;masterdata;certificate certifier regulator customs;
recall producer distributor retailer regulator;confirmation;complaint;footprint;erasure O`
  .split(/;\s*/).map(line => {
  const [kind, ...rules] = line.split(' ');
  const signer = rules[0] === 'O' || rules[0] === 'D' ? rules.shift() : '';
  return [kind, { signer, roles: rules }];
}));

const MS_MAX = 253402300799999;

/** The byte that a log's entry says of who may read: 0 public, 1 members, 2 those named. */
function audience(aud) {
  need(aud === undefined || aud === 'members' || (Array.isArray(aud) && aud.length), 'shape');
  return aud === undefined ? 0 : aud === 'members' ? 1 : 2;
}

/** One attestation as stored, well formed; its signature is still to be checked. */
export async function attestation(bytes) {
  need(bytes.length <= 1 << 20, 'shape');
  const { guarded, open, payload, signature } = sign1(bytes);
  need(open.size === 0 && payload, 'shape');
  const [alg, type, kid, claims] = fields(decode(guarded), [1, 3, 4, 15]);
  const named = /^application\/vnd\.hallmark\.([a-z]+)\+cbor$/.exec(type);
  need(alg === -19 && isBytes(kid, 32) && claims instanceof Map, 'shape');
  need(named && KINDS.has(named[1]), 'kind');
  const kind = named[1], [iss, sub, aud, iat] = [1, 2, 3, 6].map(label => claims.get(label));
  need(typeof iss === 'string' && typeof sub === 'string' && isCount(iat), 'shape');
  const body = decode(payload);
  need(body instanceof Map && body.size <= 64 && body.get('v') === 1, 'shape');
  need(isBytes(body.get('salt'), 16), 'shape');
  const key = body.get('key');
  if (['device', 'organisation', 'key'].includes(kind)) need(isBytes(key, 32) && isKey(key), 'key');
  need(kind !== 'device' || sub.startsWith(iss.replace(':org:', ':device:') + ':'), 'signer');
  return {
    id: hex(await sha256(bytes)), kind, kid: hex(kid), iss, sub, aud: audience(aud), body, key,
    signed: signedBytes(guarded, payload), signature,
  };
}

// --- Signed notes, checkpoints and the policy of witnesses (C2SP) --------------------------------

/** `<name>+<hint>+<base64 of type and key>`. */
async function verifierKey(line) {
  const [, name, hint, rest] = /^([^+]+)\+([0-9a-f]{8})\+(.+)$/.exec(line) || [];
  need(name && !/\s/.test(name), 'note');
  const bytes = base64(rest), key = bytes.subarray(1);
  need(bytes.length === 33 && (bytes[0] === 1 || bytes[0] === 4) && isKey(key), 'key');
  const found = await sha256(utf8(name + '\n'), bytes);
  need(hex(found.subarray(0, 4)) === hint, 'note');
  return { name, hint, type: bytes[0], key, kid: await keyId(key) };
}

/** A text and its signature lines. */
function note(bytes) {
  need(bytes.length <= 1 << 20, 'note');
  const whole = text(bytes), split = whole.lastIndexOf('\n\n');
  need(split > 0 && whole.endsWith('\n') && !/[\0-\x09\x0b-\x1f]/.test(whole), 'note');
  const rows = whole.slice(split + 2, -1).split('\n');
  need(rows.length <= 100, 'note');
  const lines = rows.map(line => {
    const [, name, coded] = /^\u2014 ([^\s+\0-\x1f\x7f-\x9f]+) (\S+)$/.exec(line) || [];
    need(name && utf8(name).length <= 255, 'note');
    const raw = base64(coded);
    need(raw.length > 4, 'note');
    return { name, hint: hex(raw.subarray(0, 4)), signature: raw.subarray(4) };
  });
  return { text: whole.slice(0, split + 1), lines };
}

/** Origin, size and root that a note states. */
function checkpoint(of) {
  const [origin, size, root, ...more] = of.text.slice(0, -1).split('\n');
  need(origin && /^(0|[1-9]\d{0,15})$/.test(size) && isCount(+size) && !more.includes(''), 'note');
  const bytes = base64(root || '');
  need(bytes.length === 32, 'note');
  return { origin, size: +size, root: bytes };
}

/** When this key signed, ms (0 for a log, which states no time); null if it did not. A wrong
 *  signature under a known key refuses the note. */
async function signedAt(of, key) {
  let earliest = null;
  for (const line of of.lines) {
    if (line.name !== key.name || line.hint !== key.hint) continue;
    let { signature } = line, message = of.text, at = 0;
    if (key.type === 4) {
      need(signature.length === 72, 'cosignature');
      const seconds = uint64(signature);
      at = seconds * 1000;
      need(at <= MS_MAX, 'cosignature');
      message = `cosignature/v1\ntime ${seconds}\n${of.text}`;
      signature = signature.subarray(8);
    }
    const holds = await verifyStrict(key.key, utf8(message), signature);
    need(holds, key.type === 4 ? 'cosignature' : 'checkpoint');
    earliest = earliest === null ? at : Math.min(earliest, at);
  }
  return earliest;
}

/** Reads `tlog-policy` text. */
async function policy(words) {
  const witnesses = [], members = new Map(), taken = new Set();
  let quorum;
  for (const line of words.split('\n')) {
    const [sort, name, third, ...rest] = line.split(/[ \t]+/).filter(Boolean);
    if (!sort || sort[0] === '#' || sort === 'log') continue;
    need(name && (name !== 'none' || sort === 'quorum') && !(members.has(name) && sort !== 'quorum'),
      'policy');
    if (sort === 'witness') {
      const key = await verifierKey(third || '');
      need(key.type === 4 && witnesses.every(other => other.kid !== key.kid), 'policy');
      members.set(name, { witness: witnesses.push(key) - 1 });
    } else if (sort === 'group') {
      const count = third === 'any' ? 1 : third === 'all' ? rest.length : +third;
      need(isCount(count) && count > 0 && count <= rest.length, 'policy');
      need(rest.every(one => members.has(one) && !taken.has(one) && taken.add(one)), 'policy');
      members.set(name, { count, of: rest.map(one => members.get(one)) });
    } else {
      need(sort === 'quorum' && quorum === undefined && !third, 'policy');
      need(name === 'none' || members.has(name), 'policy');
      quorum = name === 'none' ? null : members.get(name);
    }
  }
  need(quorum !== undefined, 'policy');
  return { witnesses, quorum };
}

/** When the quorum was complete, ms; -1 where the policy asks for none. */
async function quorumAt(of, { witnesses, quorum }) {
  const times = [];
  for (const key of witnesses) times.push(await signedAt(of, key));
  const met = member => {
    if (member.of === undefined) return times[member.witness];
    const all = member.of.map(met).filter(at => at !== null).sort((a, b) => a - b);
    return all.length < member.count ? null : all[member.count - 1];
  };
  const at = quorum === null ? -1 : met(quorum);
  need(at !== null, 'quorum');
  return at;
}

// --- The network file --------------------------------------------------------------------------

/** What trust starts from: signed by the threshold of its own registrars. */
async function network(bytes) {
  const type = concat([0xa1, 0x03, 0x78, 0x2a], utf8('application/vnd.hallmark.network-file+cbor'));
  need(bytes[0] === 0xd8 && bytes[1] === 98 && bytes[2] === 0x84, 'network');
  const reader = new Reader(bytes);
  reader.at = 3;
  const [guarded, open, payload, signatures] = [0, 0, 0, 0].map(() => reader.item());
  reader.end();
  need(isBytes(guarded) && same(guarded, type) && open instanceof Map && !open.size, 'network');
  need(isBytes(payload) && Array.isArray(signatures) && signatures.length < 32, 'network');
  const says = decode(payload);
  need(says instanceof Map && says.get('v') === 1, 'network');
  const [name, version, registrars, threshold] =
    ['name', 'version', 'registrars', 'threshold'].map(key => says.get(key));
  need(Array.isArray(registrars) && isCount(threshold) && threshold > 0, 'network');
  const kids = new Set();
  let before = '';
  for (const one of signatures) {
    need(Array.isArray(one) && one.length === 3 && one[1] instanceof Map && !one[1].size, 'network');
    const [head, , signature] = one;
    need(isBytes(head) && isBytes(signature, 64), 'network');
    const [alg, kid] = fields(decode(head), [1, 4]);
    need(alg === -19 && isBytes(kid, 32) && before < hex(kid), 'network');
    before = hex(kid);
    const signed = concat([0x85, 0x69], utf8('Signature'), byteString(guarded), byteString(head),
      [0x40], byteString(payload));
    const found = await Promise.all(registrars.map(async registrar => {
      const key = registrar.get('key');
      need(isBytes(key, 32) && isKey(key), 'key');
      return await keyId(key) === before && await verifyStrict(key, signed, signature);
    }));
    if (found.includes(true)) kids.add(before);
  }
  need(kids.size >= threshold, 'threshold');
  return { name, version, says, threshold, registrars, fingerprint: hex(await sha256(bytes)) };
}

// --- Which key was in force for whom -------------------------------------------------------------

const earlier = (a, b) => (b[1] < a[1] || (b[1] === a[1] && b[0] < a[0]) ? b : a);

/** Keys by their id, as the network file and proven attestations introduce them. Times are
 *  intervals [lo, hi] in ms. */
class Keys {
  static async of({ says, registrars, threshold }) {
    const keys = new Keys();
    keys.threshold = threshold;
    keys.known = new Map();
    keys.roles = new Map();
    keys.votes = new Map();
    keys.logs = new Map();
    keys.devices = new Map();
    for (const one of registrars) {
      const [org, key] = [one.get('org'), one.get('key')];
      keys.roles.set(org, new Set(['registrar']));
      const next = hex(one.get('next_key_commitment'));
      keys.put(await keyId(key), { key, org, holder: 'org', from: [0, 0], next });
    }
    for (const member of says.get('members')) await keys.node(member.get('org'), member, '_key', [0, 0]);
    for (const one of says.get('sealed') || []) {
      if (!keys.logs.has(one.get('origin'))) keys.logs.set(one.get('origin'), one.get('log_key'));
    }
    return keys;
  }

  /** The log and the keys of a node, which sign nothing else; none where one has another holder. */
  async node(org, from, tail, time) {
    const found = [];
    for (const holder of ['log', 'witness', 'mirror', 'peer']) {
      const stated = from.get(holder + tail);
      const key = isBytes(stated) ? stated : (await verifierKey(stated)).key;
      found.push([await keyId(key), { key, org, holder, from: time }]);
    }
    if (!found.every(([kid, record]) => this.isFree(kid, record))) return;
    this.logs.set(from.get('origin'), from.get('log' + tail));
    found.forEach(([kid, record]) => this.put(kid, record));
  }

  isFree(kid, { org, holder }) {
    const known = this.known.get(kid);
    return !known || (known.org === org && known.holder === holder);
  }

  put(kid, record) {
    const known = this.known.get(kid);
    need(this.isFree(kid, record), 'key-reused');
    if (known) known.from = earlier(known.from, record.from);
    else this.known.set(kid, record);
  }

  /** The key of a log by its origin; undefined while nothing says it. */
  async log(origin) {
    const line = this.logs.get(origin);
    if (line === undefined) return undefined;
    const key = await verifierKey(line);
    need(key.type === 1 && key.name === origin, 'key');
    return key;
  }

  /** Whose key signs this attestation; undefined while nobody has introduced it. */
  async signer({ kind, kid, body, key }, [lo, hi]) {
    if (kind === 'key') {
      const before = this.known.get(hex(body.get('replaces_key')));
      if (!before) return undefined;
      need(before.next === kid && await keyId(key) === kid && before.holder === 'org', 'key-time');
      need(hi >= before.from[0], 'key-time');
      return { key, org: before.org, holder: 'org' };
    }
    const found = this.known.get(kid);
    const ended = found && found.until && found.until[1] < lo;
    need(!found || kind === 'genesis' || !(ended || hi < found.from[0]), 'key-time');
    return found;
  }

  /** Whether the holder of this key may say this. */
  allow({ kind, iss, sub }, { org, holder }) {
    const { signer, roles } = KINDS.get(kind), held = this.roles.get(org) || new Set();
    need(org === iss, 'issuer');
    const isMember = holder === 'org' || holder.startsWith('urn:hallmark:device:');
    need(signer === '' ? isMember : holder === (signer === 'O' ? 'org' : sub), 'signer');
    need(roles.length === 0 || roles.some(role => held.has(role)), 'role');
  }

  /** What a verified identity attestation brings. */
  async learn({ kind, iss, sub, body, key }, time) {
    if (kind === 'organisation') return this.admit(iss, sub, body, await keyId(key), time);
    if (kind === 'genesis') return this.node(iss, body.get('keys'), '', time);
    if (kind === 'device') {
      const kid = await keyId(key), newest = this.devices.get(sub);
      this.put(kid, { key, org: iss, holder: sub, from: time });
      if (newest === undefined || newest <= time[1]) {
        for (const [other, record] of this.known) {
          if (record.holder === sub && other !== kid && !record.until) record.until = time;
        }
        this.devices.set(sub, time[1]);
      }
    } else if (kind === 'key') {
      const before = this.known.get(hex(body.get('replaces_key')));
      const next = hex(body.get('next_key_commitment'));
      this.put(await keyId(key), { key, org: iss, holder: 'org', from: time, next });
      before.until = before.until ? earlier(before.until, time) : time;
    }
    return undefined;
  }

  async admit(registrar, org, body, kid, time) {
    need(this.isFree(kid, { org, holder: 'org' }), 'key-reused');
    const others = [...this.known].filter(([, one]) => one.org === org && one.holder === 'org');
    need(this.known.has(kid) || others.length === 0, 'key-reused');
    const name = org + ' ' + kid, votes = this.votes.get(name) || new Map();
    if (!votes.has(registrar)) votes.set(registrar, time);
    this.votes.set(name, votes);
    if (votes.size < this.threshold) return;
    const times = [...votes.values()].sort((a, b) => a[1] - b[1] || a[0] - b[0]);
    const next = hex(body.get('next_key_commitment'));
    const from = times[this.threshold - 1];
    this.put(kid, { key: body.get('key'), org, holder: 'org', from, next });
    const roles = body.get('roles'), held = this.roles.get(org);
    this.roles.set(org, new Set(held && held.has('registrar') ? [...roles, 'registrar'] : roles));
    if (body.get('node')) await this.node(org, body.get('node'), '', from);
  }
}

// --- Proofs that a log holds an attestation --------------------------------------------------------

const nodeHash = (left, right) => sha256([1], left, right);

/** The root that an inclusion proof leads to (RFC 9162 section 2.1.3.2). */
export async function climb(leaf, index, size, path) {
  need(isCount(size) && isCount(index) && index < size && path.length <= 64, 'inclusion');
  let node = index, last = size - 1, hash = leaf;
  const half = n => Math.floor(n / 2);
  for (const sibling of path) {
    need(last > 0 && isBytes(sibling, 32), 'inclusion');
    const isRight = node % 2 === 1;
    hash = isRight || node === last ? await nodeHash(sibling, hash) : await nodeHash(hash, sibling);
    if (!isRight && node === last) while (node % 2 === 0 && node > 0) [node, last] = [half(node), half(last)];
    [node, last] = [half(node), half(last)];
  }
  need(last === 0, 'inclusion');
  return hash;
}

/** Audience and instant of an entry, from its first 9 bytes. */
function entryHead(head) {
  need(isBytes(head, 9) && head[0] < 3, 'shape');
  const at = uint64(head.subarray(1));
  need(at <= MS_MAX, 'shape');
  return { audience: head[0], at };
}

const PROOF_BYTES_MAX = (1 << 20) + 16 * 1024;

/** A COSE receipt (RFC 9942) of Hallmark's profile. */
function coseReceipt(bytes) {
  need(bytes.length <= PROOF_BYTES_MAX, 'shape');
  const { guarded, open, payload, signature } = sign1(bytes);
  const [alg, kid, claims, vds, head] = fields(decode(guarded), [1, 4, 15, 395, 'hallmark-entry']);
  const [iss, sub] = fields(claims, [1, 2]);
  need(typeof iss === 'string' && /^sha256:[0-9a-f]{64}$/.test(sub), 'shape');
  const [proofs, published] = fields(open, [396, 'hallmark-checkpoint']);
  const [all] = fields(proofs, [-1]);
  need(payload === null && alg === -19 && vds === 1 && isBytes(kid, 32), 'shape');
  need(Array.isArray(all) && all.length === 1 && isBytes(all[0]) && isBytes(published), 'shape');
  const proof = decode(all[0]);
  need(Array.isArray(proof) && proof.length === 3 && Array.isArray(proof[2]), 'shape');
  const [size, index, path] = proof;
  need(path.length > 0, 'shape');
  return {
    head, size, index, path, note: note(published), kid: hex(kid), iss, sub, guarded, signature,
  };
}

/** A proof of C2SP `tlog-proof`: the log's signature is that of its checkpoint. */
function tlogProof(bytes) {
  need(bytes.length <= PROOF_BYTES_MAX, 'shape');
  const whole = text(bytes), split = whole.indexOf('\n\n');
  const [first, extra, place, ...path] = whole.slice(0, split).split('\n');
  need(split > 0 && first === 'c2sp.org/tlog-proof@v1', 'shape');
  need(/^extra /.test(extra) && /^index (0|[1-9]\d{0,15})$/.test(place), 'shape');
  const published = note(utf8(whole.slice(split + 2)));
  return {
    head: base64(extra.slice(6)), index: +place.slice(6), size: checkpoint(published).size,
    path: path.map(base64), note: published,
  };
}

/** The time that a quorum vouches for, else the log's own word. */
const interval = (admitted, at) => (at < 0 ? [admitted, admitted] : [Math.min(admitted, at), at + 999]);

/** Follows one proof of an attestation; `step` runs each part under its name and tells whether it
 *  held. What stands at that place of the log, or null. */
async function follow(proof, item, log, witnesses, step) {
  const stated = checkpoint(proof.note), { audience, at } = entryHead(proof.head);
  let time = null;
  const holds = await step('receipt', async () => {
    need(!item.said || audience === item.said.aud, 'audience');
    const leaf = await sha256([0], proof.head, unhex(item.id));
    const root = await climb(leaf, proof.index, proof.size, proof.path);
    if (proof.signature) {
      need(proof.kid === log.kid, 'log');
      const signed = signedBytes(proof.guarded, root);
      need(await verifyStrict(log.key, signed, proof.signature), 'receipt');
      need(proof.iss === log.name && proof.sub === 'sha256:' + item.id, 'receipt');
    }
    need(proof.size === stated.size && same(root, stated.root), 'inclusion');
  }) && await step('checkpoint', async () => {
    need(await signedAt(proof.note, log) !== null && stated.origin === log.name, 'checkpoint');
  }) && await step('witnesses', async () => {
    time = interval(at, await quorumAt(proof.note, witnesses));
  });
  const entry = hex(proof.head) + item.id;
  return holds ? { origin: log.name, index: proof.index, time, entry } : null;
}

// --- The check -----------------------------------------------------------------------------------

export const STEPS = ['network', 'bytes', 'signature', 'key', 'receipt', 'checkpoint', 'witnesses'];
const BUNDLE_BYTES_MAX = 16 << 20;
const ITEM_BYTES_MAX = (1 << 20) + 256;
/** Types of items, of which those of CHECKED are checked here; schemas/spec/bundle.md. */
const TYPES = [0, 1, 2, 3, 4, 5, 6, 8, 15], CHECKED = [2, 3, 4, 5], END = 15;

/** Header and items; what is cut, moved, repeated or added is refused. */
function readBundle(bytes) {
  if (bytes.length > BUNDLE_BYTES_MAX) throw new Unable();
  const reader = new Reader(bytes), items = new Map(TYPES.map(type => [type, []]));
  const [v, asOf, file] = fields(reader.item(), ['v', 'as_of', 'network']);
  need(v === 1 && isCount(asOf) && asOf <= MS_MAX && isBytes(file), 'bundle');
  need(reader.at <= ITEM_BYTES_MAX, 'bundle');
  let last = 0, count = 0;
  for (; reader.at < bytes.length; count++) {
    const from = reader.at, item = reader.item();
    need(Array.isArray(item) && item.length === 2 && isBytes(item[1]), 'bundle');
    const [type, content] = item, alike = items.get(type);
    need(alike && type >= last && last !== END, 'bundle');
    need(reader.at - from <= (type === 8 ? 3 : 1) * (1 << 20) + 256, 'bundle');
    need((type !== 4 && type !== 5) || content.length >= 32, 'bundle');
    need(!alike.some(other => same(other, content)), 'repeated');
    if (type === END) need(content.length === 8 && uint64(content) === count, 'bundle');
    last = type;
    alike.push(content);
  }
  need(count > 0, 'empty');
  need(last === END || !(items.get(0).length || items.get(1).length), 'bundle');
  if (TYPES.some(type => items.get(type).length && !CHECKED.includes(type))) throw new Unable();
  return { asOf, file, items };
}

/** Turns what goes wrong into the state of a step; what no step foresees is a malformed input. */
function stateOf(error) {
  if (error instanceof Unable) throw error;
  const status = error instanceof Absent ? 'missing' : 'failed';
  return { status, reason: error instanceof Fault ? error.code : 'shape' };
}

const WORSE = ['ok', 'missing', 'failed'];

/** An attestation: its bytes, where they are in the bundle, and what proves that a log holds it. */
class Item {
  constructor(id) {
    this.id = id;
    this.steps = {};
    this.proofs = [];
    this.places = [];
  }

  /** Runs a part of a step; of several parts the worst counts. */
  async step(name, work) {
    let state = { status: 'ok' };
    try {
      await work();
    } catch (error) {
      state = stateOf(error);
    }
    const before = this.steps[name];
    if (!before || WORSE.indexOf(before.status) < WORSE.indexOf(state.status)) this.steps[name] = state;
    return state.status === 'ok';
  }

  /** Follows the proofs whose log's key is known; the places that they show. `entries` has what is
   *  known to stand where. */
  async record(keys, witnesses, entries) {
    const found = [], waiting = [];
    for (const read of this.proofs) {
      let proof, log;
      const isRead = await this.step('receipt', async () => {
        proof = read();
        entryHead(proof.head);
        log = await keys.log(checkpoint(proof.note).origin);
      });
      if (!isRead) continue;
      if (!log) waiting.push(read);
      const step = (name, work) => this.step(name, work);
      const place = log && await follow(proof, this, log, witnesses, step);
      if (!place) continue;
      const name = place.origin + ' ' + String(place.index).padStart(16, '0');
      const known = entries.get(name);
      if (!known) {
        entries.set(name, place.entry);
        found.push({ ...place, name, item: this });
      } else if (known !== place.entry) {
        this.steps.receipt = { status: 'failed', reason: 'inclusion' };
      }
    }
    this.proofs = waiting;
    this.places.push(...found);
    return found;
  }

  /** Checks key and signature at one place of a log; false while nobody has introduced the key. */
  async verify(keys, place) {
    const { said } = this;
    let signer;
    try {
      signer = await keys.signer(said, place.time);
      if (!signer) return false;
      keys.allow(said, signer);
    } catch (error) {
      place.fault = stateOf(error);
      return false;
    }
    await this.step('key', () => {});
    place.verified = await this.step('signature', async () =>
      need(await verifyStrict(signer.key, said.signed, said.signature), 'signature'));
    this.verified = this.verified || place.verified;
    return true;
  }
}

/** Parses every attestation once and gives it its proofs; of some there is only a proof. */
async function readItems(raw) {
  const items = new Map();
  const of = id => items.get(id) || items.set(id, new Item(id)).get(id);
  for (const bytes of [...raw.get(2), ...raw.get(3)]) {
    const item = of(hex(await sha256(bytes)));
    item.isHere = true;
    await item.step('bytes', async () => { item.said = await attestation(bytes); });
  }
  for (const [type, read] of [[4, coseReceipt], [5, tlogProof]]) {
    for (const bytes of raw.get(type)) {
      of(hex(bytes.subarray(0, 32))).proofs.push(() => read(bytes.subarray(32)));
    }
  }
  return [...items.values()];
}

const LEARNT = ['genesis', 'organisation', 'key', 'device'];

/** Learns keys and dates logs until neither brings anything new, then checks the rest. */
async function prove(items, keys, witnesses) {
  const entries = new Map();
  let open = [], isNew = true;
  while (isNew) {
    isNew = false;
    for (const item of items) {
      const found = await item.record(keys, witnesses, entries);
      if (item.said) open.push(...found);
      isNew = isNew || found.length > 0;
    }
    open.sort((a, b) => (a.name < b.name ? -1 : 1));
    const left = [];
    for (const place of open) {
      const { item } = place;
      if (!LEARNT.includes(item.said.kind) || !await item.verify(keys, place)) left.push(place);
      else if (place.verified) {
        isNew = true;
        await item.step('key', () => keys.learn(item.said, place.time));
      }
    }
    open = left;
  }
  for (const place of open) {
    const { item } = place;
    place.fault = undefined;
    if (await item.verify(keys, place)) continue;
    const why = place.fault ? new Fault(place.fault.reason) : new Absent('key-unknown');
    await item.step('key', () => { throw why; });
  }
  for (const item of items) await conclude(item);
}

/** What no proof speaks of is in no log; where something is missing, what follows is missing too. */
async function conclude(item) {
  if (item.proofs.length) await item.step('receipt', () => { throw new Absent('log-unknown'); });
  if (!item.isHere && (item.places.length || item.proofs.length)) {
    await item.step('bytes', () => { throw new Absent('withheld'); });
  }
  if (!item.steps.receipt) await item.step('receipt', () => need(false, 'unlogged'));
  const absent = STEPS.map(name => item.steps[name]).find(step => step && step.status === 'missing');
  const isSound = Object.values(item.steps).every(step => step.status !== 'failed');
  if (!absent || !isSound) return;
  STEPS.slice(1).forEach(name => { item.steps[name] = item.steps[name] || absent; });
}

/** One state for each step over all attestations: the worst, with how many it is of. */
function summary(items, done) {
  return STEPS.map(name => {
    if (done[name]) return { name, ...done[name] };
    const reached = items.filter(item => item.steps[name]);
    const of = status => reached.filter(item => item.steps[name].status === status);
    const [failed, missing, held] = ['failed', 'missing', 'ok'].map(of);
    const isWhole = items.length > 0 && held.length === items.length;
    const status = failed.length ? 'failed' : missing.length ? 'missing' : isWhole ? 'ok' : 'skipped';
    const [first] = [...failed, ...missing];
    const why = first ? { reason: first.steps[name].reason, id: first.id } : {};
    return { name, status, count: held.length, of: items.length, ...why };
  });
}

/** What is cited or proved and not in the bundle. */
function missing(items) {
  const here = new Set(items.filter(item => item.isHere).map(item => item.id));
  const cited = items.filter(item => item.verified)
    .flatMap(item => item.said.body.get('cites') || [])
    .filter(id => isBytes(id, 32)).map(hex);
  const proved = items.filter(item => item.places.length).map(item => item.id);
  return [...new Set([...proved, ...cited])].filter(id => !here.has(id));
}

/** Under several versions of the network file, each with its witnesses, dating is left to
 *  `hallmark-verify`. */
function needOneVersion(items, file) {
  const versions = items.filter(({ said }) => said && said.kind === 'network');
  const isOther = ({ said }) => !isBytes(said.body.get('file')) || !same(said.body.get('file'), file);
  if (versions.some(isOther)) throw new Unable();
}

/**
 * Checks a bundle. The report: `verdict` (`ok`, `incomplete`: a record or key that it needs is not
 * there, `failed`, `cannot`: the exit codes 0, 5, 3 or 4 of `hallmark-verify`, and none), `steps`
 * ({name, status: ok|failed|missing|skipped|cannot, count, of, and of the first that failed or is
 * missing reason and id}), `network` ({name, version, fingerprint, isWitnessed}), `asOf` (ms),
 * `items` ({id, kind, sub, steps, places: [{origin, index, time}]}), `missing` (ids).
 */
export async function check(bytes) {
  const report = { verdict: 'failed', steps: [], network: null, asOf: null, items: [], missing: [] };
  const done = {};
  try {
    try {
      const { asOf, file, items: raw } = readBundle(bytes);
      report.asOf = asOf;
      const root = await network(file).catch(error => { done.network = stateOf(error); });
      if (root) {
        done.network = { status: 'ok' };
        const { name, version, fingerprint } = root;
        report.network = { name, version, fingerprint };
        const items = await readItems(raw);
        needOneVersion(items, file);
        const witnesses = await policy(root.says.get('policy'));
        report.network.isWitnessed = witnesses.quorum !== null;
        await prove(items, await Keys.of(root), witnesses);
        report.items = items;
        report.missing = missing(items);
      }
    } catch (error) {
      done.bytes = stateOf(error);
    }
    report.steps = summary(report.items, done);
  } catch (unable) {
    report.steps = STEPS.map(name => ({ name, status: 'cannot' }));
    return { ...report, verdict: 'cannot', items: [] };
  }
  const has = status => report.steps.some(step => step.status === status);
  const isHeld = report.steps.every(step => step.status === 'ok' || step.status === 'missing');
  const isAbsent = has('missing') || report.missing.length > 0;
  report.verdict = has('failed') || !isHeld ? 'failed' : isAbsent ? 'incomplete' : 'ok';
  report.items = report.items.map(({ id, said, steps, places }) => ({
    id, kind: said && said.kind, sub: said && said.sub, steps,
    places: places.map(({ origin, index, time }) => ({ origin, index, time })),
  }));
  return report;
}

// --- The page ------------------------------------------------------------------------------------

/** What people read, in English and Chinese: steps, states and verdicts. */
const WORDS = {
  network: ['Start of trust: network file', '信任起点：网络文件'],
  bytes: ['Records are well-formed', '记录格式'],
  signature: ['Signatures', '签名'],
  key: ['Keys in force', '密钥有效'],
  receipt: ['Recorded in a log', '已登记入日志'],
  checkpoint: ['Log checkpoint', '日志检查点'],
  witnesses: ['Witnesses', '见证方'],
  ok: ['holds', '通过'],
  failed: ['failed', '未通过'],
  missing: ['not all is here', '资料不全'],
  skipped: ['not reached', '未进行'],
  cannot: ['cannot check here', '此处无法核对'],
  alone: ['this network has none', '本网络没有见证方'],
  run: ['Check in this browser', '在本浏览器中核对'],
  busy: ['Checking …', '正在核对……'],
  verdict_ok: ['Every public record was checked here and holds.', '每条公开记录均已在此核对通过。'],
  verdict_incomplete: ['What could be checked holds, but records that belong to it are missing.',
    '能核对的记录均通过，但缺少相关记录。'],
  verdict_failed: ['The records do not hold. Do not rely on them.', '记录未通过核对，请勿依赖。'],
  verdict_cannot: ['This browser cannot check here. Download the records and use hallmark-verify.',
    '此浏览器无法核对。请下载记录并使用 hallmark-verify。'],
  verdict_load: ['The records could not be fetched.', '无法取得记录。'],
};

/** Why a step fails; every other code means that something is malformed. */
const WHY = {
  shape: ['it is malformed', '格式错误'],
  kind: ['its kind is not known here', '此处不识别该类记录'],
  withheld: ['the log has a record that is not here', '日志中的一条记录未在此处'],
  'log-unknown': ['nothing here says which key signs the log', '此处没有该日志的密钥'],
  empty: ['there is nothing to check', '没有可核对的记录'],
  threshold: ['too few registrars signed', '登记机构签名不足'],
  signature: ['it is not of this key over these bytes', '签名与密钥或内容不符'],
  key: ['a key is not a sound one', '密钥不合格'],
  'key-unknown': ['nobody vouches for the key', '无人担保该密钥'],
  'key-time': ['the key was not in force then', '当时密钥无效'],
  'key-reused': ['the key has another holder', '密钥另有持有者'],
  issuer: ['the key is not the issuer’s', '密钥不属于签发方'],
  signer: ['this key may not sign it', '该密钥无权签署'],
  role: ['the issuer lacks the role', '签发方缺少相应角色'],
  unlogged: ['no log proves it', '没有日志证明'],
  audience: ['the log names other readers than were signed', '日志与签署的读者范围不符'],
  log: ['another log signed it', '由另一日志签署'],
  receipt: ['the log did not sign it', '日志未签署'],
  checkpoint: ['the log did not sign it', '日志未签署'],
  inclusion: ['the proof leads to another tree', '证明与日志树不符'],
  cosignature: ['a witness’s signature is wrong', '见证方签名错误'],
  quorum: ['too few witnesses', '见证方不足'],
};

/** Fills one element with the button, the status line and the steps. */
function attach(host) {
  const language = /^zh/.test(document.documentElement.lang) ? 1 : 0, colon = [': ', '：'][language];
  const say = code => WORDS[code][language];
  const make = (name, words) => {
    const element = document.createElement(name);
    if (words) element.textContent = words;
    return host.appendChild(element);
  };
  const button = make('button', say('run')), status = make('p'), list = make('ol');
  button.type = 'button';
  status.setAttribute('role', 'status');
  list.hidden = true;
  button.onclick = async () => {
    button.disabled = true;
    status.textContent = say('busy');
    let report;
    try {
      const answer = await fetch(host.dataset.check);
      if (!answer.ok) throw new Error(answer.status);
      report = await check(new Uint8Array(await answer.arrayBuffer()));
    } catch (lost) {
      report = { verdict: 'load', steps: [] };
    }
    list.textContent = '';
    list.hidden = !report.steps.length;
    for (const step of report.steps) {
      const line = list.appendChild(document.createElement('li'));
      line.className = step.status;
      const count = step.of ? ` (${step.count}/${step.of})` : '';
      const id = step.id ? ` (sha256:${step.id})` : '';
      const because = WHY[step.reason] || WHY.shape;
      const why = step.reason ? colon + because[language] + id : '';
      const isAlone = step.name === 'witnesses' && step.status === 'ok' && !report.network.isWitnessed;
      line.textContent = say(step.name) + colon + (isAlone ? say('alone') : say(step.status) + count + why);
      if (step.name === 'network' && report.network) {
        const { name, version, fingerprint } = report.network;
        line.textContent += ` · ${name} ${version} · SHA-256 ${fingerprint}`;
      }
    }
    status.textContent = say('verdict_' + report.verdict);
    button.disabled = false;
  };
}

if (typeof document !== 'undefined') document.querySelectorAll('[data-check]').forEach(attach);
