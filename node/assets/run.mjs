// Fetches the bundle of a page, checks it and says what came of it, in the words it is given.

import { Unable } from './bytes.mjs';
import { check } from './check.mjs';
import { read } from './read.mjs';

/** The bytes of the bundle, as it is now: an older one lacks what the page already shows. */
async function fetched(path) {
  let answer;
  try {
    answer = await fetch(path, { cache: 'no-cache' });
    if (answer.ok) return { bytes: new Uint8Array(await answer.arrayBuffer()) };
  } catch (error) {
    return { reason: 'offline' };
  }
  return { reason: 'status', detail: ` (HTTP ${answer.status})` };
}

/** What the page says that is no record's, as far as there is room. */
const quoted = words => words.slice(0, 3).map(one => ` “${one.slice(0, 60)}”`).join()
  + (words.length > 3 ? ` … ${words.length}` : '');

/** Tables of words, with more of each. */
export const joined = (all, more) => Object.fromEntries([...new Set(Object.keys({ ...all, ...more }))]
  .map(key => [key, Array.isArray(all[key]) ? all[key].concat(more[key] || []) : { ...all[key], ...more[key] }]));

/** The page with the wording that it may have; names of countries where it shows one; and what few
 *  pages say, to be loaded where it does. */
async function shownBy(host, wording, { countries, rare }) {
  const shown = { ...read(host), wording }, named = Object.values(wording.regions);
  shown.more = async () => {
    const [{ FIELDS, owns, weighs }, other] = await rare().catch(() => { throw new Unable('script'); });
    return { fields: FIELDS, owns, weighs, wording: joined(shown.wording, other.wording) };
  };
  const isAbroad = ({ of, text }) => of === 'markets' || (of === 'region' && !named.includes(text));
  if (shown.pieces.some(isAbroad)) shown.wording = { ...wording, ...await countries() };
  return shown;
}

/** Writes the verdict into the element's status line, and the steps into its list, in these words. */
export async function run(host, status, list, words, { wording }) {
  const { WORDS, colon } = words, { bytes, reason, detail = '' } = await fetched(host.dataset.check);
  const report = bytes ? await check(bytes, await shownBy(host, wording, words)) : { verdict: 'cannot', steps: [], reason };
  const isRare = one => one.reason && !words.WHY[one.reason];
  const rest = [report, ...report.steps].some(isRare) ? await words.reasons() : {};
  const WHY = { ...rest.WHY, ...words.WHY };
  list.textContent = '';
  list.hidden = !report.steps.length;
  const why = one => WHY[one.reason] || WHY.shape;
  const about = one => (one.id ? ` (sha256:${one.id})` : one.words ? quoted(one.words) : '');
  const cause = one => why(one) + about(one);
  for (const step of report.steps) {
    const line = list.appendChild(document.createElement('li'));
    line.className = step.status;
    const count = step.of && step.status !== 'skipped' ? ` (${step.count}/${step.of})` : '';
    const because = step.reason ? colon + cause(step) : '';
    line.textContent = WORDS[step.name] + colon + WORDS[step.status] + count + because;
    if (step.name === 'witnesses' && step.status === 'ok' && !report.network.isWitnessed) {
      line.textContent = WORDS.witnesses + colon + WORDS.alone;
    }
    if (step.name === 'key' && report.doubted) {
      line.textContent += ` · ${WORDS.doubted}${report.doubted}`;
    }
    if (step.name === 'state' && step.status === 'ok') line.textContent += colon + WORDS.follows;
    if (step.name === 'network' && report.network) {
      const { name, version, fingerprint } = report.network;
      line.textContent += ` · ${name} ${version} · SHA-256 ${fingerprint}`;
    }
  }
  const of = status => report.steps.find(step => step.status === status);
  const isLeft = ({ name, status }) => status === 'unchecked' && name !== 'revocations';
  const first = of('failed') || of('missing') || report.steps.find(isLeft);
  const because = report.verdict === 'cannot' ? why(report) + detail
    : first ? WORDS[first.name] + colon + cause(first) : '';
  status.textContent = WORDS['verdict_' + report.verdict].replace('%', () => because);
}
