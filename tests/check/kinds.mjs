// node kinds.mjs ENVIRONMENT FOLDER: the kinds that the script knows, what people read of its steps and
// states in English, and keys that one language has and the other not, as one line of JSON.

import { script, served } from './environment.mjs';

/** Causes and words of a language, of which rare causes lie in a file of their own. */
const told = async language => {
  const { WHY: often, WORDS } = await served(`words-${language}.mjs`);
  const { WHY: rest } = await served(`why-${language}.mjs`);
  return { WHY: { ...often, ...rest }, WORDS };
};
const { WHY: why, WORDS: words } = await told('en');
const { WHY, WORDS } = await told('zh');

const keys = (...all) => all.flatMap(one => Object.keys(one));
const en = keys(why, words), zh = keys(WHY, WORDS);
const only = [...en.filter(key => !zh.includes(key)), ...zh.filter(key => !en.includes(key))];
console.log(JSON.stringify({ kinds: Object.fromEntries(script.KINDS), words, only }));
