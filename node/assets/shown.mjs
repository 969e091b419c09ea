// Holds what a page shows against the bundle that was checked: without that, another item's good
// bundle would do.
//
// The page says what it shows in attributes: on the element with `data-check` the goods
// (`data-goods`, their canonical text), the ids of every public record (`data-records`) and of every
// record that its node calls damaged (`data-damaged`), and of how many records that are not public it
// tells something (`data-hidden`); on each element that states a record its id (`data-record`), and, as
// far as stated there, its kind (`data-kind`), issuer (`data-by`), place (`data-log`, `data-entry`),
// time (`data-time`, the earliest and latest instant), step and month of an event (`data-step`,
// `data-month`), finding that it answers (`data-finding`), kilograms (`data-kg`); and on each element
// whose text a record has (`data-words`), that text being of the record around it, else of any.

import { Absent, Fault, Unread, hex, isBytes, isInstant, need } from './bytes.mjs';
import { Item } from './bundle.mjs';

const plain = id => id.replace(/^sha256:/, '');
const listed = (text = '') => text.split(' ').filter(Boolean);

/** What the page around this element shows. */
export const read = host => ({
  goods: host.dataset.goods,
  ids: listed(host.dataset.records),
  damaged: listed(host.dataset.damaged),
  hidden: Number(host.dataset.hidden || 0),
  stated: [...document.querySelectorAll('[data-record]')].map(one => ({ ...one.dataset })),
  words: [...document.querySelectorAll('[data-words]')].map(one => {
    const around = one.closest('[data-record]');
    return [one.textContent, around && around.dataset.record];
  }),
});

/** A text without its percent signs; one that has others stays. */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch (malformed) {
    return text;
  }
}

/** Digits with GS1's check digit. */
function checked(digits) {
  const sum = [...digits].reverse().reduce((sum, digit, at) => sum + digit * (at % 2 ? 1 : 3), 0);
  return digits + (10 - sum % 10) % 10;
}

/** EPC schemes of GS1 keys: what stands before the key; how that is made of company prefix and
 *  reference (the first digit of the reference in front, and a check digit; the check digit alone; as
 *  they are); what stands before the serial; how many fields of digits are between. */
const EPC = {
  sgtin: ['/01/', 'front', '/21/'], lgtin: ['/01/', 'front', '/10/'],
  upui: ['/01/', 'front', '/235/'], itip: ['/8006/', 'front', '/21/', 2],
  sscc: ['/00/', 'front'], gsin: ['/402/', 'check'], gsrn: ['/8018/', 'check'],
  gsrnp: ['/8017/', 'check'], pgln: ['/417/', 'check'], sgln: ['/414/', 'check', '/254/'],
  grai: ['/8003/0', 'check', ''], gdti: ['/253/', 'check', ''], sgcn: ['/255/', 'check', ''],
  giai: ['/8004/', 'as is'], ginc: ['/401/', 'as is'], cpi: ['/8010/', 'as is', '/8011/'],
};

/** The path of an EPC URN; nothing of one of another scheme. */
function ofEpc(text) {
  const [, scheme, value] = /^urn:epc:(?:id|idpat|class):(\w+):(.+)$/.exec(text) || [];
  if (!Object.hasOwn(EPC, scheme)) return '';
  const [before, how, joint, between = 0] = EPC[scheme];
  const [company, second = '', ...rest] = value.split('.');
  const reference = joint === undefined ? [second, ...rest].join('.') : second;
  const key = how === 'front' ? checked(reference[0] + company + reference.slice(1))
    : how === 'check' ? checked(company + reference) : company + reference;
  const serial = joint === undefined ? '' : rest.slice(between).join('.');
  const isBare = ['', '*'].includes(serial) || (scheme === 'sgln' && serial === '0');
  return before + key + rest.slice(0, between).join('') + (isBare ? '' : joint + serial);
}

