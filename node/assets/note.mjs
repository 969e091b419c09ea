// Signed notes, checkpoints and the policy of witnesses: C2SP `signed-note`, `tlog-checkpoint`,
// `tlog-cosignature`, `tlog-policy`.

import { base64, hex, isCount, isInstant, need, sha256, text, uint64, utf8 } from './bytes.mjs';
import { keyId } from './cose.mjs';
import { isKey, verifyStrict } from './ed25519.mjs';

/** `<name>+<hint>+<base64 of type and key>`; type 1 is a log's, 4 a witness's. */
export async function verifierKey(line) {
  const [, name, hint, rest] = /^([^+\s]+)\+([0-9a-f]{8})\+(.+)$/.exec(line) || [];
  need(name, 'note');
  const bytes = base64(rest), type = bytes[0], key = bytes.subarray(1);
  need(bytes.length === 33 && (type === 1 || type === 4) && isKey(key), 'key');
  need(hex(await sha256(utf8(name + '\n'), bytes)).startsWith(hint), 'note');
  return { name, hint, type, key, kid: await keyId(key) };
}

/** A checkpoint: a text with signature lines, which states origin, size and root of a log. */
export function checkpoint(bytes) {
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
  const [origin, size, stated, ...more] = whole.slice(0, split).split('\n');
  need(origin && /^(0|[1-9]\d{0,15})$/.test(size) && isCount(+size) && !more.includes(''), 'note');
  const root = base64(stated || '');
  need(root.length === 32, 'note');
  // Whatever keys are known: nobody of that name signed it.
  need(lines.some(({ name }) => name === origin), 'note');
  return { text: whole.slice(0, split + 1), lines, origin, size: +size, root };
}

/** When this key signed, ms (0 for a log, which states no time); null if it did not. A wrong
 *  signature under a known key refuses the note. */
export async function signedAt(note, key) {
  const times = [];
  for (const line of note.lines) {
    if (line.name !== key.name || line.hint !== key.hint) continue;
    let { signature } = line, message = note.text, at = 0;
    if (key.type === 4) {
      need(signature.length === 72, 'cosignature');
      const seconds = uint64(signature);
      at = seconds * 1000;
      need(isInstant(at), 'cosignature');
      message = `cosignature/v1\ntime ${seconds}\n${message}`;
      signature = signature.subarray(8);
    }
    const holds = await verifyStrict(key.key, utf8(message), signature);
    need(holds, key.type === 4 ? 'cosignature' : 'checkpoint');
    times.push(at);
  }
  return times.length ? Math.min(...times) : null;
}

/** Reads `tlog-policy` text. */
export async function policy(words) {
  const witnesses = [], members = new Map(), taken = new Set();
  let quorum;
  for (const line of words.split('\n')) {
    const [sort, name, third, ...rest] = line.split(/[ \t]+/).filter(Boolean);
    if (!sort || sort[0] === '#' || sort === 'log') continue;
    need(name && (sort === 'quorum' || (name !== 'none' && !members.has(name))), 'policy');
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

/** When the quorum was complete, ms; -1 where the policy asks for none, null where it is not. */
export async function quorumAt(note, { witnesses, quorum }) {
  const times = [];
  for (const key of witnesses) times.push(await signedAt(note, key));
  const met = member => {
    if (!member.of) return times[member.witness];
    const all = member.of.map(met).filter(at => at !== null).sort((a, b) => a - b);
    return all.length < member.count ? null : all[member.count - 1];
  };
  return quorum === null ? -1 : met(quorum);
}
