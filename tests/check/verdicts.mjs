// node verdicts.mjs ENVIRONMENT < REQUEST: what the script says of bundles, one line of JSON.
//
// REQUEST is {bundles: [hex], mutations?: [[at, bit], ...]}; mutations change one bit of the first
// bundle. For each bundle, then each mutation: [verdict, {step: status or reason}, milliseconds,
// {step: status}].

import { readFileSync } from 'node:fs';
import { script } from './environment.mjs';

const { bundles, mutations = [] } = JSON.parse(readFileSync(0, 'utf8'));
const bytes = hex => new Uint8Array(Buffer.from(hex, 'hex'));
const answers = [];

async function judge(bundle) {
  const began = performance.now();
  const { verdict, steps } = await script.check(bundle);
  const took = performance.now() - began;
  const of = look => Object.fromEntries(steps.map(one => [one.name, look(one)]));
  answers.push([verdict, of(one => one.reason || one.status), took, of(one => one.status)]);
}

for (const bundle of bundles) await judge(bytes(bundle));
for (const [at, bit] of mutations) {
  const changed = bytes(bundles[0]);
  changed[at] ^= 1 << bit;
  await judge(changed);
}
console.log(JSON.stringify(answers));
