// Which key was in force for whom. Times are intervals [lo, hi] in ms.
//
// Only what is here is known: that a key was given up elsewhere is the step `revocations`.

import { hex, isBytes, need } from './bytes.mjs';
import { KINDS, keyId } from './cose.mjs';
import { flat, network } from './network.mjs';
import { verifierKey } from './note.mjs';

const earlier = (a, b) => (b[1] < a[1] || (b[1] === a[1] && b[0] < a[0]) ? b : a);
const NEVER = [Infinity, Infinity], SOMETIME = [0, Infinity];
const commitment = body => hex(body.get('next_key_commitment'));

/** Kinds that bring keys: they are checked before the others. */
export const LEARNT = ['network', 'genesis', 'organisation', 'key', 'device', 'revocation'];

/** Keys by their id, as the network file and proven attestations introduce them. */
export class Keys {
  known = new Map();
  roles = new Map();
  admissions = new Map();
  logs = new Map();
  devices = new Map();
  revocations = new Map();

  static async of({ says, name, epochs }) {
    const keys = new Keys();
    keys.network = name;
    keys.epochs = epochs.map((epoch, place) => ({
      ...epoch, mark: mark(epochs, place), begin: place ? SOMETIME : [0, 0],
    }));
    for (const { registrars } of epochs) {
      for (const { org, key, kid, next } of registrars) {
        keys.put(kid, { key, org, holder: 'org', from: NEVER, next });
      }
    }
    keys.date();
    for (const one of says.get('members')) await keys.node(one.get('org'), one, '_key', [0, 0]);
    for (const one of says.get('sealed') || []) {
      if (!keys.logs.has(one.get('origin'))) keys.logs.set(one.get('origin'), one.get('log_key'));
    }
    return keys;
  }

  /** Gives the keys of registrars the times for which the versions of the network file name them. */
  date() {
    const named = new Map();
    for (const [place, { registrars, begin }] of this.epochs.entries()) {
      const next = this.epochs[place + 1];
      for (const { org, kid } of registrars) {
        const kept = next && next.registrars.find(other => other.org === org);
        const isKept = kept && kept.kid === kid, known = named.get(kid);
        named.set(kid, { from: known ? known.from : begin, until: isKept || !next ? null : next.begin,
          isReplaced: Boolean(kept) && !isKept });
      }
    }
    for (const [kid, times] of named) this.known.get(kid).named = times;
  }

  /** Since when a key counts, until when, and since when what it signed is in doubt. That of a
   *  registrar who is one no more stays a member's. */
  times(kid) {
    const { from, until, named, org } = this.known.get(kid), revoked = this.revoked(kid, org);
    const ends = [until, revoked && revoked.at,
      named && (named.isReplaced || from === NEVER) ? named.until : null].filter(Boolean);
    return { from: named ? earlier(named.from, from) : from, since: revoked && revoked.since,
      until: ends.length ? ends.reduce(earlier) : undefined };
  }

  /** How a key was given up: by its organisation, or by as many registrars as it took, who said the
   *  same. */
  revoked(kid, org) {
    let revoked;
    for (const [since, votes] of this.revocations.get(kid) || []) {
      const told = [...votes].filter(([by, time]) => this.isRegistrar(by, time));
      const ends = [this.enough(told.map(([, time]) => time)), votes.get(org)].filter(Boolean);
      if (!ends.length) continue;
      const at = ends.reduce(earlier);
      revoked = revoked ? { at: earlier(revoked.at, at), since: Math.min(revoked.since, since) }
        : { at, since };
    }
    return revoked;
  }

  /** When so many had said the same that it was as many as it took then. */
  enough(times) {
    const needed = time => Math.min(...this.at(time).map(({ threshold }) => threshold));
    const sorted = times.sort((a, b) => a[1] - b[1] || a[0] - b[0]);
    return sorted.find((time, place) => needed(time) <= place + 1);
  }

  /** Registrars and thresholds that may have been those of this time. */
  at([lo, hi]) {
    return this.epochs.filter(({ begin }, place) => {
      const next = this.epochs[place + 1];
      return begin[0] <= hi && !(next && next.begin[1] < lo);
    });
  }

