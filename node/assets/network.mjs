// The network file, which trust starts from, and the versions of it; schemas/spec/network-file.md.

import {
  Fault, Reader, byteString, concat, decode, fields, hex, isBytes, isCount, need, same, sha256,
  utf8,
} from './bytes.mjs';
import { keyId } from './cose.mjs';
import { isKey, verifyStrict } from './ed25519.mjs';
import { policy, quorumAt } from './note.mjs';

const TYPE = concat([0xa1, 0x03, 0x78, 0x2a], utf8('application/vnd.hallmark.network-file+cbor'));

/** What a decoded value says, as text to compare. */
export const flat = value => value instanceof Map || Array.isArray(value) ? [...value].map(flat).join()
  : isBytes(value) ? hex(value) : String(value);

/** As many changes of registrars or threshold a file tells, the newest of them. */
const FORMER_MAX = 96;

/** Registrars and threshold of versions that have the same. */
async function epoch(one) {
  const [stated, threshold] = [one.get('registrars'), one.get('threshold')], registrars = [];
  need(Array.isArray(stated) && isCount(threshold) && threshold > 0, 'network');
  for (const registrar of stated) {
    const [org, key, next] = ['org', 'key', 'next_key_commitment'].map(name => registrar.get(name));
    need(isBytes(key, 32) && isKey(key), 'key');
    registrars.push({ org, key, kid: await keyId(key), next: hex(next) });
  }
  return { registrars, threshold, text: flat(stated) + ' ' + threshold };
}

/** A file that the threshold of its own registrars signed. */
export async function network(bytes) {
  need(isBytes(bytes) && bytes[0] === 0xd8 && bytes[1] === 98 && bytes[2] === 0x84, 'network');
  const [guarded, open, payload, signatures] = new Reader(bytes, 3).items(4);
  need(isBytes(guarded) && same(guarded, TYPE) && open instanceof Map && !open.size, 'network');
  need(isBytes(payload) && Array.isArray(signatures) && signatures.length < 32, 'network');
  const says = decode(payload);
  need(says instanceof Map && says.get('v') === 1, 'network');
  const [name, version, registrars, threshold] =
    ['name', 'version', 'registrars', 'threshold'].map(key => says.get(key));
  need(Array.isArray(registrars) && isCount(threshold) && threshold > 0, 'network');
  const signed = new Map();
  let before = '';
  for (const one of signatures) {
    need(Array.isArray(one) && one.length === 3 && one[1] instanceof Map && !one[1].size, 'network');
    const [head, , signature] = one;
    need(isBytes(head) && isBytes(signature, 64), 'network');
    const [alg, kid] = fields(decode(head), 1, 4);
    need(alg === -19 && isBytes(kid, 32) && before < hex(kid), 'network');
    before = hex(kid);
    const over = concat([0x85, 0x69], utf8('Signature'), byteString(guarded), byteString(head),
      [0x40], byteString(payload));
    signed.set(before, { over, signature });
  }
  const former = says.get('former') || [];
  need(Array.isArray(former) && former.length <= FORMER_MAX, 'network');
  const file = { bytes, says, name, version, threshold, registrars: [], epochs: [] };
  file.signedBy = async ({ kid, key }) => {
    const one = signed.get(kid);
    return Boolean(one) && verifyStrict(key, one.over, one.signature);
  };
  let count = 0;
  for (const one of former) file.epochs.push(await epoch(one));
  file.epochs.push(await epoch(says));
  file.registrars = file.epochs.at(-1).registrars;
  for (const one of file.registrars) if (await file.signedBy(one)) count += 1;
  need(count >= threshold, 'threshold');
  file.fingerprint = hex(await sha256(bytes));
  file.policy = await policy(says.get('policy'));
  return file;
}

/** Whether an older file may have led to this one: it tells no other registrars than this one tells
 *  of then. Its own signatures do not say so, as a stranger may name a registrar beside himself. */
function isAfter(file, old) {
  const ours = file.epochs, theirs = old.epochs, isCut = ours.length > FORMER_MAX;
  const agrees = end => ours.slice(0, end).reverse()
    .every(({ text }, back) => back >= theirs.length || theirs[theirs.length - 1 - back].text === text);
  const ends = ours.map((_, at) => at + 1).filter(end => isCut || end === theirs.length);
  return file.name === old.name && old.version < file.version && ends.some(agrees);
}

/** So long after a version was logged a node may not have heard of it. */
const CHANGE_MS_MAX = 600_000;

/** The policies of the versions that lead to the newest, oldest first, each with its begin. */
export class Versions {
  /** `logged` are [file, instant of its entry], as the bundle's `network` attestations have them. */
  static async of(root, logged) {
    const files = [];
    for (const [bytes, at] of logged) {
      const file = await network(bytes).catch(() => null);
      if (file) files.push({ file, at });
    }
    files.sort((a, b) => b.file.version - a.file.version || a.at - b.at);
    const again = files.find(({ file }) => same(file.bytes, root.bytes));
    const versions = [{ policy: root.policy, begin: again ? again.at : 0 }];
    let oldest = root.version;
    for (const { file, at } of files) {
      if (file.version >= oldest || !isAfter(root, file)) continue;
      versions.unshift({ policy: file.policy, begin: at });
      oldest = file.version;
    }
    versions[0].begin = 0;
    return Object.assign(new Versions(), { versions });
  }

  /** When a quorum had seen the note, ms, or -1 where none is asked for. A version counts for what
   *  was made from its begin until the next was known, and a later one for what its witnesses signed
   *  under it. `newest` is the instant of the note's newest entry, where that is known, and then
   *  `from`. */
  async quorum(note, from, newest) {
    const times = [];
    // A wrong cosignature of a witness that any version knows refuses the note.
    for (const { policy } of this.versions) times.push(await quorumAt(note, policy));
    let found = null;
    for (const [place, { begin }] of this.versions.entries()) {
      const next = this.versions[place + 1], at = times[place];
      const isPast = next && from >= next.begin + CHANGE_MS_MAX;
      const isLater = newest !== undefined && newest < begin;
      if (isPast || at === null || (isLater && at < begin)) continue;
      // A time that witnesses vouch for is worth more than the log's own.
      if (at >= 0) return at;
      found = at;
    }
    if (found === null) throw new Fault('quorum');
    return found;
  }
}
