// Holds what a page shows against the bundle that was checked: without that, another item's good
// bundle would do, and so would other words than were signed.

import { Absent, Fault, Unread, hex, isBytes, need } from './bytes.mjs';
import { Item } from './bundle.mjs';
import { canonical, decoded, isText, normal, said } from './goods.mjs';
import { Teller, isOfLot, markRefused } from './tell.mjs';
import { Worded } from './worded.mjs';
import { weigh } from './state.mjs';

const plain = id => id.replace(/^sha256:/, '');

/** Whether a record speaks of the goods or their class. What is said of an item's lot counts too, but
 *  for events: one that names a lot may be of other items; of the lot itself it is. `units` held the goods: events of them do. */
function speaksOf(item, goods, units) {
  const wanted = decoded(goods), [, party] = /\/417\/(\d{13})$/.exec(wanted) || [];
  if (party && item.said.sub === 'urn:hallmark:org:gln:' + party) return true;
  const [, gtin] = /^https:\/\/id\.gs1\.org\/(?:01|8006)\/(\d{14})/.exec(wanted) || [];
  const family = gtin && 'https://id.gs1.org/01/' + gtin, isEvent = item.said.kind === 'event';
  const countsLots = family && !isEvent && !wanted.includes('/10/');
  return (isEvent && isOfLot(item.said, wanted)) || said(item.said).all.filter(isText).map(canonical).some(found => found === wanted
    || (family && found === family) || (isEvent && units.has(found))
    || (countsLots && found && found.startsWith(family + '/10/')));
}

/** What held the goods, by events that put them into it: a carton, and the pallet that this is on. */
function unitsOf(goods, items) {
  const within = new Set([decoded(goods)]), units = new Set();
  const events = items.filter(({ verified, said: one }) => verified && one.kind === 'event');
  for (let before = -1; before < units.size;) {
    before = units.size;
    for (const { parentID, childEPCs } of events.map(one => said(one.said).epcis)) {
      if (!isText(parentID) || !Array.isArray(childEPCs)) continue;
      if (!childEPCs.filter(isText).some(child => within.has(canonical(child)))) continue;
      within.add(normal(parentID));
      units.add(normal(parentID));
    }
  }
  return units;
}

/** Whether a record speaks of what those name that speak of the goods: a place, a body that vouches;
 *  or follows one of them, or answers a finding. */
function isBeside({ kind, sub, body }, others) {
  if (kind === 'response' || kind === 'erasure') return true;
  const named = new Set(others.flatMap(({ said: one }) =>
    [one.iss, ...said(one).all.filter(isText)].map(normal)));
  const before = body.get('replaces'), places = body.get('locations') || [];
  return [sub, ...places].some(one => named.has(normal(one)))
    || (isBytes(before) && others.some(({ id }) => id === hex(before)));
}

/** Whether a record is what the page states of it. */
function agrees({ said: { kind, iss, body }, places }, one) {
  need(one.kind === undefined || one.kind === kind, 'page-kind');
  need(one.by === undefined || one.by === iss, 'page-issuer');
  need(one.time === undefined || places.some(place => isThere(place, one)), 'page-time');
  need(one.finding === undefined || plain(one.finding) === hex(body.get('finding')), 'page-words');
}

/** Whether a place is the stated one, and its time agrees: both intervals hold the instant. */
function isThere({ origin, index, time }, { log, entry, time: stated }) {
  const [lo, hi] = stated.split(' ').map(at => Date.parse(at));
  return origin === log && index === Number(entry) && time[0] <= hi && lo <= time[1];
}

/** The text of each piece that is a field of a record, against what that record says. */
async function compare(pieces, teller, found) {
  for (const piece of pieces) {
    const of = teller.items.filter(({ id }) => !piece.record || id === plain(piece.record));
    const line = found.find(({ id }) => of.some(item => item.id === id));
    const isRight = of.some(item => teller.expected(piece, item).includes(piece.text));
    if (line) await line.step('page', () => need(isRight, 'page-words'));
  }
}

