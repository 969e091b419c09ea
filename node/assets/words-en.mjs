// What people read in English: steps (as `hallmark-verify` calls them), states, verdicts, causes.

export const colon = ': ';

/** Names of countries, which few pages show. */
export const countries = () => import('./countries-en.mjs');

/** What few pages say, and why few steps do not hold. */
export const rare = () => Promise.all([import('./more.mjs'), import('./rare-en.mjs')]);
export const reasons = () => import('./why-en.mjs');

export const WORDS = {
  network: 'Start of trust: network file',
  bytes: 'Records whole',
  receipt: 'Recorded in a log',
  checkpoint: 'Log checkpoint',
  witnesses: 'Witnesses',
  key: 'Keys of their signers',
  signature: 'Signatures',
  cited: 'Records they rest on',
  revocations: 'Keys given up since',
  page: 'The records on this page',
  words: 'Other words of this page',
  state: 'The state on this page',
  follows: 'it is what the records give; that no question is open is the node’s own word',
  doubted: 'in doubt whether before or after a change of key: ',
  ok: 'holds',
  failed: 'failed',
  missing: 'not all is here',
  skipped: 'not reached',
  unchecked: 'not checked',
  alone: 'this network has none',
  verdict_ok: 'The records on this page hold: signed, logged and unchanged. Not checked: whether a key was given up since.',
  verdict_incomplete: 'What could be checked holds, but not everything could be. %.',
  verdict_failed: 'The records do not hold. Do not rely on them. %.',
  verdict_cannot: 'Cannot check here: %. Download the bundle and use hallmark-verify.',
};

/** Why a step is often not checked (why-en.mjs has the rest). */
export const WHY = {
  'page-found': 'what this node’s own rules found is its word:',
  'no-log': 'the log of the registrar is not here as a whole',
  'page-hidden': 'some are not public, so only those entitled can check them',
  'page-words-own': 'no record bears',
  'state-own': 'it is the node’s own word; no record tells it',
  offline: 'the records could not be fetched',
  status: 'the node did not give the records',
  script: 'a part of the script could not be loaded',
};
