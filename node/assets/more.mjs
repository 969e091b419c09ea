// What few pages say: recalls, what others found, what the code prints. Asked for where the rest of
// the check knows no record for a text of the page (shown.mjs), and judged by the same records.

import { hex, isBytes } from './bytes.mjs';
import { canonical, dayOf, decoded, normal, said } from './goods.mjs';
import { HOST, UTC, at, expiries, goodsOf, minute, onClock, zone } from './tell.mjs';
import { FAULTS, weighs } from './faults.mjs';
import { isMinute } from './worded.mjs';

export { weighs };

/** Characters of what cannot be read that a page quotes. */
const UNREADABLE_MAX = 90;
const SEVERITY = { error: 'contradiction', warning: 'warning', note: 'note' };
const ORG = 'urn:hallmark:org:';
/** Identifiers of places and organisations in a sentence. */
const NAMED =
  /(?:https:\/\/id\.gs1\.org\/41[47]\/|urn:hallmark:(?:org:(?:gln|lei|uscc)|facility):)[\w.:/%-]*[A-Za-z0-9]/g;

/** As people read it, such as `GLN 9506000134369`. */
const short = id => id.replace(/^https:.*\/41[47]\//, 'GLN ')
  .replace(/^urn:hallmark:org:(gln|lei|uscc):/, (_, scheme) => scheme.toUpperCase() + ' ')
  .replace(/^urn:hallmark:facility:/, '');

/** What is meant by its name, a place by its own, with its number behind. */
function named(id, t) {
  const [place] = t.described(id).sort((a, b) => b.verified.time[1] - a.verified.time[1]);
  const org = id.replace(/^https:.*\/41[47]\//, ORG + 'gln:'), called = t.called(org);
  const name = place ? t.placeName(place.said) : called === org ? '' : called;
  return name ? `${name} (${short(id)})` : short(id);
}

/** Identifiers of dates, of which some go on with a time or a second date. */
const DATES = /^(1[1-7]|432[456]|700[367]|7011|725[01]|8008)$/;
/** Digits of which so many are decimals. */
function spot(digits, places) {
  const padded = digits.padStart(places + 1, '0'), cut = padded.length - places;
  return padded.slice(0, cut).replace(/^0+(?=\d)/, '') + (places ? '.' + padded.slice(cut) : '');
}

/** Whether a text is what a printed value means: a date, or an amount with its unit. */
function means(text, ai, value, { units, currencies }) {
  if (DATES.test(ai)) {
    const days = text.split(' – ').map(one => one.replace(/\D/g, ''));
    const digits = days.map(one => (ai.startsWith('725') ? one : one.slice(2))).join('');
    return /^\d{4}-\d\d/.test(text) && [digits, digits + '00', digits + '9999'].includes(value);
  }
  const head = ai.slice(0, 3), places = Number(ai[3]);
  if (head === '433') {
    return text === `${value.slice(6)}${spot(value.slice(0, 6), 2)} ${places % 2 ? '°C' : '°F'}`;
  }
  if (!/^3([1-6]\d|9[0-5])\d$/.test(ai)) return false;
  const money = /^39[13]/.test(ai) ? value.slice(0, 3) : '';
  const unit = head === '394' ? '%' : money ? currencies[money] || 'ISO 4217 ' + money : units[head];
  return text === spot(value.slice(money.length), places) + (unit ? ' ' + unit : '');
}

/** A day of a recall, on its clock. */
const day = (body, key) => dayOf(onClock(body, key)) + zone(body);

/** The label in front of fields that few pages have (worded.mjs has the others). */
const UNDER = { class: 'Class of goods', site: 'Site', volume: 'At most' };

/** A rule's sentence: the code of the page in words, places and organisations by name, instants to
 *  the minute. */
function told(text, t) {
  const isHere = text.startsWith(t.goods + ' ');
  const rest = (isHere ? text.slice(t.goods.length) : text).replace(NAMED, id => named(id, t))
    .replace(/(^| )(\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?Z)/g, (_, gap, one) => gap + minute(one));
  return (isHere ? t.say('This code') : '') + rest;
}

/** The end that an event tells without naming the step. */
function unsaid(record, t) {
  const { bizStep, action, disposition } = said(record).epcis;
  if (/[:-]destroyed$|^destroyed$/.test(disposition)) return t.word('steps', 'destroying');
  return !bizStep && action === 'DELETE' ? t.word('steps', 'decommissioning') : [];
}

/** Fields of records, as in tell.mjs. */
export const FIELDS = {
  ...FAULTS,
  passed: (record, t) => expiries(record).map(day =>
    t.say('Use until ') + day + t.say(': this day has passed.')),
  picture: ({ body }, t) => (body.get('pictures') || []).map(one => {
    const digest = one.get('digest');
    return t.text(one.get('alt')) + one.get('url') + (isBytes(digest) ? hex(digest) : digest);
  }),
  since: ({ body }) => day(body, 'since'),
  idle: ({ body }, t) => t.times.map(now => (body.get('lifted_at') <= now
    ? t.say('A recall of ') + day(body, 'since') + t.say(' was lifted on ') + day(body, 'lifted_at')
    : now < body.get('since') ? t.say('A recall takes effect on ') + day(body, 'since') : '')
    + t.mark('.', '。')),
  ended: (record, t) => (record.kind === 'event' ? [t.fields.step(record, t), unsaid(record, t)].flat() : [])
    .map(step => t.say('Recorded in ') + t.fields.month(record) + t.mark(': ', '：') + step),
  class: ({ body }) => body.get('product_class'),
  site: ({ body }) => body.get('site'),
  volume: ({ body }, t) =>
    `${body.get('volume')} ${body.get('unit') === 'items' ? t.say('items') : body.get('unit')}`,
  action: ({ body }, t) => t.text(body.get('what_to_do')),
  contact: ({ body }) =>
    ['phone', 'url'].map(key => at(body, 'contact', key)).filter(Boolean).join(' · '),
  lots: (record, t) => {
    const lots = goodsOf(record).map(goods => goods.split('/10/')[1]).filter(Boolean).sort();
    return t.say('Some lots are recalled. If the pack shows lot ') + lots.join(t.say(' or '))
      + t.say(', this is about it:');
  },
  inside: (record, t) => said(record).all.filter(one => typeof one === 'string').map(canonical)
    .filter(one => t.units.has(one)).map(one => one.replace(HOST, '')),
  code: ({ body }) => body.get('code'),
  severity: ({ body }, t) => t.say(SEVERITY[body.get('severity')]),
  message: ({ body }, t) => told(body.get(t.language === 'en' ? 'message_en' : 'message_zh'), t),
  subject: ({ body }) => body.get('subject'),
  looked: ({ body }) => dayOf(body.get('as_of')) + UTC,
  answer: ({ body }, t) => t.text(body.get('text')),
  answered: (record, t, { places }) => places.map(({ time }) => dayOf(time[1]) + UTC),
};

/** What an address prints beside the goods, by application identifier. */
function printedOf(address) {
  const [path, query = ''] = address.split('?');
  const steps = path.split('/').slice(1);
  const pairs = steps.flatMap((code, at) => (at % 2 ? [] : [[code, decoded(steps[at + 1] || '')]]));
  return [...pairs, ...new URLSearchParams(query)];
}

/** Whether digits of a print are this day; some print no day of the month. */
const isDay = (digits, day) => [digits.slice(0, 6), digits.replace(/^(\d{4})00.*/, '$1')]
  .some(one => one.length >= 4 && day.replaceAll('-', '').slice(2).startsWith(one));
/** What cannot be read, as a page quotes it. */
const echoed = text => [...text].map(one => (/[ -~]/.test(one) ? one : '\ufffd'))
  .slice(0, UNREADABLE_MAX).join('');
/** The field of a record that an identifier prints. */
const FIELD_OF = { 10: 'lot', 11: 'produced', 17: 'expiry', 7003: 'expiry' };

/** What stands between two texts, or nothing where these are not there. */
function between(text, before, after) {
  const isIt = text.startsWith(before) && text.endsWith(after);
  return isIt ? text.slice(before.length, text.length - after.length) : '';
}

/** What a page says for itself of its address, of damage, and of times. */
export function owns(teller, { address, goods, damaged }, wording) {
  const t = teller, printed = printedOf(address), { prints, identifiers, faults, kinds } = wording;
  const titleOf = ai => identifiers[ai] || identifiers[ai.slice(0, 3)] || '';
  const called = ai => prints[ai] || titleOf(ai);
  /** Whether the code of this address prints something under an identifier. */
  const isPrinted = (ai, isIt) => printed.some(([code, value]) => code === ai && isIt(value));
  /** A printed day that has passed. */
  const overdue = ({ text, ai }) => {
    const before = `${t.say('According to the code, ')}${called(ai)} `;
    const day = between(text, before, t.say(': this day has passed.'));
    return t.times.some(now => day < dayOf(now)) && isPrinted(ai, value => isDay(value, day));
  };
  /** A part of the code that cannot be read, quoted. */
  const unread = ({ text, ai }) => {
    const before = `${t.say('The code has a part that cannot be read: ')}${called(ai)} (${ai}) `;
    const value = between(text, before, t.mark('.', '。'));
    return isPrinted(ai, one => echoed(one) === value);
  };
  /** A print that is not what the records tell. */
  const contrary = ({ text, ai }) => {
    const before = `${t.say('Printed: ')}${called(ai)} `;
    const [one, told = ''] = between(text, before, t.say('. They differ.')).split(t.say('. Recorded: '));
    const recorded = t.items.flatMap(item => t.expected({ of: FIELD_OF[ai] }, item));
    const isTold = told.split(t.mark(', ', '、')).every(day => recorded.includes(day));
    return isTold && !recorded.includes(one)
      && isPrinted(ai, value => value === one || (ai !== '10' && isDay(value, one)));
  };
  /** A code that was recorded before its label was ordered, by public records of both. */
  const late = ({ text }) => {
    const of = (kinds, end) => t.items.filter(({ said: { kind } }) => kinds.includes(kind))
      .flatMap(({ places }) => places.map(({ time }) => dayOf(time[end]) + UTC));
    const seen = of(['event', 'confirmation'], 1).map(day => t.say(': first by ') + day);
    return of(['label'], 0).some(made => ['', ...seen].some(first =>
      text === t.say('This code was recorded before its label was ordered') + first
        + t.say('; the label was ordered on or after ') + made + t.mark('.', '。')));
  };
  /** Kind and place of a record that the page itself says does not hold. */
  const isDamaged = ({ text }) => {
    const [kind, place = '', ...more] = text.split(' · '), known = t.damaged(damaged);
    const isKind = kind === '?' || Object.values(kinds).includes(kind);
    const isPlace = /^\S+ #\d+$/.test(place) && known.every(one => !one.places.length)
      || known.some(({ places }) => places.some(one => place === `${one.origin} #${one.index}`));
    return damaged.length > 0 && isKind && isPlace && !more.length;
  };
  return {
    overdue, unread, contrary, late, damaged: isDamaged,
    printed: ({ text, ai }) => isPrinted(ai, value => value === text || means(text, ai, value, wording)),
    fault: ({ text }) => damaged.length > 0 && Object.values(faults).includes(text),
    damagedid: ({ text }) => damaged.some(id => 'sha256:' + id === text),
    vouched: ({ text }) => isMinute(text),
    issues: ({ text }) => t.items.some(({ said: { kind, iss } }) => kind === 'label' && t.called(iss) === text),
    meant: ({ text }) => text.toLowerCase() === goods.toLowerCase(),
    months: ({ text }) => text === t.confirmedMonths(),
    label: ({ text, ai }, of) =>
      text === (of === 'printed' ? `${titleOf(ai)} (${ai})` : t.say(UNDER[of])),
  };
}
