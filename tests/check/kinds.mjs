// node kinds.mjs ENVIRONMENT: the kinds that the script knows, what people read of its steps and
// states in English, and keys that one language has and the other not, as one line of JSON.

import { script } from './environment.mjs';
import { WHY as why, WORDS as words } from '../../node/assets/words-en.mjs';
import { WHY, WORDS } from '../../node/assets/words-zh.mjs';

const keys = (...all) => all.flatMap(one => Object.keys(one));
const en = keys(why, words), zh = keys(WHY, WORDS);
const only = [...en.filter(key => !zh.includes(key)), ...zh.filter(key => !en.includes(key))];
console.log(JSON.stringify({ kinds: Object.fromEntries(script.KINDS), words, only }));
