// Strict Ed25519: by WebCrypto where the browser has it, else by hand (byhand.mjs, loaded only then).
//
// WebCrypto says nothing of the order of a key, so that is always told here. Everything is public
// data: nothing needs constant time.

import { byHand, hex, isBytes, subtle, unhex } from './bytes.mjs';

export const P = (1n << 255n) - 19n;
export const L = (1n << 252n) + 27742317777372353535851937790883648493n;
export const mod = x => (x %= P, x < 0n ? x + P : x);
export const littleEndian = bytes => BigInt('0x' + hex(bytes.slice().reverse()));

export function power(x, n) {
  let result = 1n;
  for (; n; n >>= 1n, x = mod(x * x)) if (n & 1n) result = mod(result * x);
  return result;
}
const D = mod(-121665n * power(121666n, P - 2n));
const ROOT = power(2n, (P - 1n) / 4n);

// Points are [X, Y, Z, T]: x = X/Z, y = Y/Z, xy = T/Z (RFC 8032 section 5.1.4).
function add([x1, y1, z1, t1], [x2, y2, z2, t2]) {
  const a = (y1 - x1) * (y2 - x2), b = (y1 + x1) * (y2 + x2);
  const c = mod(2n * D * t1) * t2, d = 2n * z1 * z2;
  const e = mod(b - a), f = mod(d - c), g = mod(d + c), h = mod(b + a);
  return [mod(e * f), mod(g * h), mod(f * g), mod(e * h)];
}

/** The sum of all n * point. */
export function sum(pairs) {
  let total = [0n, 1n, 1n, 0n];
  for (let bit = 255n; bit >= 0n; bit--) {
    total = add(total, total);
    for (const [n, point] of pairs) if (n >> bit & 1n) total = add(total, point);
  }
  return total;
}

/** The point of 32 bytes in canonical form, or null. */
export function pointOf(bytes) {
  const whole = littleEndian(bytes), y = BigInt.asUintN(255, whole), odd = whole >> 255n;
  const u = mod(y * y - 1n), v = mod(D * y * y + 1n), v3 = v * v * v;
  let x = mod(u * v3 * power(mod(u * v3 * v3 * v), (P - 5n) / 8n));
  if (mod(v * x * x) === mod(-u)) x = mod(x * ROOT);
  if (y >= P || mod(v * x * x) !== u || (x === 0n && odd)) return null;
  if ((x & 1n) !== odd) x = P - x;
  return [x, y, 1n, mod(x * y)];
}

const EIGHTH = 0x5fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n;
const LOWS = [0n, 1n, P - 1n, P, P + 1n, EIGHTH, P - EIGHTH];
const isLow = bytes => LOWS.includes(BigInt.asUintN(255, littleEndian(bytes)));

const enrolled = new Map();

/** Whether 32 bytes may be a key: canonical, of the prime order. */
export function isKey(key) {
  const name = hex(key);
  if (!enrolled.has(name)) {
    const point = isLow(key) ? null : pointOf(key);
    const [x, y, z] = point ? sum([[L, point]]) : [];
    enrolled.set(name, x === 0n && y === z);
  }
  return enrolled.get(name);
}

const raw = key => subtle().importKey('raw', key, 'Ed25519', false, ['verify']);
let native;

/** Whether WebCrypto of this browser knows Ed25519; asked once. */
function isNative() {
  const ask = async () => raw(unhex('58' + '66'.repeat(31)));
  native = native || ask().then(() => true, () => false);
  return native;
}

/** `verify_strict`: S below L, no small-order key or R, no cofactor. */
export async function verifyStrict(key, message, signature) {
  if (!isBytes(key, 32) || !isBytes(signature, 64)) return false;
  const r = signature.subarray(0, 32), s = littleEndian(signature.subarray(32));
  if (s >= L || isLow(key) || isLow(r)) return false;
  if (!await isNative()) return (await byHand()).verify(key, message, r, s);
  return raw(key).then(ready => subtle().verify('Ed25519', ready, signature, message))
    .catch(() => false);
}
