// node signatures.mjs ENVIRONMENT FOLDER < [{key, message, signature}, ...] (hex): one line of JSON, for
// each whether the script accepts the signature, and whether it lets the key into the record.

import { readFileSync } from 'node:fs';
import { script } from './environment.mjs';

const bytes = hex => new Uint8Array(Buffer.from(hex, 'hex'));
const answers = [];
for (const { key, message, signature } of JSON.parse(readFileSync(0, 'utf8'))) {
  const verifies = await script.verifyStrict(bytes(key), bytes(message), bytes(signature));
  answers.push([verifies, script.isKey(bytes(key))]);
}
console.log(JSON.stringify(answers));
