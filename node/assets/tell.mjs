// What a page may say: every text that it shows of a record is made here anew, from that record.
//
// A field is the name in `data-of` (read.mjs); its function gives the texts that are right for an
// item, or nothing where its record has no such field. What depends on the day is right for some
// minutes before and after: page and browser have not one clock. Phrases are called by their English
// text (wording-en.mjs, wording-zh.mjs, which are generated from the page's own source).

import { hex, isBytes } from './bytes.mjs';
import { canonical, dayOf, normal, said } from './goods.mjs';

/** So far page and browser may be apart, ms. */
const APART_MS = 600_000;
export const HOST = 'https://id.gs1.org';

const at = (body, ...path) =>
  path.reduce((value, key) => (value instanceof Map ? value.get(key) : undefined), body);
const lastDay = end => dayOf(end > 0 ? end - 1 : end);
const isOver = (end, now) => typeof end === 'number' && lastDay(end) < dayOf(now);
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

/** Verified items that no later version of their issuer replaces. */
export function lastVersions(items) {
  const replaced = new Set(items.flatMap(({ said: { body, iss } }) => {
    const before = body.get('replaces');
    return isBytes(before) ? [hex(before) + iss] : [];
  }));
  return items.filter(({ id, said: { iss } }) => !replaced.has(id + iss));
}

/** How a certificate stands at an instant, in the English words of the page. */
export function standing(body, now) {
  if (body.get('withdrawn_at') <= now) return 'withdrawn';
  if (isOver(body.get('valid_to'), now)) return 'expired';
  return now < body.get('valid_from') ? 'not in force yet' : 'in force';
}
const FAULTY = ['withdrawn', 'expired'];

/** Whether one of the same standard is in force, so that this one raises no question. */
export const isSuperseded = (body, all, now) => FAULTY.includes(standing(body, now))
  && all.some(({ said: { kind, body: other } }) => kind === 'certificate'
    && other.get('standard') === body.get('standard') && standing(other, now) === 'in force');

