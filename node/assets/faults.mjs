// What few pages are weighed by: certificates that were pulled or are past their date, keys that were
// revoked, ends that a stranger tells, erasures. Loaded with what such pages say (more.mjs).

import { dayOf, decoded, isText, normal, said } from './goods.mjs';
import { FAULTY, UTC, accredited, ahead, goodsOf, lastDay, onClock, standing, zone } from './tell.mjs';
import { briefly } from './state.mjs';

/** Whether its issuer's next one of the same is in force, so that this one raises no question. */
const isSuperseded = (record, all, now) => FAULTY.includes(standing(record, now))
  && all.some(({ said: other }) => other.kind === 'certificate' && other.iss === record.iss
    && ['standard', 'product_class', 'site'].every(key => other.body.get(key) === record.body.get(key))
    && record.body.get('valid_from') < other.body.get('valid_from') && standing(other, now) === 'in force'
    && isAccredited(record.iss, all, other.body.get('valid_from')));

/** Whether a body was accredited then, if anybody ever said that it is. */
function isAccredited(body, all, then) {
  const told = all.map(one => one.said).filter(({ kind, sub }) => kind === 'accreditation' && sub === body);
  const past = told.filter(one => one.body.get('from_at') <= then);
  const isLater = (one, other) => one.iss === other.iss && one.body.get('from_at') > other.body.get('from_at')
    && ['scheme', 'number'].every(key => one.body.get(key) === other.body.get(key));
  return !told.length || past.some(one => accredited(one, then) === 'in force' && !past.some(other => isLater(other, one)));
}

/** The day on which a certificate was pulled, or its key. */
const pulled = ({ body, since }) => (body.has('withdrawn_at') ? dayOf(onClock(body, 'withdrawn_at'))
  : since >= 0 ? dayOf(since + ahead(body.get('utc_offset'))) : '');

/** Who is known to have had goods: who recorded their birth, and whom one of these names as sending or
 *  receiving them. Of anybody else the word that they ended rules nothing out (confirmed.rs). */
function chainOf(events) {
  const known = new Set(events.filter(one => one.isBirth).map(one => one.iss));
  for (let before = -1; before < known.size;) {
    before = known.size;
    for (const { epcis } of events.filter(({ iss }) => known.has(iss))) {
      for (const one of [epcis.sourceList, epcis.destinationList].flat()) {
        const party = one && (one.source || one.destination);
        if (isText(party)) known.add(normal(party).replace(/^https:.*\/41[47]\//, 'urn:hallmark:org:gln:'));
      }
    }
  }
  return known;
}

/** Whether a birth, or a description of whoever describes the goods on the page, is of a revoked key. */
const isDoubted = (goods, last, direct, now, teller) => last.some(item => {
  const { since, kind, iss, body } = item.said;
  if (!(since >= 0)) return false;
  if (kind === 'event') {
    const one = briefly(item, decoded(goods));
    return one.isBirth && !last.some(({ said: other }) => other.kind === 'event' && other.iss === iss
      && said(other).epcis.errorDeclaration && said(other).epcis.eventID === one.key);
  }
  return kind === 'masterdata' && body.get('from_at') <= now && goodsOf(item.said).some(one => direct.has(one))
    && teller.describer === teller.called(iss);
});

/** What the state is weighed by (state.mjs). */
export const weighs = { isSuperseded, chainOf, isDoubted };

/** Fields of records, as in tell.mjs. */
export const FAULTS = {
  status: (record, t) => t.times.map(now => t.say(standing(record, now))
    + (pulled(record) ? ` (${pulled(record)}${zone(record.body)})` : '')
    + (record.since >= 0 ? t.say(' · its key was revoked') : '')
    + (isSuperseded(record, t.last, now) ? ' · ' + t.say('a later one is in force') : '')),
  faulty: (record, t) => t.times.map(now => {
    const { body, since } = record;
    return `${body.get('standard')} ${body.get('id')}${t.mark(': ', '：')}${t.say(standing(record, now))} `
      + (pulled(record) || (body.has('valid_to') ? lastDay(onClock(body, 'valid_to')) : '')) + zone(body)
      + (body.has('withdrawn_at') && body.get('reason') ? t.say('. Reason: ') + body.get('reason') : '')
      + (since >= 0 ? t.say(' · its key was revoked') : '');
  }),
  erased: ({ kind }, t, { places }) => (kind === 'erasure' ? places.map(({ time }) =>
    t.say('A record about these goods was erased on ') + dayOf(time[1]) + UTC + t.mark('.', '。')) : []),
  doubted: ({ kind, since }, t) => (since >= 0
    ? t.word('kinds', kind) + t.say(', in doubt since ') + dayOf(since) + UTC : []),
};
