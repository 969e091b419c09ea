// SHA-2 (FIPS 180-4) and the equation of Ed25519 (RFC 8032), for a browser whose WebCrypto has none,
// or that shows the page without encryption and so has no WebCrypto at all.

import { hex, same, sha as hash, unhex } from './bytes.mjs';
import { L, P, littleEndian, mod, pointOf, power, sum } from './ed25519.mjs';

/** 64 bits of the fraction of the square (2) or cube (3) roots of the first primes. */
function rootBits(count, degree) {
  const found = [];
  for (let n = 2; found.length < count; n++) {
    if (Array.from({ length: n - 2 }, (_, d) => d + 2).some(d => n % d === 0)) continue;
    let low = 0n;
    for (let bit = 68n; bit >= 0n; bit--) {
      const next = low | 1n << bit;
      if (next ** BigInt(degree) <= BigInt(n) << BigInt(64 * degree)) low = next;
    }
    found.push(BigInt.asUintN(64, low));
  }
  return found;
}

/** Word width, rounds, and the rotations of the four sigmas (the third of the last two shifts). */
const SHA = {
  'SHA-256': [32n, 64, [[2n, 13n, 22n], [6n, 11n, 25n], [7n, 18n, 3n], [17n, 19n, 10n]]],
  'SHA-512': [64n, 80, [[28n, 34n, 39n], [14n, 18n, 41n], [1n, 8n, 7n], [19n, 61n, 6n]]],
};
const ROOTS = [rootBits(8, 2), rootBits(80, 3)];

export function sha(name, data) {
  const [bits, rounds, turns] = SHA[name], width = Number(bits);
  const word = value => BigInt.asUintN(width, value);
  const [start, k] = ROOTS.map(all => all.map(value => value >> 64n - bits));
  const turn = (x, by) => x >> by | word(x << bits - by);
  const sigma = (x, n) => {
    const [a, b, c] = turns[n];
    return turn(x, a) ^ turn(x, b) ^ (n < 2 ? turn(x, c) : x >> c);
  };
  const block = width * 2, step = width / 8;
  const padded = new Uint8Array(Math.ceil((data.length + 1 + width / 4) / block) * block);
  padded.set(data);
  padded[data.length] = 0x80;
  new DataView(padded.buffer).setUint32(padded.length - 4, data.length * 8);
  const state = start.slice();
  for (let from = 0; from < padded.length; from += block) {
    const w = [];
    for (let at = from; at < from + block; at += step) {
      w.push(BigInt('0x' + hex(padded.subarray(at, at + step))));
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

const BASE = pointOf(unhex('58' + '66'.repeat(31)));

/** Whether R = s * base - k * key, without a cofactor. */
export async function verify(key, message, r, s) {
  const point = pointOf(key);
  if (!point) return false;
  const k = littleEndian(await hash('SHA-512', r, key, message)) % L, [x, y, z, t] = point;
  const [a, b, c] = sum([[s, BASE], [k, [mod(-x), y, z, mod(-t)]]]), unit = power(c, P - 2n);
  const digits = (mod(b * unit) | (mod(a * unit) & 1n) << 255n).toString(16).padStart(64, '0');
  return same(unhex(digits).reverse(), r);
}