/** What the page shows that no record bears, and is no wording of its own: nobody signed it. */
function unborne(shown, teller, worded, proved) {
  const isOwn = ({ of }) => Object.hasOwn(worded.own, of);
  const isFree = piece => isOwn(piece) ? worded.own[piece.of](piece) : worded.isWording(piece.text);
  const isOf = ({ record }) => !record || proved.some(({ id }) => id === plain(record));
  const isBound = piece => piece.of !== '' && !isOwn(piece);
  const loose = shown.pieces.filter(piece => !isBound(piece) && !isFree(piece));
  const away = shown.pieces.filter(piece => isBound(piece) && (!isOf(piece) || !worded.isInPlace(piece)));
  return [...loose, ...away].map(({ text }) => text);
}

/** For each record that the page shows an item with its step `page`; and items for what it says
 *  beside, `words`, and for its `state`. What few pages say is loaded where the rest does not hold:
 *  it knows more texts that are right, and none of those that were held against their records. */
export async function bind(items, shown, now) {
  const found = await compared(items, shown, now);
  const holds = ({ steps }) => Object.values(steps).every(({ status }) => status === 'ok');
  if (!shown.more || Object.values(found).flat().every(holds)) return found;
  return compared(items, { ...shown, ...await shown.more() }, now);
}

async function compared(items, shown, now) {
  const { goods, ids, damaged, hidden, stated, pieces = [] } = shown;
  const known = new Map(items.map(item => [item.id, item]));
  const isFaulty = one => one.fault !== undefined;
  const faulty = new Set([...damaged, ...stated.filter(isFaulty).map(one => one.record)].map(plain));
  const wanted = new Set([...[...ids, ...stated.map(one => one.record)].map(plain), ...faulty]);
  const hasAny = [...wanted].some(id => known.has(id));
  const verified = items.filter(item => item.verified);
  markRefused(verified);
  const proved = verified.filter(item => wanted.has(item.id));
  const units = unitsOf(goods, proved);
  const others = proved.filter(item => speaksOf(item, goods, units));
  const page = [...wanted].map(id => new Item(id));
  for (const line of page) {
    const item = known.get(line.id), isOf = one => plain(one.record) === line.id;
    await line.step('page', async () => {
      // Where the bundle cannot tell, the node's word against itself counts.
      if (faulty.has(line.id) && !(item && item.verified)) {
        throw new Fault(item && item.isDamaged ? 'digest' : 'page-damaged');
      }
      if (!hasAny) throw new Fault('page-other');
      if (!item) throw new Absent('page-absent');
      need(!item.isDamaged || item.type, 'digest');
      if (!item.said) throw new Absent('withheld');
      need(item.verified, 'page-unproved');
      for (const one of stated.filter(isOf)) agrees(item, one);
      need(!faulty.has(line.id), 'page-fault');
      need(others.includes(item) || isBeside(item.said, others), 'page-goods');
    });
  }
  const own = {};
  if (shown.wording) {
    const teller = new Teller(proved, verified, items, units, shown, now), worded = new Worded(shown, teller);
    await compare(pieces.filter(({ of }) => of !== '' && !Object.hasOwn(worded.own, of)), teller, page);
    const words = unborne(shown, teller, worded, proved), line = new Item('');
    const found = pieces.filter(({ of }) => of === 'found').map(({ text }) => text);
    await line.step('words', () => { if (words.length) throw new Unread('page-words-own'); });
    await line.step('words', () => { if (found.length) throw new Unread('page-found'); });
    own.words = [Object.assign(line, { words: words.length ? words : found })];
    own.state = [await weigh(shown, others, teller, faulty)];
  }
  // What the page leaves out, a recall perhaps, came after it was made, or was kept from it.
  for (const item of verified.filter(one => one.type === 3 && !wanted.has(one.id))) {
    const line = new Item(item.id);
    await line.step('page', () => { throw new Absent('page-more'); });
    page.push(line);
  }
  const closed = Math.max(hidden, pieces.filter(({ of }) => of === 'closed').length);
  for (let count = 0; count < closed; count++) {
    const line = new Item('');
    await line.step('page', () => { throw new Unread('page-hidden'); });
    page.push(line);
  }
  if (!page.length) {
    page.push(new Item(''));
    await page[0].step('page', () => { throw new Absent('page-none'); });
  }
  return { page, ...own };
}
