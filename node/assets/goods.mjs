// Goods by one text, in whatever form a record names them, and what a record says of any.

import { Unable } from './bytes.mjs';

/** A text without its percent signs; one that has others stays. */
export function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch (malformed) {
    return text;
  }
}

/** The path of an EPC URN, once it is known how these are read. */
let ofEpc = () => '';

/** Loads how EPC URNs are read; before, none is goods. */
export async function learnEpc() {
  ({ ofEpc } = await import('./epc.mjs').catch(() => { throw new Unable('script'); }));
}
/** Whether a text is one. */
export const isEpc = one => isText(one) && one.startsWith('urn:epc:');

/** Retired words for keys and qualifiers, which old events have. */
const WORDS = { gtin: '01', ser: '21', lot: '10', cpv: '22', sscc: '00', giai: '8004', grai: '8003', itip: '8006' };

/** The canonical text of goods, decoded, whatever form a record has them in; null if it is none. */
export function canonical(text) {
  let path = ofEpc(text);
  if (!path && /^https?:\/\//i.test(text)) {
    const own = /\/goods\/(\w+)\/([^?#]+)/.exec(text);
    if (own) return decoded(`urn:hallmark:goods:${own[1]}:${own[2]}`);
    const link = text.replace(/\/(gtin|ser|lot|cpv|sscc|giai|grai|itip)(?=\/)/g, (_, word) => '/' + WORDS[word]);
    [path] = /\/(?:0[01]|25[35]|4\d\d|80\d\d)\/[^?#]+$/.exec(link.replace(/[?#].*/, '')) || [];
    const [, gtin, fine] = /^\/01\/(\d{8}|\d{12,14})(\/.*)?$/.exec(path || '') || [];
    // The finest qualifier alone, as in the canonical text.
    const [finest] = [21, 235, 10].map(code => new RegExp(`/${code}/[^/]+`).exec(fine)).filter(Boolean);
    if (gtin) path = '/01/' + gtin.padStart(14, '0') + (finest || '');
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
export function said({ kind, sub, body }) {
  const epcis = kind === 'event' ? JSON.parse(body.get('epcis')) : null;
  return { epcis, all: [sub, ...leaves(body), ...leaves(epcis)] };
}
export const isText = one => typeof one === 'string';
export const normal = text => canonical(text) || text;

export const dayOf = at => new Date(at).toISOString().slice(0, 10);
