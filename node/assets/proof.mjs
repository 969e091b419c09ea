// Proofs that a log holds an attestation: COSE receipts (RFC 9942) of Hallmark's profile, and
// C2SP `tlog-proof`; schemas/spec/receipt.md.

import {
  base64, decode, fields, hex, isBytes, isCount, isInstant, need, same, sha256, text, uint64,
  unhex, utf8,
} from './bytes.mjs';
import { sign1, signedBytes } from './cose.mjs';
import { verifyStrict } from './ed25519.mjs';
import { checkpoint, signedAt } from './note.mjs';

const BYTES_MAX = (1 << 20) + 16 * 1024;
const nodeHash = (left, right) => sha256([1], left, right);

/** The root that an inclusion proof leads to (RFC 9162 section 2.1.3.2). */
export async function climb(leaf, index, size, path) {
  need(isCount(size) && isCount(index) && index < size && path.length <= 64, 'inclusion');
  let node = index, last = size - 1, hash = leaf;
  const up = () => { [node, last] = [node, last].map(n => Math.floor(n / 2)); };
  for (const sibling of path) {
    need(last > 0 && isBytes(sibling, 32), 'inclusion');
    const isRight = node % 2 === 1;
    hash = isRight || node === last ? await nodeHash(sibling, hash) : await nodeHash(hash, sibling);
    if (!isRight && node === last) while (node % 2 === 0 && node > 0) up();
    up();
  }
  need(last === 0, 'inclusion');
  return hash;
}

/** Audience and instant of an entry, from its first 9 bytes. */
function entry(head) {
  need(isBytes(head, 9) && head[0] < 3, 'shape');
  const at = uint64(head.subarray(1));
  need(isInstant(at), 'shape');
  return { head, audience: head[0], at };
}

/** What type 4 of a bundle holds, after the id. */
export function receipt(bytes) {
  need(bytes.length <= BYTES_MAX, 'shape');
  const { guarded, open, payload, signature } = sign1(bytes);
  const [alg, kid, claims, vds, head] = fields(decode(guarded), 1, 4, 15, 395, 'hallmark-entry');
  const [iss, sub] = fields(claims, 1, 2);
  need(typeof iss === 'string' && /^sha256:[0-9a-f]{64}$/.test(sub), 'shape');
  const [proofs, published] = fields(open, 396, 'hallmark-checkpoint');
  const [all] = fields(proofs, -1);
  need(payload === null && alg === -19 && vds === 1 && isBytes(kid, 32), 'shape');
  need(Array.isArray(all) && all.length === 1 && isBytes(all[0]) && isBytes(published), 'shape');
  const proof = decode(all[0]);
  need(Array.isArray(proof) && proof.length === 3 && Array.isArray(proof[2]), 'shape');
  const [size, index, path] = proof;
  need(path.length > 0, 'shape');
  const by = { kid: hex(kid), iss, sub, guarded, signature };
  return { ...entry(head), size, index, path, note: checkpoint(published), by };
}

/** What type 5 holds, after the id: the log's signature is that of its checkpoint. */
export function tlogProof(bytes) {
  need(bytes.length <= BYTES_MAX, 'shape');
  const whole = text(bytes), split = whole.indexOf('\n\n');
  const [first, extra, place, ...path] = whole.slice(0, split).split('\n');
  need(split > 0 && first === 'c2sp.org/tlog-proof@v1', 'shape');
  need(/^extra /.test(extra) && /^index (0|[1-9]\d{0,15})$/.test(place), 'shape');
  const note = checkpoint(utf8(whole.slice(split + 2))), index = +place.slice(6);
  return { ...entry(base64(extra.slice(6))), size: note.size, index, path: path.map(base64), note };
}

/** Follows one proof of an attestation; `step` runs each part under its name and tells whether it
 *  held. Where in the log the attestation stands, and when it came there; null if that is not shown.
 *  `newest` is the instant of the newest entry under the proof's checkpoint, where that is known. */
export async function follow(proof, id, log, versions, newest, step) {
  const { head, at, index, size, note, by } = proof;
  let time;
  const holds = await step('receipt', async () => {
    const root = await climb(await sha256([0], head, unhex(id)), index, size, proof.path);
    if (by) {
      need(by.kid === log.kid, 'log');
      need(await verifyStrict(log.key, signedBytes(by.guarded, root), by.signature), 'receipt');
      need(by.iss === log.name && by.sub === 'sha256:' + id, 'receipt');
    }
    need(size === note.size && same(root, note.root), 'inclusion');
  }) && await step('checkpoint', async () => {
    need(await signedAt(note, log) !== null && note.origin === log.name, 'checkpoint');
  }) && await step('witnesses', async () => {
    const seen = await versions.quorum(note, newest === undefined ? at : newest, newest);
    // The time that a quorum vouches for, to the second, else the log's own word.
    time = seen < 0 ? [at, at] : [Math.min(at, seen), seen + 999];
  });
  return holds ? { origin: log.name, index, at, time, entry: hex(head) + id } : null;
}
