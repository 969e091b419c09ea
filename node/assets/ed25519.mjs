// SHA-2 and strict Ed25519 for check.mjs: by WebCrypto where the browser has it, else by hand.
//
// By hand everything is public data, so nothing here needs constant time. A browser without BigInt
// ends in Unable; none of its texts may be a syntax that such a browser cannot read.

/** This browser lacks what the check needs. */
export class Unable extends Error {}

export const hex = bytes => Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('');
export const unhex = digits =>
  Uint8Array.from(digits.match(/../g) || [], pair => parseInt(pair, 16));
export const same = (a, b) => a.length === b.length && a.every((byte, at) => byte === b[at]);
export const isBytes = (value, length) =>
  value instanceof Uint8Array && (length === undefined || value.length === length);

export function concat(...parts) {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  parts.reduce((at, part) => (all.set(part, at), at + part.length), 0);
  return all;
}

const subtle = () => globalThis.crypto && globalThis.crypto.subtle;

export function big(value) {
  if (typeof BigInt !== 'function') throw new Unable();
  return BigInt(value);
}

/** 64 bits of the fraction of the square (2) or cube (3) roots of the first primes: FIPS 180-4. */
function rootBits(count, power) {
  const found = [];
  for (let n = 2; found.length < count; n++) {
    if (Array.from({ length: n - 2 }, (_, d) => d + 2).some(d => n % d === 0)) continue;
    let low = big(0);
    for (let bit = 68; bit >= 0; bit--) {
      const next = low | (big(1) << big(bit));
      const raised = power === 2 ? next * next : next * next * next;
      if (raised <= big(n) << big(64 * power)) low = next;
    }
    found.push(BigInt.asUintN(64, low));
  }
  return found;
}

/** Word width, rounds, and the rotations of the four sigmas (the third of the last two shifts). */
const SHA = {
  'SHA-256': [32, 64, [[2, 13, 22], [6, 11, 25], [7, 18, 3], [17, 19, 10]]],
  'SHA-512': [64, 80, [[28, 34, 39], [14, 18, 41], [1, 8, 7], [19, 61, 6]]],
};
let roots;

function shaByHand(name, data) {
  const [width, rounds, turns] = SHA[name];
  roots = roots || [rootBits(8, 2), rootBits(80, 3)];
  const bits = big(width), word = value => BigInt.asUintN(width, value);
  const [start, k] = roots.map(all => all.map(value => value >> big(64 - width)));
  const turn = (x, by) => x >> big(by) | word(x << (bits - big(by)));
  const sigma = (x, n) =>
    turn(x, turns[n][0]) ^ turn(x, turns[n][1]) ^
    (n < 2 ? turn(x, turns[n][2]) : x >> big(turns[n][2]));
  const block = width * 2, step = width / 8;
  const padded = new Uint8Array(Math.ceil((data.length + 1 + width / 4) / block) * block);
  padded.set(data);
  padded[data.length] = 0x80;
  new DataView(padded.buffer).setUint32(padded.length - 4, data.length * 8);
  const state = start.slice();
  for (let from = 0; from < padded.length; from += block) {
    const w = [];
    for (let at = from; at < from + block; at += step) {
      w.push(big('0x' + hex(padded.subarray(at, at + step))));
    }
    for (let t = 16; t < rounds; t++) {
      w.push(word(w[t - 16] + sigma(w[t - 15], 2) + w[t - 7] + sigma(w[t - 2], 3)));
    }
    let [a, b, c, d, e, f, g, h] = state;
    for (let t = 0; t < rounds; t++) {
      const one = h + sigma(e, 1) + (e & f ^ ~e & g) + k[t] + w[t];
      const two = sigma(a, 0) + (a & b ^ a & c ^ b & c);
      [a, b, c, d, e, f, g, h] = [word(one + two), a, b, c, word(d + one), e, f, g];
    }
    [a, b, c, d, e, f, g, h].forEach((value, at) => { state[at] = word(state[at] + value); });
  }
  return unhex(state.map(value => value.toString(16).padStart(width / 4, '0')).join(''));
}


async function sha(name, ...parts) {
  const data = concat(...parts);
  return subtle() ? new Uint8Array(await subtle().digest(name, data)) : shaByHand(name, data);
}
export const sha256 = (...parts) => sha('SHA-256', ...parts);

