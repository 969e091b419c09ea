// Checks a public bundle where it is read, without trusting whoever serves it.
//
// Every signature, hash and proof is computed from the bundle's bytes; nothing in it is true because
// it is there. Trust starts from the network file in the bundle, so its fingerprint is shown: a
// reader who knows it from elsewhere needs to trust nobody else. What is checked, how strictly, and
// the steps and verdicts are those of `hallmark-verify` (schemas/spec/*.md); what a body's own fields
// mean is left to it, and so is a bundle with whole logs or proofs about others.

import { Absent, Fault, Unable, hex, isBytes, need } from './bytes.mjs';
import { open, readItems, stateOf } from './bundle.mjs';
import { verifyStrict } from './ed25519.mjs';
import { isEpc, learnEpc, said } from './goods.mjs';
import { Keys, LEARNT } from './keys.mjs';
import { Versions, network } from './network.mjs';
import { follow } from './proof.mjs';
import { bind } from './shown.mjs';

/** Of the page alone: its records, its other words, its state. */
const OF_PAGE = ['page', 'words', 'state'];
/** In the order in which one rests on another. */
export const STEPS = ['network', 'bytes', 'receipt', 'checkpoint', 'witnesses', 'key', 'signature',
  'cited', 'revocations', ...OF_PAGE];

const nameOf = (origin, index) => origin + ' ' + String(index).padStart(16, '0');

/** Follows the proofs of logs whose key is known; gives the places that they show, and those left.
 *  `entries` has what is known to stand where. */
async function record(proofs, keys, versions, entries) {
  const found = [], left = [];
  for (const one of proofs) {
    const { item, proof } = one, { origin, size } = proof.note;
    const step = (name, work) => item.step(name, work);
    let log;
    if (!await step('receipt', async () => { log = await keys.log(origin); })) continue;
    if (!log) {
      left.push(one);
      continue;
    }
    const newest = entries.get(nameOf(origin, size - 1));
    const place = await follow(proof, item.id, log, versions, newest && newest.at, step);
    if (!place) continue;
    const name = nameOf(origin, place.index), known = entries.get(name);
    if (known) {
      await step('receipt', () => need(known.entry === place.entry, 'inclusion'));
      continue;
    }
    entries.set(name, place);
    item.places.push(place);
    found.push({ ...place, name, item });
  }
  return { found, left };
}

/** Checks key and signature at one place of a log; false while nobody has introduced the key. */
async function verify(keys, place) {
  const { item } = place, { said } = item;
  let signer;
  try {
    signer = await keys.signer(said, place.time);
    if (!signer) return false;
    keys.allow(said, signer, place.time);
  } catch (error) {
    place.fault = stateOf(error).reason;
    return false;
  }
  await item.step('key', () => {});
  place.isVerified = await item.step('signature', async () =>
    need(await verifyStrict(signer.key, said.signed, said.signature), 'signature'));
  if (place.isVerified) item.verified = item.verified || place;
  return true;
}

/** Learns keys and dates logs until neither brings anything new, then checks the rest. */
async function prove(items, proofs, keys, versions) {
  const entries = new Map();
  let waiting = proofs, places = [], isNew = true;
  while (isNew) {
    const { found, left } = await record(waiting, keys, versions, entries);
    waiting = left;
    places.push(...found.filter(({ item }) => item.said));
    // Who was registrar when is asked of everything else that brings keys.
    const rank = ({ item, name }) => (item.said.kind === 'network' ? '0 ' : '1 ') + name;
    places.sort((a, b) => (rank(a) < rank(b) ? -1 : 1));
    isNew = found.length > 0;
    const rest = [];
    for (const place of places) {
      const { item } = place;
      if (!LEARNT.includes(item.said.kind) || !await verify(keys, place)) rest.push(place);
      else if (place.isVerified) {
        isNew = true;
        await item.step('key', () => keys.learn(item.said, place.time));
      }
    }
    places = rest;
  }
  for (const place of places) {
    place.fault = undefined;
    if (await verify(keys, place)) continue;
    const why = place.fault ? new Fault(place.fault) : new Absent('key-unknown');
    await place.item.step('key', () => { throw why; });
  }
  for (const { item } of waiting) {
    await item.step('receipt', () => { throw new Absent('log-unknown'); });
  }
}

/** Ids that a log's own organisation says it erased there: their bodies are not missing. */
function erasures(items) {
  const gone = new Set();
  for (const { verified, said } of items) {
    if (!verified || said.kind !== 'erasure') continue;
    const owner = said.iss.split(':').slice(3).join('-');
    if (verified.origin.split('/')[1] === owner) gone.add(hex(said.body.get('erased')));
  }
  return gone;
}

