// Takes away what the first argument names, before the script under test is loaded: `webcrypto`,
// `none` (no WebCrypto, so by hand), or `nothing` (no BigInt either, so it cannot check).

import { webcrypto } from 'node:crypto';

const has = process.argv[2];
const give = value => Object.defineProperty(globalThis, 'crypto', { value, configurable: true });
give(has === 'webcrypto' ? webcrypto : undefined);
if (has === 'nothing') globalThis.BigInt = undefined;

export const script = {
  ...await import('../../node/assets/ed25519.mjs'),
  ...await import('../../node/assets/check.mjs'),
};
