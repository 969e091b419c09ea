// The state that a page shows, as far as the records tell it: a recall, a certificate that was pulled
// or is past its date, a buyer's confirmation. The rest is its node's own word.

import { Unread, need } from './bytes.mjs';
import { Item } from './bundle.mjs';
import { canonical, decoded, said } from './goods.mjs';
import { goodsOf, isSuperseded, lastVersions, lotsOf, standing } from './tell.mjs';

/** The strongest first, as a page shows them. */
const STATES = ['unreadable', 'foreign', 'unknown', 'broken', 'recalled', 'withdrawn', 'expired',
  'copy_suspected', 'disputed', 'stale', 'consistent_seen', 'consistent'];
/** What a page must show of a recall. */
const TERMS = ['since', 'reason', 'action', 'by'];

/** The goods themselves, their class, and their lot where a record tells it. */
function familyOf(goods, items) {
  const wanted = decoded(goods), [, family] = /^(https:\/\/id\.gs1\.org\/01\/\d{14})/.exec(wanted) || [];
  const direct = new Set([wanted, ...(family ? [family] : [])]);
  for (const { said: record } of items) {
    if (record.kind === 'event' && !said(record).all.some(one => typeof one === 'string' && canonical(one) === wanted)) continue;
    if (record.kind === 'label') continue;
    for (const lot of lotsOf(record)) if (family && typeof lot === 'string') direct.add(`${family}/10/${lot}`);
  }
  return direct;
}

/** What the records ask for at an instant: the strongest state that they alone give. */
function asked(goods, others, now) {
  const last = lastVersions(others), direct = familyOf(goods, last);
  const of = kind => last.filter(({ said: record }) =>
    record.kind === kind && goodsOf(record).some(one => direct.has(one)));
  const certificates = of('certificate').filter(({ said: { body } }) => !isSuperseded(body, last, now));
  const has = how => certificates.some(({ said: { body } }) => standing(body, now) === how);
  if (of('recall').some(item => isInForce(item, now))) return 'recalled';
  const faulty = ['withdrawn', 'expired'].find(has);
  const isOne = /\/(?:21|00|8006)\//.test(goods);
  const isSeen = isOne && last.some(({ said: { kind, sub } }) => kind === 'confirmation' && canonical(sub) === decoded(goods));
  return faulty || (isSeen ? 'consistent_seen' : 'consistent');
}

const isInForce = ({ said: { body } }, now) =>
  body.get('since') <= now && !(body.get('lifted_at') <= now);

/** Whether the state is what records give, or may stand in front of that. */
function holds({ state, goods }, others, faulty, now) {
  const least = asked(goods, others, now), recalls = others.filter(({ said: { kind } }) => kind === 'recall');
  if (STATES.indexOf(state) > STATES.indexOf(least)) return false;
  if (state === 'broken') return faulty.size > 0;
  // A lot that a label order alone tells may be recalled too.
  if (state === 'recalled') return lastVersions(recalls).some(item => isInForce(item, now));
  return !['withdrawn', 'expired', 'consistent_seen'].includes(state) || state === least;
}

/** An item with the step `state`. */
export async function weigh(shown, others, teller, faulty) {
  const line = new Item(''), { state, pieces } = shown;
  const isShown = ({ id }) => TERMS.every(of => pieces.some(one =>
    one.of === of && one.isInBand && one.record && one.record.endsWith(id)));
  const recalls = lastVersions(others).filter(({ said: { kind } }) => kind === 'recall');
  await line.step('state', () => {
    const [now] = teller.times;
    const hasBand = ['word', 'sentence'].every(of => pieces.some(one => one.of === of && one.isInBand));
    need(STATES.includes(state) && hasBand, 'state');
    need(recalls.filter(one => isInForce(one, now)).every(isShown), 'state-recall');
    need(teller.times.some(at => holds(shown, others, faulty, at)), 'state');
    need(state !== 'foreign' && state !== 'unreadable', 'state');
    const own = ['unknown', 'copy_suspected', 'disputed', 'stale'];
    if (own.includes(state)) throw new Unread('state-own');
  });
  return line;
}
