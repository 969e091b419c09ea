// The state that a page shows, as far as the records tell it: a recall, a certificate that was pulled
// or is past its date, a buyer's confirmation. The rest is its node's own word.

import { Unread, need } from './bytes.mjs';
import { Item } from './bundle.mjs';
import { canonical, decoded, isText, normal, said } from './goods.mjs';
import { APART_MS, FAULTY, at, goodsOf, lastVersions, lotsOf, standing } from './tell.mjs';

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
    for (const lot of lotsOf(record, { goods })) if (family && typeof lot === 'string') direct.add(`${family}/10/${lot}`);
  }
  return direct;
}

/** Whether one thing has this code, and whether it is bought by it: nobody buys a pallet. */
const isBought = goods => /^urn:|\/(?:21|235|800[34]|8011)\//.test(goods);
const isOne = goods => isBought(goods) || /\/(?:00|40[12])\//.test(goods);

/** Whether a record describes them as a lot: of many things. */
const isLot = goods => ({ said: { kind, sub, body } }) =>
  kind === 'masterdata' && at(body, 'about', 'lot') && canonical(sub) === decoded(goods);

const DAY_MS = 86_400_000;
const ANEW = ['repairing', 'repackaging', 'installing'];
const TRADED = ['arriving', 'receiving', 'accepting', 'retail_selling', 'dispensing'];
const word = one => (isText(one) ? one.split(/[:-]/).at(-1) : '');
const country = region => region.split('-')[0];

/** An event in short: whether it names the goods in the lists of these names, and what else counts. */
export function briefly({ said: record, places }, wanted) {
  const { epcis } = said(record);
  const has = (...lists) => lists.some(list =>
    (Array.isArray(epcis[list]) ? epcis[list] : []).some(one => isText(one) && canonical(one) === wanted));
  const { type, action } = epcis, step = word(epcis.bizStep);
  const isObject = type === 'ObjectEvent', isOwn = said(record).all.some(one => isText(one) && canonical(one) === wanted);
  const isBirth = has('outputEPCList') || (action === 'ADD' && has('epcList'));
  const isDestroyed = isObject && action !== 'ADD' && (step === 'destroying' || word(epcis.disposition) === 'destroyed');
  const isBack = word(epcis.disposition) === 'returned';
  return {
    iss: record.iss, epcis, places, isBirth, isOwn, time: Date.parse(epcis.eventTime), key: epcis.eventID,
    isEnd: isOwn && ((type === 'TransformationEvent' && has('inputEPCList')) || (has('epcList')
      && (isDestroyed || (isObject && action === 'DELETE' && /^(decommissioning)?$/.test(step))))),
    isReturn: isBirth || isBack || ANEW.includes(step),
    isShipping: step === 'shipping' || step === 'departing', isTraded: isBack || TRADED.includes(step),
  };
}

/** What few pages are weighed by is loaded with what they say (faults.mjs). */
function rare({ weighs }) {
  if (!weighs) throw new Unread('state-own');
  return weighs;
}

/** Whether a record was in its log before another can have been. */
const isBefore = (one, other) => one.places.some(a => other.places.some(b =>
  a.time[1] + (a.origin === b.origin ? 0 : APART_MS) < b.time[0]));

/** Whether a confirmation cannot be of the goods that the records tell of, as confirmed.rs has it:
 *  these had ended, or were not shipped yet, or are sold elsewhere. */
