// Bytes: faults, hashes, base64, and deterministic CBOR (RFC 8949 section 4.2.1) without floats and
// tags. Whatever has two readings here would let two readers see two things under one signature.

/** This browser, or this script, cannot say anything; `code` is a key of the words. */
export class Unable extends Error {
  constructor(code) { super(code); this.code = code; }
}

/** Why something does not hold; `code` is a key of the words. */
export class Fault extends Error {
  status = 'failed';

  constructor(code) { super(code); this.code = code; }
}

/** What the check asks for is not in the bundle: nothing is wrong, and nothing can be said. */
export class Absent extends Fault { status = 'missing'; }

/** Something is not read here, and may hold. */
export class Unread extends Fault { status = 'unchecked'; }

export const need = (holds, code) => { if (!holds) throw new Fault(code); };
export const hex = bytes => Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('');
export const unhex = digits => Uint8Array.from(digits.match(/../g) || [], two => parseInt(two, 16));
export const same = (a, b) => a.length === b.length && a.every((byte, at) => byte === b[at]);
export const isBytes = (value, length) =>
  value instanceof Uint8Array && (length === undefined || value.length === length);
export const isCount = value => Number.isSafeInteger(value) && value >= 0;
export const utf8 = text => new TextEncoder().encode(text);
export const text = bytes =>
  new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);

export function concat(...parts) {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  parts.reduce((at, part) => (all.set(part, at), at + part.length), 0);
  return all;
}

/** A number in 8 bytes, big-endian. */
export const uint64 = bytes => bytes.slice(0, 8).reduce((sum, byte) => sum * 256 + byte, 0);

/** Milliseconds up to the year 9999. */
export const isInstant = at => isCount(at) && at < 253402300800000;

/** Base64 in its only form: padded, without unused bits. */
export function base64(line) {
  need(/^[A-Za-z0-9+/]+={0,2}$/.test(line) && line.length % 4 === 0, 'note');
  const raw = atob(line);
  need(btoa(raw) === line, 'note');
  return Uint8Array.from(raw, char => char.charCodeAt(0));
}

export const subtle = () => globalThis.crypto && crypto.subtle;

/** What this browser does not have, loaded only then. */
export const byHand = () =>
  import('./byhand.mjs').catch(() => { throw new Unable('script'); });

export async function sha(name, ...parts) {
  const data = concat(...parts);
  if (subtle()) return new Uint8Array(await subtle().digest(name, data));
  return (await byHand()).sha(name, data);
}
export const sha256 = (...parts) => sha('SHA-256', ...parts);

const DEPTH_MAX = 16;

export class Reader {
  constructor(bytes, at = 0) {
    this.bytes = bytes;
    this.at = at;
  }

  take(count) {
    need(count <= this.bytes.length - this.at, 'cbor');
    this.at += count;
    return this.bytes.subarray(this.at - count, this.at);
  }

  /** Major type and argument in the shortest form. */
  head() {
    const first = this.take(1)[0], major = first >> 5, info = first & 31;
    if (info < 24) return [major, info];
    need(info < 28 && major < 7, 'cbor');
    const value = BigInt('0x' + hex(this.take(1 << (info - 24))));
    need(value >= [24n, 1n << 8n, 1n << 16n, 1n << 32n][info - 24], 'cbor');
    return [major, value <= Number.MAX_SAFE_INTEGER ? Number(value) : value];
  }

  item(depth = 0) {
    const [major, value] = this.head();
    if (major === 0) return value;
    if (major === 1) return typeof value === 'number' ? -1 - value : -1n - value;
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
    let before = '';
    for (let n = 0; n < count; n++) {
      const from = this.at, key = this.item(depth);
      // Hex keeps the order of bytes, and of two of which one begins the other.
      const raw = hex(this.bytes.subarray(from, this.at));
      need(raw < '8' && before < raw, 'cbor');
      found.set(isBytes(key) ? 'h:' + hex(key) : key, this.item(depth));
      before = raw;
    }
    return found;
  }

  /** The items that are left, which are so many. */
  items(count) {
    const found = Array.from({ length: count }, () => this.item());
    need(this.at === this.bytes.length, 'cbor');
    return found;
  }
}

/** Exactly one item. */
export const decode = bytes => new Reader(bytes).items(1)[0];

/** The values of a map that has exactly these keys, in their order. */
export function fields(map, ...keys) {
  need(map instanceof Map && map.size === keys.length, 'shape');
  need([...map.keys()].every((key, at) => key === keys[at]), 'shape');
  return [...map.values()];
}

export function byteString(bytes) {
  const n = bytes.length;
  const head = n < 24 ? [0x40 + n] : n < 256 ? [0x58, n]
    : n < 65536 ? [0x59, n >> 8, n & 255] : [0x5a, n >>> 24, n >> 16 & 255, n >> 8 & 255, n & 255];
  return concat(head, bytes);
}
