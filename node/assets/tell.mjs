// What a page may say: every text that it shows of a record is made here anew, from that record.
//
// A field is the name in `data-of` (read.mjs); its function gives the texts that are right for an
// item, or nothing where its record has no such field. What depends on the day is right for some
// minutes before and after: page and browser have not one clock. Phrases are called by their English
// text (wording-en.mjs, wording-zh.mjs, which are generated from the page's own source).

import { hex, isBytes } from './bytes.mjs';
import { canonical, dayOf, decoded, isText, normal, said } from './goods.mjs';

/** So far page and browser may be apart, ms. */
export const APART_MS = 600_000;
export const HOST = 'https://id.gs1.org';

export const at = (body, ...path) =>
  path.reduce((value, key) => (value instanceof Map ? value.get(key) : undefined), body);
export const lastDay = end => dayOf(end > 0 ? end - 1 : end);
const isOver = (end, now) => end >= 0 && lastDay(end) < dayOf(now);
/** How far a clock is ahead of UTC, ms; nothing where none is told. */
export const ahead = offset => (offset ? Date.parse('1970-01-01T00:00Z') - Date.parse('1970-01-01T00:00' + offset) : 0);
/** What stands behind a day of UTC. */
export const UTC = ' UTC';
/** A statement's instant on the clock by which it is meant, and what to say of that clock. */
export const onClock = (body, key) => body.get(key) + ahead(body.get('utc_offset'));
export const zone = body => (body.has('utc_offset') ? '' : UTC);
export const minute = text =>
  `${text.slice(0, 10)} ${text.slice(11, 16)} UTC`;

/** `amount` times ten to the power of `scale`, exactly. */
function decimal(amount, scale) {
  const digits = String(amount).replace('-', ''), sign = String(amount) === digits ? '' : '-';
  if (scale >= 0) return sign + digits + (digits === '0' ? '' : '0'.repeat(scale));
  const padded = digits.padStart(1 - scale, '0');
  const part = padded.slice(scale).replace(/0+$/, '');
  return sign + padded.slice(0, scale) + (part && '.' + part);
}

/** What makes two records of one issuer the same statement, of the kinds on which a state rests. */
const PARTS = {
  accreditation: ['sub', 'scheme', 'number', 'from_at'], certificate: ['id'], masterdata: ['sub', 'from_at'],
  recall: ['recall'], label: ['class', 'order', 'scheme', 'first', 'last', 'state'],
};
function identity({ id, said: record }) {
  const { kind, iss, sub, body } = record, { eventID: of, errorDeclaration: error } = epcisOf(record);
  if (of) return JSON.stringify([iss, of, error]);
  return PARTS[kind]
    ? JSON.stringify([kind, iss, ...[...PARTS[kind], 'replaces'].map(key => (key === 'sub' ? sub : String(body.get(key))))]) : id;
}

/** Marks what its log refused: it contradicts an earlier entry, and is evidence of that alone. */
export function markRefused(items) {
  const first = new Map(), placed = item => item.places.map(({ origin, index }) => [origin + identity(item), index]);
  for (const [name, index] of items.flatMap(placed)) if (!(first.get(name) < index)) first.set(name, index);
  for (const item of items) item.isRefused = placed(item).every(([name, index]) => first.get(name) < index);
}
/** Fields of the list of records, which has refused ones too. */
const LISTED = ['record', 'by', 'recorded', 'id'];

/** Verified items that were not refused and that no later version of their issuer replaces; whoever replaces
 *  what was refused corrects what it contradicts. */
export function lastVersions(items) {
  const named = new Set(items.flatMap(({ said: { body, iss } }) => {
    const before = body.get('replaces');
    return isBytes(before) ? [hex(before) + iss] : [];
  }));
  const replaced = new Set(items.filter(({ id, said: { iss } }) => named.has(id + iss)).map(identity));
  return items.filter(item => !item.isRefused && !replaced.has(identity(item)));
}