/** The canonical text of goods, decoded, whatever form a record has them in; null if it is none. */
export function canonical(text) {
  let path = ofEpc(text);
  if (!path && /^https?:\/\//i.test(text)) {
    const own = /\/goods\/(\w+)\/([^?#]+)/.exec(text);
    if (own) return decoded(`urn:hallmark:goods:${own[1]}:${own[2]}`);
    [path] = /\/(?:0[01]|25[35]|4\d\d|80\d\d)\/[^?#]+$/.exec(text.replace(/[?#].*/, '')) || [];
    const [, gtin, fine] = /^\/01\/(\d{14})(\/.*)?$/.exec(path || '') || [];
    // The finest qualifier alone, as in the canonical text.
    const [finest] = [21, 10].map(code => new RegExp(`/${code}/[^/]+`).exec(fine)).filter(Boolean);
    if (gtin) path = '/01/' + gtin + (finest || '');
    else if (/^\/01\//.test(path)) path = '';
  }
  if (path) return 'https://id.gs1.org' + decoded(path);
  return text.startsWith('urn:hallmark:goods:') ? text : null;
}

/** Every text and number within. */
function* leaves(value) {
  if (value instanceof Map) for (const one of value.values()) yield* leaves(one);
  else if (value && typeof value === 'object' && !ArrayBuffer.isView(value)) {
    for (const one of Object.values(value)) yield* leaves(one);
  } else yield value;
}

/** What a record says: of an event what its EPCIS text does. */
function said({ kind, sub, body }) {
  const epcis = kind === 'event' ? JSON.parse(body.get('epcis')) : null;
  return { epcis, all: [sub, ...leaves(body), ...leaves(epcis)] };
}
const isText = one => typeof one === 'string';
const normal = text => canonical(text) || text;

/** Whether a record speaks of the goods or their class. What is said of an item's lot counts too, but
 *  for events: one that names a lot may be of other items. `units` held the goods: events of them do. */
function speaksOf(item, goods, units) {
  const wanted = decoded(goods), [, party] = /\/417\/(\d{13})$/.exec(wanted) || [];
  if (party && item.said.sub === 'urn:hallmark:org:gln:' + party) return true;
  const [, gtin] = /^https:\/\/id\.gs1\.org\/(?:01|8006)\/(\d{14})/.exec(wanted) || [];
  const family = gtin && 'https://id.gs1.org/01/' + gtin, isEvent = item.said.kind === 'event';
  const countsLots = family && !isEvent && !wanted.includes('/10/');
  return said(item.said).all.filter(isText).map(canonical).some(found => found === wanted
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
  if (kind === 'response') return true;
  const named = new Set(others.flatMap(({ said: one }) =>
    [one.iss, ...said(one).all.filter(isText)].map(normal)));
  const before = body.get('replaces'), places = body.get('locations') || [];
  return [sub, ...places].some(one => named.has(normal(one)))
    || (isBytes(before) && others.some(({ id }) => id === hex(before)));
}

const dayOf = at => new Date(at).toISOString().slice(0, 10);

/** Whether a record has these words: its text, the day of its instant, or the last before it. */
function has(item, words) {
  const { all } = said(item.said);
  const days = all.filter(isInstant).flatMap(at => [dayOf(at), at > 0 ? dayOf(at - 1) : '']);
  const isSaid = text => all.includes(text) || days.includes(text);
  return isSaid(words) || words.split(' · ').every(isSaid);
}

/** Whether a record is what the page states of it. */
function agrees({ said: record, places }, one) {
  const { kind, iss, body } = record, { epcis } = said(record);
  need(one.kind === undefined || one.kind === kind, 'page-kind');
  need(one.by === undefined || one.by === iss, 'page-issuer');
  need(one.time === undefined || places.some(place => isThere(place, one)), 'page-time');
  const answers = one.finding === undefined || plain(one.finding) === hex(body.get('finding'));
  const step = one.step === undefined || String(epcis.bizStep).endsWith(one.step);
  const month = one.month === undefined || dayOf(Date.parse(epcis.eventTime)).startsWith(one.month);
  const grams = Number(body.get('amount_g')) * 10 ** ((body.get('scale_e10') || 0) - 3);
  const kg = one.kg === undefined || Math.abs(grams - one.kg) <= Math.abs(grams) * 1e-9;
  need(answers && step && month && kg, 'page-words');
}

/** Whether a place is the stated one, and its time agrees: both intervals hold the instant. */
function isThere({ origin, index, time }, { log, entry, time: stated }) {
  const [lo, hi] = stated.split(' ').map(at => Date.parse(at));
  return origin === log && index === Number(entry) && time[0] <= hi && lo <= time[1];
}

/** One item for each record that the page shows, with its step `page`. */
export async function bind(items, { goods, ids, damaged, hidden, stated, words }) {
  const known = new Map(items.map(item => [item.id, item]));
  const isFaulty = one => one.fault !== undefined;
  const faulty = new Set([...damaged, ...stated.filter(isFaulty).map(one => one.record)].map(plain));
  const wanted = new Set([...[...ids, ...stated.map(one => one.record)].map(plain), ...faulty]);
  const hasAny = [...wanted].some(id => known.has(id));
  const proved = items.filter(item => item.verified && wanted.has(item.id));
  const units = unitsOf(goods, proved);
  const others = proved.filter(item => speaksOf(item, goods, units));
  const found = [...wanted].map(id => new Item(id));
  for (const line of found) {
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
  for (const [text, record] of words) {
    const of = record ? proved.filter(({ id }) => id === plain(record)) : proved;
    const line = found.find(({ id }) => record && id === plain(record)) || found[0];
    if (line && of.length) await line.step('page', () => need(of.some(one => has(one, text)), 'page-words'));
  }
  // What the page leaves out, a recall perhaps, came after it was made, or was kept from it.
  for (const item of items.filter(one => one.verified && one.type === 3 && !wanted.has(one.id))) {
    const line = new Item(item.id);
    await line.step('page', () => { throw new Absent('page-more'); });
    found.push(line);
  }
  for (let count = 0; count < hidden; count++) {
    const line = new Item('');
    await line.step('page', () => { throw new Unread('page-hidden'); });
    found.push(line);
  }
  if (!found.length) {
    found.push(new Item(''));
    await found[0].step('page', () => { throw new Absent('page-none'); });
  }
  return found;
}
