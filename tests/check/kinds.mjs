// node kinds.mjs ENVIRONMENT FOLDER: the kinds that the script knows, what people read of its steps and
// states in English, and keys that one language has and the other not, as one line of JSON.

import { script, served } from './environment.mjs';

const { WHY: why, WORDS: words } = await served('words-en.mjs');
const { WHY, WORDS } = await served('words-zh.mjs');

const keys = (...all) => all.flatMap(one => Object.keys(one));
const en = keys(why, words), zh = keys(WHY, WORDS);
const only = [...en.filter(key => !zh.includes(key)), ...zh.filter(key => !en.includes(key))];
console.log(JSON.stringify({ kinds: Object.fromEntries(script.KINDS), words, only }));