function isImpossible(item, events, lots, teller) {
  const { body } = item.said, from = Date.parse(body.get('day')), to = from + DAY_MS, region = body.get('region');
  const isAfter = end => (end.time < from || (end.time < to && isBefore(end, item)))
    && !events.some(one => one.isReturn && end.time <= one.time && one.time < to);
  if (events.some(one => one.isEnd && isAfter(one) && rare(teller).chainOf(events).has(one.iss))) return true;
  const [first] = events.filter(one => one.isShipping).sort((a, b) => a.time - b.time);
  const latest = Math.min(to, item.verified.time[1]) + APART_MS;
  if (first && latest < first.time && events.some(one => one.isBirth && one.iss === first.iss)
    && !events.some(one => one.isTraded && one.time <= first.time)) return true;
  if (!region || !lots.length || lots.some(all => !all || !all.length)) return false;
  const isSold = one => one === region || one === country(region)
    || (!region.includes('-') && country(one) === region);
  const texts = events.flatMap(one => said({ kind: '', body: one.epcis }).all.filter(isText));
  const been = [...new Set(texts.map(normal))].flatMap(one => teller.described(one)).map(({ said: { body: of } }) =>
    of.get('province') || at(of, 'about', 'location', 'region'));
  return !lots.flat().some(isSold) && !been.some(one => one && country(one) === country(region));
}

/** Confirmations that the records rule out. */
function impossible(goods, last, direct, teller) {
  const wanted = decoded(goods);
  const events = last.filter(({ said: { kind } }) => kind === 'event')
    .map(item => briefly(item, wanted)).filter(({ epcis, isOwn }) => isOwn || teller.units.has(epcis.parentID)
      || said({ kind: '', body: epcis }).all.some(one => isText(one) && teller.units.has(normal(one))));
  const isError = ({ iss, key }) => key && events.some(one => one.epcis.errorDeclaration && one.iss === iss && one.key === key);
  const lots = last.filter(({ said: record }) => record.kind === 'masterdata' && at(record.body, 'about', 'lot')
    && goodsOf(record).some(one => direct.has(one))).map(({ said: { body } }) => at(body, 'about', 'lot', 'markets'));
  const right = events.filter(one => !isError(one) && !one.epcis.errorDeclaration);
  return confirmed(goods, last).filter(item => isBought(goods) && isImpossible(item, right, lots, teller));
}

const confirmed = (goods, last) => last.filter(({ said: { kind, sub } }) =>
  kind === 'confirmation' && canonical(sub) === decoded(goods));

/** What the records ask for at an instant: the strongest state that they alone give. */
function asked(goods, others, now, teller) {
  const last = lastVersions(others), direct = familyOf(goods, last);
  const of = kind => last.filter(({ said: record }) =>
    record.kind === kind && goodsOf(record).some(one => direct.has(one)));
  const has = how => of('certificate').some(({ said: record }) =>
    standing(record, now) === how && !rare(teller).isSuperseded(record, last, now));
  if (of('recall').some(item => isInForce(item, now))) return 'recalled';
  const faulty = FAULTY.find(has);
  if (faulty) return faulty;
  if (impossible(goods, last, direct, teller).length) return 'copy_suspected';
  const isDoubted = last.some(({ said: { since } }) => since >= 0) && rare(teller).isDoubted;
  if (isDoubted && isDoubted(goods, last, direct, now, teller)) return 'disputed';
  return isOne(goods) && !last.some(isLot(goods)) && confirmed(goods, last).length ? 'consistent_seen' : 'consistent';
}

const isInForce = ({ said: { body } }, now) =>
  body.get('since') <= now && !(body.get('lifted_at') <= now);

/** Whether the state is what records give, or may stand in front of that. */
function holds({ state, goods }, others, faulty, now, teller) {
  const least = asked(goods, others, now, teller), recalls = others.filter(({ said: { kind } }) => kind === 'recall');
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
    need(STATES.includes(state), 'state');
    const known = shown.wording.states[state] || [];
    need(['word', 'sentence'].every((of, at) => pieces.some(one => one.of === of && one.isInBand
      && (!known[at] || known[at].includes(one.text)))), 'state');
    need(recalls.filter(one => isInForce(one, now)).every(isShown), 'state-recall');
    need(teller.times.some(now => holds(shown, others, faulty, now, teller)), 'state');
    need(state !== 'foreign' && state !== 'unreadable', 'state');
    const own = ['unknown', 'copy_suspected', 'disputed', 'stale'];
    const isAsked = teller.times.some(now => asked(shown.goods, others, now, teller) === state);
    if (own.includes(state) && !isAsked) throw new Unread('state-own');
  });
  return line;
}