export class Teller {
  /** `items` are the verified ones of the page, `all` those of the bundle. */
  constructor(items, all, units, { goods, language, wording }, now) {
    Object.assign(this, { items, all, units, goods, language, wording });
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

  /** What is said of the place of an event, by facilities and descriptions of places. */
  placed(epcis) {
    const point = at0(epcis.readPoint) || at0(epcis.bizLocation);
    const known = this.items.filter(({ said: { kind, sub, body } }) =>
      ['facility', 'masterdata'].includes(kind) && (kind === 'facility' || at(body, 'about', 'location'))
      && [sub, ...body.get('locations') || []].some(one => point && normal(one) === normal(point)));
    return { point, known: known.map(one => one.said) };
  }

  /** The texts that are right for a piece of the page, of this item. */
  expected(piece, item) {
    const isOf = KINDS_OF.every(([kind, fields]) => kind === item.said.kind || !fields.includes(piece.of));
    const make = isOf && Object.hasOwn(FIELDS, piece.of) ? FIELDS[piece.of] : () => [];
    return [make(item.said, this, item, piece)].flat(3).filter(one => typeof one === 'string');
  }
}

const at0 = place => (place && typeof place.id === 'string' ? place.id : undefined);
const ilmd = (epcis, name) => Object.entries(epcis && epcis.ilmd || {})
  .filter(([key]) => key.split(':').at(-1) === name).map(([, value]) => value);
const epcisOf = record => said(record).epcis || {};

/** Of the last day of use, which may have passed. */
const expiries = record => [at(record.body, 'about', 'lot', 'expiry'),
  ...ilmd(epcisOf(record), 'itemExpirationDate')].filter(one => typeof one === 'string')
  .flatMap(one => (one.length > 10 ? [one, one.slice(0, 10)] : [one]));
export const lotsOf = record => [at(record.body, 'about', 'lot', 'lot'),
  record.kind === 'label' ? record.body.get('lot') : undefined, ...ilmd(epcisOf(record), 'lotNumber')];
export const goodsOf = ({ sub, body }) =>
  [sub, ...body.get('covers') || []].map(canonical).filter(Boolean);

const accredited = (body, now) =>
  (body.get('status') === 'in_force' ? standing(body, now) : 'withdrawn');

function verification({ iss, body }, t) {
  const [by, level] = ['body', 'assurance'].map(key => at(body, 'verification', key));
  if (!by) return t.say('none is claimed');
  return [t.say('according to '), t.called(iss), t.say(', verified by '), t.called(by),
    t.mark('', '核查'), level ? t.mark(', ', '，') + t.word('footprint', level) : '',
    t.say('; not signed by the verifier')].join('');
}

/** A rule's sentence: the code of the page in words, instants to the minute. */
function told(text, t) {
  const isHere = text.startsWith(t.goods + ' ');
  return (isHere ? t.say('This code') + text.slice(t.goods.length) : text)
    .replace(/(^| )(\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?Z)/g, (_, gap, one) => gap + minute(one));
}

const SEVERITY = { error: 'contradiction', warning: 'warning', note: 'note' };

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
  passed: (record, t) => expiries(record).map(day =>
    t.say('Use until ') + day + t.say(': this day has passed.')),
  markets: ({ body }, t) => {
    const codes = at(body, 'about', 'lot', 'markets');
    return codes ? codes.map(code => t.region(code)).join(t.mark(', ', '、')) : [];
  },
  picture: ({ body }, t) => (body.get('pictures') || []).map(one => {
    const digest = one.get('digest');
    return t.text(one.get('alt')) + one.get('url') + (isBytes(digest) ? hex(digest) : digest);
  }),
  since: ({ body }) => dayOf(body.get('since')),
  reason: ({ kind, body }, t) => (kind === 'recall' ? t.text(body.get('why')) : body.get('reason')),
  action: ({ body }, t) => t.text(body.get('what_to_do')),
  contact: ({ body }) =>
    ['phone', 'url'].map(key => at(body, 'contact', key)).filter(Boolean).join(' · '),
  lots: (record, t) => {
    const lots = goodsOf(record).map(goods => goods.split('/10/')[1]).filter(Boolean).sort();
    return t.say('Some lots are recalled. If the pack shows lot ') + lots.join(t.say(' or '))
      + t.say(', this is about it:');
  },
  by: ({ iss }, t) => t.called(iss),
  standard: ({ body }) => body.get('standard'),
  number: ({ body }) => body.get('id'),
  status: ({ body }, t) => t.times.map(now => t.say(standing(body, now))
    + (body.has('withdrawn_at') ? ` (${dayOf(body.get('withdrawn_at'))})` : '')
    + (isSuperseded(body, t.last, now) ? ' · ' + t.say('a later one is in force') : '')),
  valid: ({ body }) => `${dayOf(body.get('valid_from'))} – `
    + (body.has('valid_to') ? lastDay(body.get('valid_to')) : '…'),
  faulty: ({ body }, t) => t.times.map(now => `${body.get('standard')} ${body.get('id')}`
    + `${t.mark(': ', '：')}${t.say(standing(body, now))} `
    + (body.has('withdrawn_at') ? dayOf(body.get('withdrawn_at'))
      : body.has('valid_to') ? lastDay(body.get('valid_to')) : '')
    + (body.has('withdrawn_at') && body.get('reason')
      ? t.say('. Reason: ') + body.get('reason') : '')),
  accreditation: ({ kind, iss, body }, t) => {
    if (kind !== 'accreditation') {
      const isOf = ({ said: one }) => one.kind === 'accreditation' && one.sub === iss;
      return t.last.some(isOf) ? [] : t.say('none is recorded');
    }
    const why = body.get('status') === 'in_force' ? undefined : body.get('reason');
    return t.times.map(now => [t.say(accredited(body, now)), body.get('number'), t.called(iss),
      ...(why ? [t.say('reason: ') + why] : []),
      ...(body.has('valid_to') ? [t.say('until ') + lastDay(body.get('valid_to'))] : [])].join(' · '));
  },
  step: (record, t) => {
    const step = epcisOf(record).bizStep;
    if (typeof step !== 'string') return t.say('recorded');
    return [t.word('steps', step.split(/[:-]/).at(-1)), t.word('steps', step)];
  },
  region: (record, t) => t.placed(epcisOf(record)).known
    .map(({ body }) => t.region(body.get('province') || at(body, 'about', 'location', 'region'))),
  place: (record, t) => {
    const { point, known } = t.placed(epcisOf(record));
    if (!known.length) return [point, point && normal(point)];
    return known.map(({ kind, body }) => (kind === 'facility' ? body.get('name') : t.text(body.get('name'))));
  },
  month: record => dayOf(Date.parse(epcisOf(record).eventTime)).slice(0, 7),
  inside: (record, t) => said(record).all.filter(one => typeof one === 'string').map(canonical)
    .filter(one => t.units.has(one)).map(one => one.replace(HOST, '')),
  kg: ({ body }) => decimal(body.get('amount_g'), (body.get('scale_e10') || 0) - 3) + ' kg CO₂e',
  per: ({ body }, t) => t.word('footprint', body.get('declared_unit')),
  boundary: ({ body }, t) => t.word('footprint', body.get('boundary')),
  period: ({ body }) => `${dayOf(body.get('period_start'))} – ${lastDay(body.get('period_end'))}`,
  verification,
  primary: ({ body }) => `${Math.floor(body.get('primary_share_ppm') / 10_000)} %`,
  code: ({ body }) => body.get('code'),
  severity: ({ body }, t) => t.say(SEVERITY[body.get('severity')]),
  message: ({ body }, t) => told(body.get(t.language === 'en' ? 'message_en' : 'message_zh'), t),
  subject: ({ body }) => body.get('subject'),
  looked: ({ body }) => dayOf(body.get('as_of')),
  answer: ({ body }, t) => t.text(body.get('text')),
  answered: (record, t, { places }) => places.map(({ time }) => dayOf(time[1])),
  confirmed: (record, t) => {
    const months = t.items.filter(({ said: { kind } }) => kind === 'confirmation')
      .map(({ said: { body } }) => body.get('day').slice(0, 7));
    return t.say('Confirmed in ') + [...new Set(months)].sort().join(t.mark(', ', '、'));
  },
  record: ({ kind }, t, { places }) =>
    places.map(({ origin, index }) => `${t.word('kinds', kind)} · ${origin} #${index}`),
  recorded: (record, t, item, { time = '' }) => minute(time.split(' ').at(-1)),
  id: (record, t, { id }) => 'sha256:' + id,
};
