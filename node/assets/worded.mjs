// The page's own wording, and what it states for itself: figures, the code, the state.
//
// Phrases that this or tell.mjs calls by their English text stand in a field of a record alone: as
// wording of the page they would say of a record what it does not. All others are free.

import { dayOf, decoded } from './goods.mjs';

/** The label in front of each field that has one. */
const UNDER = {
  brand: 'Brand', content: 'Content', describer: 'Described by', maker: 'Maker, as they say', lot: 'Lot',
  produced: 'Made on', expiry: 'Use until', markets: 'Sold in', goods: 'Code', since: 'Recalled since',
  reason: 'Reason', action: 'What to do', contact: 'Contact', status: 'Status', valid: 'Valid',
  accreditation: 'Their accreditation', boundary: 'Boundary', period: 'Period',
  verification: 'Verification', primary: 'From primary data', log: 'Log', checked: 'Checked at',
  judged: 'Findings up to', by: ['Recalled by', 'Vouched for by', 'Stated by'],
};
/** Fields that stand elsewhere too. */
const ANYWHERE = ['by', 'goods', 'maker'];
const NAMES = ['hallmark-verify check', 'hallmark-verify', 'English', '中文', '—'];
const UNREADABLE_MAX = 90;
const MINUTE = /^\d{4}-\d\d-\d\d \d\d:\d\d UTC$/;

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
const FIELD_OF = { 10: 'lot', 11: 'produced', 17: 'expiry' };

export class Worded {
  constructor({ goods, state, address, language, wording }, teller) {
    const { free, states, regions, identifiers } = wording;
    // Pieces come without the spaces at their ends.
    const words = [...NAMES, ...free].map(one => one.trim()).filter(Boolean)
      .sort((a, b) => b.length - a.length)
      .map(one => one.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|');
    const times = language === 'en' ? '\\b(?:once|\\d+ times)\\b' : '\\d+ 次';
    this.token = new RegExp(`${words}|${times}|[\\s·,;:.–—/()、，：；。（）]`, 'y');
    Object.assign(this, { teller, wording, prints: printedOf(address) });
    const [heads, sentences] = Object.hasOwn(states, state) ? states[state] : [[], []];
    const names = () => teller.items.flatMap(item => teller.expected({ of: 'name' }, item));
    const isPrinted = (ai, text) => this.isPrinted(ai, value => value === text);
    this.own = {
      word: ({ text }) => heads.includes(text),
      sentence: ({ text }) => sentences.includes(text),
      title: ({ text }) => heads.some(head => [head, ...[...names(), goods].map(name => `${head} · ${name}`)]
        .includes(text)),
      goods: ({ text }) => text === goods,
      count: ({ text }) => /^\d+$/.test(text),
      checked: ({ text }) => MINUTE.test(text),
      judged: ({ text }) => MINUTE.test(text),
      log: ({ text }) => teller.all.some(({ places }) => places.some(({ origin }) => this.isLog(text, origin))),
      operator: ({ isInFooter }) => isInFooter,
      vouched: ({ text }) => MINUTE.test(text),
      overdue: piece => this.isOverdue(piece),
      unread: piece => this.isUnread(piece),
      contrary: piece => this.isContrary(piece),
      late: ({ text }) => this.isLate(text),
      closed: () => true,
      printed: ({ text, ai }) => isPrinted(ai, text),
      option: ({ text, value }) => text === (value ? regions[value] : '—'),
      dt: ({ text, holds, ai }) => holds.length === 1 && (holds[0] === 'printed'
        ? text === `${identifiers[ai]} (${ai})`
        : [UNDER[holds[0]] || []].flat().some(key => teller.say(key) === text)),
    };
  }

  isLog(text, origin) {
    if (!text.startsWith(origin + ', ')) return false;
    const [count, at, ...more] = text.slice(origin.length + 2).split(' · ');
    const isCount = count.replace(/^\d+ /, '') === this.teller.say('entries');
    return isCount && !more.length && (at === undefined || MINUTE.test(at));
  }

  /** Whether the code of this address prints something under an identifier. */
  isPrinted(ai, isIt) { return this.prints.some(([code, value]) => code === ai && isIt(value)); }

  /** What stands between two texts, or nothing where these are not there. */
  static between(text, before, after) {
    const isIt = text.startsWith(before) && text.endsWith(after);
    return isIt ? text.slice(before.length, text.length - after.length) : '';
  }

  /** A printed day that has passed. */
  isOverdue({ text, ai }) {
    const { teller: t, wording: { prints } } = this;
    const before = `${t.say('According to the code, ')}${prints[ai]} `;
    const day = Worded.between(text, before, t.say(': this day has passed.'));
    return t.times.some(now => day < dayOf(now)) && this.isPrinted(ai, value => isDay(value, day));
  }

  /** A part of the code that cannot be read, quoted. */
  isUnread({ text, ai }) {
    const { teller: t, wording: { prints } } = this;
    const before = `${t.say('The code has a part that cannot be read: ')}${prints[ai] || ''} (${ai}) `;
    const value = Worded.between(text, before, t.mark('.', '。'));
    return this.isPrinted(ai, one => echoed(one) === value);
  }

  /** A print that is not what the records tell. */
  isContrary({ text, ai }) {
    const { teller: t, wording: { prints } } = this;
    const before = `${t.say('Printed: ')}${prints[ai]} `;
    const [printed, told = ''] = Worded.between(text, before, t.say('. They differ.')).split(t.say('. Recorded: '));
    const recorded = t.items.flatMap(item => t.expected({ of: FIELD_OF[ai] }, item));
    const isTold = told.split(t.mark(', ', '、')).every(one => recorded.includes(one));
    return isTold && !recorded.includes(printed)
      && this.isPrinted(ai, value => value === printed || (ai !== '10' && isDay(value, printed)));
  }

  /** A code that was recorded before its label was ordered, by public records of both. */
  isLate(text) {
    const { teller: t } = this;
    const of = (kinds, end) => t.items.filter(({ said: { kind } }) => kinds.includes(kind))
      .flatMap(({ places }) => places.map(({ time }) => dayOf(time[end])));
    const seen = of(['event', 'confirmation'], 1).map(day => t.say(': first by ') + day);
    return of(['label'], 0).some(made => ['', ...seen].some(first =>
      text === t.say('This code was recorded before its label was ordered') + first
        + t.say('; the label was ordered on or after ') + made + t.mark('.', '。')));
  }

  /** Whether a text is made of the page's phrases alone. */
  isWording(text) {
    this.token.lastIndex = 0;
    while (this.token.lastIndex < text.length) if (!this.token.test(text)) return false;
    return true;
  }

  /** Whether a field stands behind its label. */
  isInPlace({ of, isLabelled }) {
    return isLabelled || ANYWHERE.includes(of) || !Object.hasOwn(UNDER, of);
  }
}
