// Goods by one text, in whatever form a record names them, and what a record says of any.

/** A text without its percent signs; one that has others stays. */
export function decoded(text) {
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
export function said({ kind, sub, body }) {
  const epcis = kind === 'event' ? JSON.parse(body.get('epcis')) : null;
  return { epcis, all: [sub, ...leaves(body), ...leaves(epcis)] };
}
export const isText = one => typeof one === 'string';
export const normal = text => canonical(text) || text;

export const dayOf = at => new Date(at).toISOString().slice(0, 10);
