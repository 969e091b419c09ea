// node verdicts.mjs ENVIRONMENT FOLDER < REQUEST: what the script says of bundles, one line of JSON.
//
// REQUEST is {bundles: [hex], mutations?: [[at, bit], ...], shown?: [what a page shows, or null]};
// mutations change one bit of the first bundle. For each bundle, then each mutation: [verdict,
// {step: status or reason}, milliseconds, {step: status}, reason, items, how many are in doubt].

import { readFileSync } from 'node:fs';
import { script, served } from './environment.mjs';

const { bundles, mutations = [], shown = [] } = JSON.parse(readFileSync(0, 'utf8'));
const bytes = hex => new Uint8Array(Buffer.from(hex, 'hex'));
const answers = [];

async function judge(bundle, page) {
  const began = performance.now();
  if (page && page.pieces) {
    const { wording } = await served(`wording-${page.language}.mjs`);
    const { rare } = await served(`words-${page.language}.mjs`);
    page.wording = wording;
    page.more = async () => {
      const [{ FIELDS, owns, weighs }, other] = await rare();
      return { fields: FIELDS, owns, weighs, wording: script.joined(wording, other.wording) };
    };
  }
  const { verdict, steps, reason, items, doubted } = await script.check(bundle, page || undefined);
  const took = performance.now() - began;
  const of = look => Object.fromEntries(steps.map(one => [one.name, look(one)]));
  const known = items.map(({ id, kind, issuer, places }) => ({ id, kind, issuer, places }));
  answers.push([verdict, of(one => one.reason || one.status), took, of(one => one.status),
    reason || null, known, doubted]);
}

for (const [at, bundle] of bundles.entries()) await judge(bytes(bundle), shown[at]);
for (const [at, bit] of mutations) {
  const changed = bytes(bundles[0]);
  changed[at] ^= 1 << bit;
  await judge(changed);
}
console.log(JSON.stringify(answers));
