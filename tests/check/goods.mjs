// node goods.mjs ENVIRONMENT FOLDER < [text, ...]: the canonical text of each, decoded, or null.

import { readFileSync } from 'node:fs';
import { script } from './environment.mjs';

await script.learnEpc();

console.log(JSON.stringify(JSON.parse(readFileSync(0, 'utf8')).map(script.canonical)));
