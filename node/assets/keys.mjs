// Which key was in force for whom. Times are intervals [lo, hi] in ms.
//
// Only what is here is known: that a key was given up elsewhere is the step `revocations`.

import { hex, isBytes, need } from './bytes.mjs';
import { KINDS, keyId } from './cose.mjs';
import { verifierKey } from './note.mjs';

const earlier = (a, b) => (b[1] < a[1] || (b[1] === a[1] && b[0] < a[0]) ? b : a);
const commitment = body => hex(body.get('next_key_commitment'));

/** Kinds that bring keys: they are checked before the others. */
export const LEARNT = ['genesis', 'organisation', 'key', 'device'];

/** Keys by their id, as the network file and proven attestations introduce them. */
export class Keys {
  known = new Map();
  roles = new Map();
  votes = new Map();
  logs = new Map();
  devices = new Map();

  static async of({ says, registrars, threshold }) {
    const keys = new Keys();
    keys.threshold = threshold;
    for (const { org, key, kid, next } of registrars) {
      keys.roles.set(org, new Set(['registrar']));
      keys.put(kid, { key, org, holder: 'org', from: [0, 0], next });
    }
    for (const one of says.get('members')) await keys.node(one.get('org'), one, '_key', [0, 0]);
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
    if (!found.every(one => this.isFree(...one))) return;
    this.logs.set(from.get('origin'), from.get('log' + tail));
    found.forEach(one => this.put(...one));
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
    const isEnded = found && found.until && found.until[1] < lo;
    need(!found || kind === 'genesis' || !(isEnded || hi < found.from[0]), 'key-time');
    return found;
  }

  /** Whether an act may have come before the begin of its key's time, or after the end: nobody can
   *  tell, because their intervals overlap. */
  isInDoubt({ kind, kid, body }, [lo, hi]) {
    const found = this.known.get(kind === 'key' ? hex(body.get('replaces_key')) : kid);
    if (!found || kind === 'genesis') return false;
    const isEnding = kind !== 'key' && found.until && found.until[0] <= hi;
    return lo < found.from[1] || Boolean(isEnding);
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
    if (kind === 'genesis') return this.node(iss, body.get('keys'), '', time);
    const kid = await keyId(key);
    if (kind === 'organisation') return this.admit(iss, sub, body, kid, time);
    if (kind === 'device') {
      const newest = this.devices.get(sub);
      this.put(kid, { key, org: iss, holder: sub, from: time });
      if (newest === undefined || newest <= time[1]) {
        for (const [other, record] of this.known) {
          if (record.holder === sub && other !== kid && !record.until) record.until = time;
        }
        this.devices.set(sub, time[1]);
      }
      return undefined;
    }
    const before = this.known.get(hex(body.get('replaces_key')));
    this.put(kid, { key, org: iss, holder: 'org', from: time, next: commitment(body) });
    before.until = before.until ? earlier(before.until, time) : time;
    return undefined;
  }

  async admit(registrar, org, body, kid, time) {
    need(this.isFree(kid, { org, holder: 'org' }), 'key-reused');
    const others = [...this.known.values()].some(one => one.org === org && one.holder === 'org');
    need(this.known.has(kid) || !others, 'key-reused');
    const name = org + ' ' + kid, votes = this.votes.get(name) || new Map();
    if (!votes.has(registrar)) votes.set(registrar, time);
    this.votes.set(name, votes);
    if (votes.size < this.threshold) return;
    const times = [...votes.values()].sort((a, b) => a[1] - b[1] || a[0] - b[0]);
    const from = times[this.threshold - 1];
    this.put(kid, { key: body.get('key'), org, holder: 'org', from, next: commitment(body) });
    const roles = body.get('roles'), held = this.roles.get(org);
    this.roles.set(org, new Set(held && held.has('registrar') ? [...roles, 'registrar'] : roles));
    if (body.get('node')) await this.node(org, body.get('node'), '', from);
  }
}
