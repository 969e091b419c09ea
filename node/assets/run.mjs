// Fetches the bundle of a page, checks it and says what came of it, in the words it is given.

import { check } from './check.mjs';
import { read } from './shown.mjs';

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

/** Writes the verdict into the element's status line, and the steps into its list, in these words. */
export async function run(host, status, list, { WORDS, WHY, colon }) {
  const { bytes, reason, detail = '' } = await fetched(host.dataset.check);
  const report = bytes ? await check(bytes, read(host)) : { verdict: 'cannot', steps: [], reason };
  list.textContent = '';
  list.hidden = !report.steps.length;
  const why = one => WHY[one.reason] || WHY.shape;
  const about = one => (one.id ? ` (sha256:${one.id})` : '');
  for (const step of report.steps) {
    const line = list.appendChild(document.createElement('li'));
    line.className = step.status;
    const count = step.of && step.status !== 'skipped' ? ` (${step.count}/${step.of})` : '';
    const because = step.reason ? colon + why(step) + about(step) : '';
    line.textContent = WORDS[step.name] + colon + WORDS[step.status] + count + because;
    if (step.name === 'witnesses' && step.status === 'ok' && !report.network.isWitnessed) {
      line.textContent = WORDS.witnesses + colon + WORDS.alone;
    }
    if (step.name === 'network' && report.network) {
      const { name, version, fingerprint } = report.network;
      line.textContent += ` · ${name} ${version} · SHA-256 ${fingerprint}`;
    }
  }
  const of = status => report.steps.find(step => step.status === status);
  const page = report.steps.find(({ name }) => name === 'page');
  const first = of('failed') || of('missing') || (report.verdict === 'incomplete' && page);
  const cause = report.verdict === 'cannot' ? why(report) + detail
    : first ? WORDS[first.name] + colon + why(first) + about(first) : '';
  status.textContent = WORDS['verdict_' + report.verdict].replace('%', cause);
}