  isRegistrar(org, time) {
    return this.at(time).some(({ registrars }) => registrars.some(one => one.org === org));
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
      need(hi >= this.times(hex(body.get('replaces_key'))).from[0], 'key-time');
      return { key, org: before.org, holder: 'org' };
    }
    const found = this.known.get(kid);
    if (!found || kind === 'genesis') return found;
    if (kind === 'revocation' && !this.known.has(hex(body.get('key')))) return undefined;
    const { from, until } = this.times(kid);
    need(!(until && until[1] < lo) && hi >= from[0], 'key-time');
    return found;
  }

  /** Whether an act may have come before the begin of its key's time, or after the end, or since
   *  the key may have been another's: nobody can tell. */
  isInDoubt({ kind, kid, body }, [lo, hi]) {
    const of = kind === 'key' ? hex(body.get('replaces_key')) : kid;
    if (!this.known.has(of) || kind === 'genesis') return false;
    const { from, until, since } = this.times(of);
    const isEnding = (until && until[0] <= hi) || (since !== undefined && since <= hi);
    return lo < from[1] || !this.isEnrolled(this.known.get(of), lo)
      || Boolean(kind !== 'key' && isEnding);
  }

  /** Since when it is in doubt whose act this was: the key, or the one that enrolled it, was revoked. */
  doubtedSince({ kid }, [lo, hi]) {
    const key = this.known.get(kid), { since } = key ? this.times(kid) : {};
    if (since <= hi || !key || this.isEnrolled(key, lo)) return since <= hi ? since : undefined;
    for (const [by, time] of key.enrolled) {
      const revoked = this.revoked(by, key.org);
      if (revoked && revoked.since <= time[1]) return revoked.since;
    }
    return undefined;
  }

  /** Whether a device was enrolled by then by a key that was not revoked since before; all others are. */
  isEnrolled({ enrolled, org }, lo) {
    return !enrolled || [...enrolled].some(([by, time]) => {
      const revoked = this.revoked(by, org);
      return time[1] <= lo && !(revoked && revoked.since <= time[1]);
    });
  }

  /** Whether the holder of this key may say this at this time. */
  allow({ kind, iss, sub, body }, { org, holder }, time) {
    const { signer, roles } = KINDS.get(kind), held = this.roles.get(org) || new Set();
    need(org === iss, 'issuer');
    const isMember = holder === 'org' || holder.startsWith('urn:hallmark:device:');
    need(signer === '' ? isMember : holder === (signer === 'O' ? 'org' : sub), 'signer');
    const has = role => role === 'registrar' ? this.isRegistrar(org, time) : held.has(role);
    need(roles.length === 0 || roles.some(has), 'role');
    if (kind !== 'revocation') return;
    const revoked = this.known.get(hex(body.get('key')));
    need(revoked.holder === 'org' ? revoked.org === sub : revoked.holder === sub, 'signer');
    need(revoked.org === iss || this.isRegistrar(iss, time), 'role');
  }

  /** What a verified identity attestation brings. */
  async learn({ kind, kid: by, iss, sub, body, key }, time) {
    if (kind === 'network') return this.version(body, time);
    if (kind === 'genesis') return this.node(iss, body.get('keys'), '', time);
    if (kind === 'revocation') return this.revoke(iss, body, time);
    const kid = await keyId(key);
    if (kind === 'organisation') return this.admit(iss, sub, body, kid, time);
    if (kind === 'device') {
      const newest = this.devices.get(sub);
      this.put(kid, { key, org: iss, holder: sub, from: time });
      const device = this.known.get(kid), before = device.enrolled || new Map(), first = before.get(by);
      device.enrolled = before.set(by, first ? earlier(first, time) : time);
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

  /** Takes in what one organisation says of a key. */
  revoke(by, body, time) {
    const kid = hex(body.get('key')), said = this.revocations.get(kid) || new Map();
    const votes = said.get(body.get('since')) || new Map(), known = votes.get(by);
    votes.set(by, known ? earlier(known, time) : time);
    this.revocations.set(kid, said.set(body.get('since'), votes));
  }

  /** Since when registrars are: since a version of theirs was logged. */
  async version(body, time) {
    const { name, epochs } = await network(body.get('file')), own = mark(epochs, epochs.length - 1);
    if (name !== this.network) return;
    for (const one of this.epochs.slice(1)) {
      if (one.mark === own) one.begin = one.begin === SOMETIME ? time : earlier(one.begin, time);
    }
    this.date();
    for (const admission of this.admissions.values()) await this.settle(admission);
  }

  async admit(registrar, org, body, kid, time) {
    need(this.isFree(kid, { org, holder: 'org' }), 'key-reused');
    const other = [...this.known].find(([, one]) => one.org === org && one.holder === 'org');
    need(this.known.has(kid) || !other || other[0] === commitment(body), 'key-reused');
    const said = [...body].filter(([name]) => !['salt', 'replaces', 'reason'].includes(name));
    const name = org + ' ' + flat(said);
    const admission = this.admissions.get(name) || { org, body, kid, votes: new Map() };
    if (!admission.votes.has(registrar)) admission.votes.set(registrar, time);
    this.admissions.set(name, admission);
    admission.isSettled = false;
    await this.settle(admission);
  }

  /** Counts an admission once as many registrars say the same as it took then. */
  async settle(admission) {
    const { org, body, kid, votes } = admission;
    const from = this.enough([...votes.values()]);
    if (admission.isSettled || !from) return;
    admission.isSettled = true;
    this.put(kid, { key: body.get('key'), org, holder: 'org', from, next: commitment(body) });
    this.roles.set(org, new Set(body.get('roles')));
    if (body.get('node')) await this.node(org, body.get('node'), '', from);
  }
}

/** Names an epoch: the one before it, itself, and how often the one had followed the other. */
function mark(epochs, place) {
  const step = at => (at ? epochs[at - 1].text : '') + ' | ' + epochs[at].text;
  const before = epochs.slice(0, place).filter((_, at) => step(at) === step(place));
  return before.length + ' ' + step(place);
}
