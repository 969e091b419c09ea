// node kinds.mjs ENVIRONMENT: the kinds that the script knows, as one line of JSON.

import { script } from './environment.mjs';

console.log(JSON.stringify(Object.fromEntries(script.KINDS)));
