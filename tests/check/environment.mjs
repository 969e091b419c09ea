// Takes away what the first argument names, before the script under test is loaded: `webcrypto`,
// `none` (no WebCrypto, so by hand), `no-ed25519` (WebCrypto without Ed25519), `no-part` (by hand, and
// the part that does it cannot be loaded), or `nothing` (no BigInt either, so it cannot check).

import { register } from 'node:module';
import { webcrypto } from 'node:crypto';

const has = process.argv[2];
const subtle = {
  digest: (...all) => webcrypto.subtle.digest(...all),
  importKey: async () => { throw new Error('an algorithm that this browser does not know'); },
};
const value = { webcrypto, 'no-ed25519': { subtle } }[has];
Object.defineProperty(globalThis, 'crypto', { value, configurable: true });
if (has === 'no-part') {
  const lost = `export const load = (url, context, next) => {
    if (url.endsWith('/byhand.mjs')) throw new Error('not found');
    return next(url, context);
  };`;
  register('data:text/javascript,' + encodeURIComponent(lost));
}

/** What a node serves, in the folder of the second argument. */
export const served = name => import(new URL(name, 'file://' + process.argv[3] + '/'));
export const script = await served('check.mjs');
// Whatever the script's texts need to be read at all, a browser without it loads none of them.
if (has === 'nothing') globalThis.BigInt = undefined;