/** How a certificate stands at an instant, in the English words of the page: what a revoked key
 *  signed `since` vouches for nothing. */
export function standing({ body, since }, now) {
  if (since >= 0 || body.get('withdrawn_at') <= now) return 'withdrawn';
  if (isOver(onClock(body, 'valid_to'), now + ahead(body.get('utc_offset')))) return 'expired';
  return now < body.get('valid_from') ? 'not in force yet' : 'in force';
}
export const FAULTY = ['withdrawn', 'expired'];

/** What turns the order of characters, which no page shows as it is. */
const TURNS = /[\u202a-\u202e\u2066-\u2069]/g;

export class Teller {
  /** `items` are the verified ones of the page, `all` those of the bundle, `whole` with all others. */
  constructor(items, all, whole, units, { goods, language, wording, fields, weighs, pieces }, now) {
    this.describer = (pieces.find(({ of }) => of === 'describer') || {}).text;
    Object.assign(this, { items, all, whole, units, goods, language, wording, weighs });
    this.fields = { ...FIELDS, ...fields };
    this.last = lastVersions(items);
    this.times = [now, now - APART_MS, now + APART_MS];
  }

  /** A phrase in the language of the page. */
  say(key) { return this.wording.said[key]; }

  /** A mark between words, which Chinese has several of. */
  mark(en, zh) { return this.language === 'en' ? en : zh; }

  /** A word of a table; what is not in it stays. */
  word(table, key) {
    const known = this.wording[table] || {};
    return Object.hasOwn(known, key) ? known[key] : key;
  }

  region(code) {
    const has = table => Object.hasOwn(this.wording[table] || {}, code);
    const [table] = ['regions', 'countries'].filter(has), country = code.split('-')[0];
    if (table) return this.word(table, code);
    const name = code.includes('-') ? this.word('countries', country) : country;
    return name === country ? code : `${name} (${code})`;
  }

  /** Words in several languages as the page chooses among them. */
  text(words) {
    const of = language => at(words, language);
    return of(this.language) || of('zh-Hans') || of('en');
  }

  /** An organisation by its name in law, as registrars say it, else its identifier. */
  called(org) {
    const names = this.all.filter(({ said: { kind, sub } }) => kind === 'organisation' && sub === org)
      .sort((a, b) => a.verified.time[1] - b.verified.time[1]);
    return names.length ? names.at(-1).said.body.get('legal_name') : org;
  }

  /** Facilities and descriptions of a place. */
  described(point) {
    return this.items.filter(({ isRefused, said: { kind, sub, body } }) => !isRefused
      && ['facility', 'masterdata'].includes(kind) && (kind === 'facility' || at(body, 'about', 'location'))
      && [sub, ...body.get('locations') || []].some(one => point && normal(one) === normal(point)));
  }

  /** What is said of the place of an event. */
  placed(epcis) {
    const point = at0(epcis.readPoint) || at0(epcis.bizLocation);
    return { point, known: this.described(point).map(one => one.said) };
  }

  placeName({ kind, body }) { return kind === 'facility' ? body.get('name') : this.text(body.get('name')); }

  /** The months in which buyers confirmed the goods. */
  confirmedMonths() {
    const months = this.items.filter(({ said: { kind } }) => kind === 'confirmation')
      .map(({ said: { body } }) => body.get('day').slice(0, 7));
    return [...new Set(months)].sort().join(this.mark(', ', '、')) + UTC;
  }

  /** Those of the bundle with these ids, proved or not. */
  damaged(ids) { return this.whole.filter(({ id }) => ids.includes(id)); }

  /** The texts that are right for a piece of the page, of this item. */
  expected(piece, item) {
    const isOf = (!item.isRefused || LISTED.includes(piece.of)) && KINDS_OF.every(([kind, fields]) => kind === item.said.kind || !fields.includes(piece.of));
    const make = isOf && Object.hasOwn(this.fields, piece.of) ? this.fields[piece.of] : () => [];
    return [make(item.said, this, item, piece)].flat(3).filter(one => typeof one === 'string')
      .map(one => one.replace(TURNS, '\ufffd'));
  }
}

