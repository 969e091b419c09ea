// The items of a public bundle (schemas/spec/bundle.md): attestations, and what proves that a log
// holds them.

import {
  Fault, Reader, Unable, fields, hex, isBytes, isInstant, need, same, sha256, uint64,
} from './bytes.mjs';
import { attestation } from './cose.mjs';
import { receipt, tlogProof } from './proof.mjs';

const BUNDLE_BYTES_MAX = 16 << 20;
const ITEM_BYTES_MAX = (1 << 20) + 256;
/** Types of items, of which those of CHECKED are checked here. */
const TYPES = [0, 1, 2, 3, 4, 5, 6, 7, 8, 15], END = 15, CHECKED = [2, 3, 4, 5, 7, END];

/** Header and items; what is cut, moved, repeated or added is refused. */
function cut(bytes) {
  const reader = new Reader(bytes), items = new Map(TYPES.map(type => [type, []]));
  const [v, asOf, file] = fields(reader.item(), 'v', 'as_of', 'network');
  need(v === 1 && isInstant(asOf) && isBytes(file) && reader.at <= ITEM_BYTES_MAX, 'bundle');
  let last = 0, count = 0;
  for (; reader.at < bytes.length; count++) {
    const from = reader.at, item = reader.item();
    need(Array.isArray(item) && item.length === 2 && isBytes(item[1]), 'bundle');
    const [type, content] = item, alike = items.get(type);
    need(alike && type >= last && last !== END, 'bundle');
    need(reader.at - from <= (type === 8 ? 3 : 1) * (1 << 20) + 256, 'bundle');
    need((type !== 4 && type !== 5) || content.length >= 32, 'bundle');
    need(type !== 7 || content.length === 64 && !same(...halves(content)), 'bundle');
    need(!alike.some(other => same(other, content)), 'bundle');
    if (type === END) need(content.length === 8 && uint64(content) === count, 'bundle');
    last = type;
    alike.push(content);
  }
  need(last === END, 'bundle');
  return { asOf, file, items };
}

const halves = bytes => [bytes.subarray(0, 32), bytes.subarray(32)];

/** The same; what is no bundle is told apart from one whose records do not hold. */
export function open(bytes) {
  if (bytes.length > BUNDLE_BYTES_MAX) throw new Unable('size');
  let found;
  try {
    found = cut(bytes);
  } catch (error) {
    throw new Unable(error instanceof Unable ? error.code : 'bundle');
  }
  const isOther = type => found.items.get(type).length && !CHECKED.includes(type);
  if (TYPES.some(isOther)) throw new Unable('items');
  return found;
}

/** Turns what goes wrong into the state of a step; what no step foresees is a malformed input. */
export function stateOf(error) {
  if (error instanceof Unable) throw error;
  return error instanceof Fault ? { status: error.status, reason: error.code }
    : { status: 'failed', reason: 'shape' };
}

const WORSE = ['ok', 'unchecked', 'missing', 'failed'];

/** An attestation: what it says, if it is here, how each step came out, and its places in logs. */
export class Item {
  steps = {};
  places = [];

  constructor(id) { this.id = id; }

  /** Runs a part of a step; of several parts the worst counts. */
  async step(name, work) {
    let state = { status: 'ok' };
    try {
      await work();
    } catch (error) {
      state = stateOf(error);
    }
    const before = this.steps[name] || { status: 'ok' };
    const isWorse = WORSE.indexOf(before.status) < WORSE.indexOf(state.status);
    this.steps[name] = isWorse ? state : before;
    return state.status === 'ok';
  }
}

/** Parses every attestation once, and every proof: of some attestations there is only a proof. */
export async function readItems(raw) {
  const items = new Map(), proofs = [];
  const of = id => items.get(id) || items.set(id, new Item(id)).get(id);
  for (const type of [2, 3]) {
    for (const bytes of raw.get(type)) {
      const item = of(hex(await sha256(bytes)));
      item.type = type;
      await item.step('bytes', async () => { item.said = await attestation(bytes); });
    }
  }
  for (const [type, parse] of [[4, receipt], [5, tlogProof]]) {
    for (const bytes of raw.get(type)) {
      const [id, rest] = halves(bytes), item = of(hex(id));
      let proof;
      if (!await item.step('receipt', () => { proof = parse(rest); })) continue;
      proofs.push({ item, proof });
      await item.step('receipt', () =>
        need(!item.said || proof.audience === item.said.aud, 'audience'));
    }
  }
  for (const bytes of raw.get(7)) of(hex(halves(bytes)[0])).isDamaged = true;
  return { items: [...items.values()], proofs };
}