/** The curve of RFC 8032, made when first needed: a browser without BigInt must come this far. */
let curve;
function ed25519() {
  if (curve) return curve;
  const [zero, one, two] = [0, 1, 2].map(big);
  const P = (one << big(255)) - big(19);
  const L = (one << big(252)) + big('27742317777372353535851937790883648493');
  const mod = x => (x %= P, x < zero ? x + P : x);
  const power = (x, n) => {
    let result = one;
    for (; n; n >>= one, x = mod(x * x)) if (n & one) result = mod(result * x);
    return result;
  };
  const invert = x => power(x, P - two);
  const D = mod(big(-121665) * invert(big(121666)));
  const ROOT = power(two, (P - one) / big(4));
  const littleEndian = bytes => big('0x' + hex(bytes.slice().reverse()));
  // Points are [X, Y, Z, T]: x = X/Z, y = Y/Z, xy = T/Z.
  const IDENTITY = [zero, one, one, zero];
  const add = ([x1, y1, z1, t1], [x2, y2, z2, t2]) => {
    const a = (y1 - x1) * (y2 - x2), b = (y1 + x1) * (y2 + x2);
    const c = mod(mod(two * D * t1) * t2), d = two * z1 * z2;
    const e = mod(b - a), f = mod(d - c), g = mod(d + c), h = mod(b + a);
    return [mod(e * f), mod(g * h), mod(f * g), mod(e * h)];
  };
  const negate = ([x, y, z, t]) => [mod(-x), y, z, mod(-t)];
  /** The sum of all n * point. */
  const sum = pairs => {
    let total = IDENTITY;
    for (let bit = 255; bit >= 0; bit--) {
      total = add(total, total);
      for (const [n, point] of pairs) if (n >> big(bit) & one) total = add(total, point);
    }
    return total;
  };
  const isIdentity = ([x, y, z]) => x === zero && y === z;
  /** The point of 32 bytes in canonical form, or null. */
  const decode = bytes => {
    const whole = littleEndian(bytes), y = BigInt.asUintN(255, whole);
    const u = mod(y * y - one), v = mod(D * y * y + one), v3 = v * v * v;
    let x = mod(u * v3 * power(mod(u * v3 * v3 * v), (P - big(5)) / big(8)));
    if (mod(v * x * x) === mod(-u)) x = mod(x * ROOT);
    const odd = whole >> big(255);
    if (y >= P || mod(v * x * x) !== u || (x === zero && odd)) return null;
    if ((x & one) !== odd) x = P - x;
    return [x, y, one, mod(x * y)];
  };
  const encode = ([x, y, z]) => {
    const unit = invert(z), odd = mod(x * unit) & one;
    const digits = (mod(y * unit) | odd << big(255)).toString(16).padStart(64, '0');
    return unhex(digits).reverse();
  };
  const eighth = big('0x5fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826');
  const lows = [zero, one, P - one, P, P + one, eighth, P - eighth];
  const isLow = bytes => lows.includes(BigInt.asUintN(255, littleEndian(bytes)));
  const base = decode(unhex('58' + '66'.repeat(31)));
  curve = { L, littleEndian, sum, negate, isIdentity, decode, encode, isLow, base };
  return curve;
}

const enrolled = new Map();

/** Whether 32 bytes may be a key: canonical, of the prime order. */
export function isKey(key) {
  const { decode, isIdentity, isLow, sum, L } = ed25519();
  const name = hex(key);
  if (!enrolled.has(name)) {
    const point = isLow(key) ? null : decode(key);
    enrolled.set(name, point !== null && isIdentity(sum([[L, point]])));
  }
  return enrolled.get(name);
}

let native;

/** Whether WebCrypto of this browser knows Ed25519; asked once. */
function nativeVerifies() {
  const base = unhex('58' + '66'.repeat(31));
  native = native || Promise.resolve()
    .then(() => subtle().importKey('raw', base, { name: 'Ed25519' }, false, ['verify']))
    .then(() => true, () => false);
  return native;
}

/** `verify_strict`: S below L, no small-order key or R, no cofactor. */
export async function verifyStrict(key, message, signature) {
  const { L, littleEndian, isLow, decode, encode, sum, negate, base } = ed25519();
  if (!isBytes(key, 32) || !isBytes(signature, 64)) return false;
  const r = signature.subarray(0, 32), s = littleEndian(signature.subarray(32));
  if (s >= L || isLow(key) || isLow(r)) return false;
  if (await nativeVerifies()) {
    try {
      const ready = await subtle().importKey('raw', key, { name: 'Ed25519' }, false, ['verify']);
      return await subtle().verify({ name: 'Ed25519' }, ready, signature, message);
    } catch (refused) {
      return false;
    }
  }
  const point = decode(key);
  if (!point) return false;
  const k = littleEndian(await sha('SHA-512', r, key, message)) % L;
  return same(encode(sum([[s, base], [k, negate(point)]])), r);
}