const at0 = place => (place && typeof place.id === 'string' ? place.id : undefined);
const ilmd = (epcis, name) => Object.entries(epcis && epcis.ilmd || {})
  .filter(([key]) => key.split(':').at(-1) === name).map(([, value]) => value);
const epcisOf = record => said(record).epcis || {};

/** Of the last day of use, which may have passed. */
export const expiries = record => [at(record.body, 'about', 'lot', 'expiry'),
  ...ilmd(epcisOf(record), 'itemExpirationDate')].filter(one => typeof one === 'string')
  .flatMap(one => (one.length > 10 ? [one, one.slice(0, 10)] : [one]));
/** The lot in an identifier, also in one of an item. */
const lotIn = text => decoded((/\/(?:01|8006|gtin|itip)\/\d+\/(?:(?:22|cpv)\/[^/]+\/)?(?:10|lot)\/([^/?#]+)/
  .exec(text) || [])[1] || '');
/** The lots that a record gives the goods. */
export const lotsOf = (record, { goods }) => [at(record.body, 'about', 'lot', 'lot'),
  record.kind === 'label' ? record.body.get('lot') : undefined, ...ilmd(epcisOf(record), 'lotNumber'),
  ...said(record).all.filter(one => record.kind === 'event' && isText(one)
    && canonical(one) === decoded(goods)).map(lotIn).filter(Boolean)];
/** Whether an event gives items this lot. */
export const isOfLot = (record, wanted) => {
  const [, family, lot] = /^(.*\/01\/\d{14})\/10\/(.*)$/.exec(wanted) || [];
  const isStated = ilmd(epcisOf(record), 'lotNumber').includes(lot);
  return !!lot && said(record).all.some(one => isText(one) && (canonical(one) || '').startsWith(family)
    && (isStated || lotIn(one) === lot));
};
export const goodsOf = ({ sub, body }) =>
  [sub, ...body.get('covers') || []].map(canonical).filter(Boolean);

/** Whether other goods were made of these. */
const isUsedUp = ({ inputEPCList: items, inputQuantityList: amounts }, goods) => [items, amounts].flat()
  .map(one => (one && one.epcClass) || one).some(one => isText(one) && canonical(one) === decoded(goods));

export const accredited = (record, now) =>
  (record.body.get('status') === 'in_force' ? standing(record, now) : 'withdrawn');

function verification({ iss, body }, t) {
  const [by, level] = ['body', 'assurance'].map(key => at(body, 'verification', key));
  if (!by) return t.say('none is claimed');
  return [t.say('according to '), t.called(iss), t.say(', verified by '), t.called(by),
    t.mark('', '核查'), level ? t.mark(', ', '，') + t.word('footprint', level) : '',
    t.say('; not signed by the verifier')].join('');
}

/** Fields of one kind of record alone. */
const KINDS_OF = [
  ['certificate', ['standard', 'number', 'status', 'valid', 'faulty']],
  ['recall', ['since', 'action', 'contact', 'lots']], ['confirmation', ['confirmed']],
  ['event', ['step', 'region', 'place', 'month', 'inside']],
  ['footprint', ['kg', 'per', 'boundary', 'period', 'verification', 'primary']],
  ['finding', ['code', 'severity', 'message', 'subject', 'looked']], ['response', ['answer', 'answered']],
];

const FIELDS = {
  name: ({ kind, body }, t) => ({ masterdata: () => t.text(body.get('name')),
    facility: () => body.get('name'), organisation: () => body.get('legal_name') }[kind] || (() => []))(),
  brand: ({ body }, t) => t.text(at(body, 'about', 'item', 'brand')),
  content: ({ body }) => at(body, 'about', 'item', 'content'),
  look: ({ body }, t) => t.text(at(body, 'about', 'item', 'look_for')),
  describer: ({ kind, iss }, t) => (['masterdata', 'facility'].includes(kind) ? t.called(iss) : []),
  maker: ({ kind, iss, body }, t) => (['masterdata', 'label'].includes(kind)
    ? t.called(at(body, 'about', 'item', 'maker') || iss) : []),
  lot: lotsOf,
  produced: ({ body }) => at(body, 'about', 'lot', 'produced_on'),
  expiry: (record, t) => expiries(record).map(day => t.times.map(now =>
    day + (day.length === 10 && day < dayOf(now) ? ' · ' + t.say('this day has passed') : ''))),
  markets: ({ body }, t) => {
    const codes = at(body, 'about', 'lot', 'markets');
    return codes ? codes.map(code => t.region(code)).join(t.mark(', ', '、')) : [];
  },
  reason: ({ kind, body }, t) => (kind === 'recall' ? t.text(body.get('why')) : body.get('reason')),
  by: ({ iss }, t) => t.called(iss),
  standard: ({ body }) => body.get('standard'),
  number: ({ body }) => body.get('id'),
  status: (record, t) => t.times.map(now => t.say(standing(record, now))),
  valid: ({ body }) => `${dayOf(onClock(body, 'valid_from'))} – `
    + (body.has('valid_to') ? lastDay(onClock(body, 'valid_to')) : '…') + zone(body),
  accreditation: (record, t) => {
    const { kind, iss, body } = record;
    if (kind !== 'accreditation') {
      const isOf = ({ said: one }) => one.kind === 'accreditation' && one.sub === iss;
      return t.last.some(isOf) ? [] : t.say('none is recorded');
    }
    const why = body.get('status') === 'in_force' ? undefined : body.get('reason');
    return t.times.map(now => [t.say(accredited(record, now)), body.get('number'), t.called(iss),
      ...(why ? [t.say('reason: ') + why] : []),
      ...(body.has('valid_to') ? [t.say('until ') + lastDay(body.get('valid_to')) + UTC] : [])].join(' · '));
  },
  step: (record, t) => {
    const step = isUsedUp(epcisOf(record), t.goods) ? 'used_up' : epcisOf(record).bizStep;
    if (typeof step !== 'string') return t.say('recorded');
    return [t.word('steps', step.split(/[:-]/).at(-1)), t.word('steps', step)];
  },
  region: (record, t) => t.placed(epcisOf(record)).known
    .map(({ body }) => t.region(body.get('province') || at(body, 'about', 'location', 'region'))),
  place: (record, t) => {
    const { point, known } = t.placed(epcisOf(record));
    if (!known.length) return [point, point && normal(point)];
    return known.map(one => t.placeName(one));
  },
  month: record => {
    const { eventTime, eventTimeZoneOffset } = epcisOf(record);
    return dayOf(Date.parse(eventTime) + ahead(eventTimeZoneOffset)).slice(0, 7);
  },
  kg: ({ body }) => decimal(body.get('amount_g'), (body.get('scale_e10') || 0) - 3) + ' kg CO₂e',
  per: ({ body }, t) => t.word('footprint', body.get('declared_unit')),
  boundary: ({ body }, t) => t.word('footprint', body.get('boundary')),
  period: ({ body }) => `${dayOf(body.get('period_start'))} – ${lastDay(body.get('period_end'))}${UTC}`,
  verification,
  primary: ({ body }) => `${Math.floor(body.get('primary_share_ppm') / 10_000)} %`,
  confirmed: (record, t) => t.say('Confirmed in ') + t.confirmedMonths(),
  record: ({ kind }, t, { places }) =>
    places.map(({ origin, index }) => `${t.word('kinds', kind)} · ${origin} #${index}`),
  recorded: (record, t, item, { time = '' }) => minute(time.split(' ').at(-1)),
  id: (record, t, { id }) => 'sha256:' + id,
};