/** What is in no log, what a log has and is not here, and what is cited and not here. */
async function conclude(items) {
  const gone = erasures(items), here = new Set(items.filter(one => one.type).map(({ id }) => id));
  for (const item of items) {
    if (!item.steps.receipt) await item.step('receipt', () => need(false, 'unlogged'));
    if (!item.type && !gone.has(item.id) && item.places.length) {
      await item.step('bytes', () => { throw item.isDamaged ? new Fault('digest') : new Absent('withheld'); });
    }
    if (!item.verified) continue;
    for (const id of (item.said.body.get('cites') || []).map(hex)) {
      const isKnown = here.has(id) || gone.has(id);
      await item.step('cited', () => { if (!isKnown) throw new Absent('cited'); });
    }
  }
}

/** One state for each step over all attestations: the worst, with how many it is of. A step that
 *  rests on one that does not hold was not reached by all. */
function summary(items, start, own) {
  const steps = [];
  for (const name of STEPS) {
    if (name === 'network') {
      steps.push({ name, ...start });
      continue;
    }
    const isOwn = OF_PAGE.includes(name);
    if (isOwn && !(own && own[name])) continue;
    const all = isOwn ? own[name] : items, reached = all.filter(item => item.steps[name]);
    const of = status => reached.filter(item => item.steps[name].status === status);
    const [first] = [...of('failed'), ...of('missing'), ...of('unchecked')];
    const isOfLog = ['receipt', 'checkpoint', 'witnesses'].includes(name);
    const isStopped = steps.some(before => !['ok', 'unchecked'].includes(before.status)
      && !(isOfLog && before.name === 'bytes'));
    const count = ['cited', 'revocations', 'words', 'state'].includes(name) ? {}
      : { count: of('ok').length, of: all.length };
    if (start.status !== 'ok') steps.push({ name, status: 'skipped' });
    else if (first) steps.push({ name, ...first.steps[name], id: first.id, words: first.words, ...count });
    // A key is given up in its registrar's log, of which such a bundle never holds all entries.
    else if (name === 'revocations') steps.push({ name, status: 'unchecked', reason: 'no-log' });
    else steps.push({ name, status: isStopped ? 'skipped' : 'ok', ...count });
  }
  return steps;
}

/** What is wrong with the start, or nothing. */
async function examine(report, bytes, shown) {
  const { asOf, file, items: raw } = open(bytes);
  report.asOf = asOf;
  let root;
  try {
    root = await network(file);
  } catch (error) {
    report.steps = summary([], stateOf(error), shown && { page: [], words: [], state: [] });
    return;
  }
  const { items, proofs } = await readItems(raw);
  if (items.some(({ said: one }) => one && said(one).all.some(isEpc))) await learnEpc();
  const logged = proofs.filter(({ item }) => item.said && item.said.kind === 'network')
    .map(({ item, proof }) => [item.said.body.get('file'), proof.at])
    .filter(([bytes]) => isBytes(bytes));
  const versions = await Versions.of(root, logged);
  const keys = await Keys.of(root);
  await prove(items, proofs, keys, versions);
  await conclude(items);
  for (const { said, verified } of items) if (verified) said.since = keys.doubtedSince(said, verified.time);
  const own = shown && await bind(items, shown, Date.now());
  const isWitnessed = root.policy.quorum !== null;
  report.network = { name: root.name, version: root.version, fingerprint: root.fingerprint, isWitnessed };
  report.steps = summary(items, { status: 'ok' }, own);
  const isInDoubt = ({ said, verified }) => verified && keys.isInDoubt(said, verified.time);
  report.doubted = items.filter(isInDoubt).length;
  report.items = items.map(({ id, said, steps, places, verified }) => ({
    id, kind: said && said.kind, issuer: said && said.iss, isProved: Boolean(verified), steps,
    places: places.map(({ origin, index, time }) => ({ origin, index, time })),
  }));
}

/**
 * Checks a bundle, and, if it is given, what a page `shown` says of it (shown.mjs). The report:
 * `verdict` (`ok`, `failed`, `incomplete`: a record or key that it needs is not there,
 * or of what the page shows not all can be checked; `cannot`, with
 * the `reason`), `steps` ({name, status: ok|failed|missing|skipped|unchecked, count, of, reason, id of
 * the first record at fault, `words` that no record bears}), `doubted` (records of which nobody can tell
 * whether their key was in force), `network` ({name, version, fingerprint, isWitnessed}), `asOf` (ms),
 * `items` ({id, kind, issuer, isProved, steps, places: [{origin, index, time}]}).
 */
export async function check(bytes, shown) {
  const report = { verdict: 'cannot', steps: [], network: null, asOf: null, doubted: 0, items: [] };
  try {
    if (typeof BigInt !== 'function') throw new Unable('browser');
    await examine(report, bytes, shown);
  } catch (error) {
    return { ...report, steps: [], reason: error instanceof Unable ? error.code : 'browser' };
  }
  const of = status => report.steps.filter(step => step.status === status);
  const isLeft = of('missing').length || of('unchecked').some(({ name }) => OF_PAGE.includes(name));
  report.verdict = of('failed').length ? 'failed' : isLeft ? 'incomplete' : 'ok';
  return report;
}
