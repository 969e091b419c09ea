// Holds what a page shows against the bundle that was checked: without that, another item's good
// bundle would do.
//
// The page says what it shows in attributes: on the element with `data-check` the goods
// (`data-goods`, their canonical text), the ids of every public record (`data-records`) and of every
// record that its node calls damaged (`data-damaged`), and of how many records that are not public it
// tells something (`data-hidden`); on each element that states a record its id (`data-record`), and, as far as stated there, its kind
// (`data-kind`), issuer (`data-by`), place (`data-log`, `data-entry`) and time (`data-time`, the
// earliest and latest instant).

import { Absent, Fault, Unread, need } from './bytes.mjs';
import { Item } from './bundle.mjs';

const listed = (text = '') => text.split(' ').filter(Boolean);

/** What the page around this element shows. */
export const read = host => ({
  goods: host.dataset.goods,
  ids: listed(host.dataset.records),
  damaged: listed(host.dataset.damaged),
  hidden: Number(host.dataset.hidden || 0),
  stated: [...document.querySelectorAll('[data-record]')].map(one => ({ ...one.dataset })),
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

/** Every text within. */
function* texts(value) {
  if (typeof value === 'string') yield value;
  else if (value instanceof Map) for (const one of value.values()) yield* texts(one);
  else if (value && typeof value === 'object' && !ArrayBuffer.isView(value)) {
    for (const one of Object.values(value)) yield* texts(one);
  }
}

/** Whether a record speaks of the goods or their class. What is said of an item's lot counts too, but
 *  for events: one that names a lot may be of other items. */
function speaksOf({ kind, sub, body }, goods) {
  const wanted = decoded(goods);
  const [, gtin] = /^https:\/\/id\.gs1\.org\/(?:01|8006)\/(\d{14})/.exec(wanted) || [];
  const family = gtin && 'https://id.gs1.org/01/' + gtin;
  const countsLots = family && kind !== 'event' && !wanted.includes('/10/');
  const epcis = kind === 'event' ? JSON.parse(body.get('epcis')) : null;
  for (const text of [sub, ...texts(body), ...texts(epcis)]) {
    const found = canonical(text);
    if (found === wanted || (family && found === family)) return true;
    if (countsLots && found && found.startsWith(family + '/10/')) return true;
  }
  return false;
}

/** Whether a place is the stated one, and its time agrees: both intervals hold the instant. */
function isThere({ origin, index, time }, { log, entry, time: stated }) {
  const [lo, hi] = stated.split(' ').map(at => Date.parse(at));
  return origin === log && index === Number(entry) && time[0] <= hi && lo <= time[1];
}

/** One item for each record that the page shows, with its step `page`. */
export async function bind(items, { goods, ids, damaged, hidden, stated }) {
  const known = new Map(items.map(item => [item.id, item]));
  const plain = id => id.replace(/^sha256:/, '');
  const isFaulty = one => one.fault !== undefined;
  const faulty = new Set([...damaged, ...stated.filter(isFaulty).map(one => one.record)].map(plain));
  const wanted = new Set([...[...ids, ...stated.map(one => one.record)].map(plain), ...faulty]);
  const hasAny = [...wanted].some(id => known.has(id));
  const found = [...wanted].map(id => new Item(id));
  for (const line of found) {
    const item = known.get(line.id), said = item && item.said;
    await line.step('page', async () => {
      // Where the bundle cannot tell, the node's word against itself counts.
      if (faulty.has(line.id) && !(item && item.verified)) {
        throw new Fault(item && item.isDamaged ? 'digest' : 'page-damaged');
      }
      if (!hasAny) throw new Fault('page-other');
      if (!item) throw new Absent('page-absent');
      need(!item.isDamaged || item.type, 'digest');
      if (!said) throw new Absent('withheld');
      need(item.verified, 'page-unproved');
      for (const one of stated.filter(({ record }) => plain(record) === line.id)) {
        need(one.kind === undefined || one.kind === said.kind, 'page-kind');
        need(one.by === undefined || one.by === said.iss, 'page-issuer');
        need(one.time === undefined || item.places.some(place => isThere(place, one)), 'page-time');
      }
      need(!faulty.has(line.id), 'page-fault');
      need(speaksOf(said, goods), 'page-goods');
    });
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
