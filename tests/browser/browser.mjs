// node browser.mjs < REQUEST: opens each page in every view and says what does not hold.
//
// REQUEST is JSON: {origin, shots: folder of screenshots, sizes?: [name of SIZES], pages: [PAGE]}.
// PAGE is {name, path, status, probes: [text], golden: bool, few?: bool, sheet?: bool (prints on one),
//   says: {"zh-Hans": {both: [text in title and h1], shown: [text]}, en: …},
//   check?: {"zh-Hans": {text: verdict, steps: [text]}, en: …},
//   taps?: [selector, or {fill: selector, text, was?}], lands?: path, then?: {"zh-Hans": {both, shown}, en: …},
//   html?: text, policy?: text, once?: bool, lost?: [path], absent?: [path], lacks?: "ed25519"}.
// `html` (one, or one for each language) stands in for a page of the node, under `policy`; LANGUAGE in it
// is the view's. Without script, on a phone, `taps` are tapped in turn, fields that hold what they `was` are
// filled in, and lead to a page below `lands` that says `then`. A page that is looked at `once` is so on
// a phone, in each language; `lost` paths cannot be loaded,
// `absent` ones answer with an error, and what the browser `lacks` it refuses.
// stdout: one line a fault, then the count; exit 1 if there are any.
// A fresh profile, one page at a time, nothing but the node's origin.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { accessible, checks, fits, inert, printed, says, watch } from './checks.mjs';
import { comparable, compare, fontsOf, settle } from './golden.mjs';

const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
  '--disable-lcd-text', '--font-render-hinting=none', '--force-color-profile=srgb'];
const SIZES = { narrow: [320, 640], phone: [390, 844], desktop: [1280, 900] };
/** Longest wait for one step: a machine that also compiles is slow. */
const WAIT_MS = 120_000;
const LANGUAGES = ['zh-Hans', 'en'];
/** Views whose pictures are kept: the least and the most common, in both schemes. */
const GOLDEN = ['narrow-light', 'phone-dark', 'desktop-light'];

const { origin, shots, pages, sizes = Object.keys(SIZES) } = JSON.parse(readFileSync(0, 'utf8'));
mkdirSync(shots, { recursive: true });
const faults = [];
let views = 0, canCompare;

/** One page in one view. */
async function look(browser, page, view) {
  const { language, size, scheme, script, zoom } = view;
  const name = [page.name, language, size, scheme, ...(script ? [] : ['noscript']),
    ...(zoom ? ['zoom'] : [])].join('-');
  const [width, height] = SIZES[size], found = [];
  const context = await browser.newContext({
    viewport: { width, height }, colorScheme: scheme, javaScriptEnabled: script,
    locale: language === 'en' ? 'en-GB' : 'zh-CN', reducedMotion: 'reduce',
  });
  context.setDefaultTimeout(WAIT_MS);
  const tab = await context.newPage();
  watch(tab, origin, [...page.lost || [], ...page.absent || []], found);
  for (const path of page.lost || []) await tab.route(origin + path, route => route.abort());
  if (page.lacks === 'ed25519') await tab.addInitScript(() => {
    const { importKey } = SubtleCrypto.prototype;
    SubtleCrypto.prototype.importKey = function (format, key, algorithm, ...rest) {
      const name = algorithm.name || algorithm;
      if (name === 'Ed25519') throw new DOMException('Unrecognized name.', 'NotSupportedError');
      return importKey.call(this, format, key, algorithm, ...rest);
    };
  });
  if (page.html) {
    const headers = { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': page.policy };
    const body = (page.html[language] || page.html).replace('LANGUAGE', language);
    await tab.route(origin + page.path, route => route.fulfill({ status: page.status, headers, body }));
  }
  const answer = await tab.goto(origin + page.path, { waitUntil: 'load' });
  if (answer.status() !== page.status) found.push(`status ${answer.status()}`);
  const cookies = await context.cookies();
  if (cookies.length) found.push(`a cookie: ${cookies[0].name}`);
  if (zoom) await tab.evaluate(() => { document.documentElement.style.fontSize = '200%'; });
  found.push(...await says(tab, language, page.says[language]), ...await fits(tab),
    ...await inert(tab, page.probes));
  if (script) found.push(...await accessible(tab));
  if (page.sheet && !script && size === 'phone') found.push(...await printed(tab));
  if (script && page.check && !zoom && size === 'phone' && scheme === 'light') {
    found.push(...await checks(tab, page.check[language]), ...await fits(tab),
      ...await accessible(tab));
  }
  if (!script && page.taps && size === 'phone') {
    for (const tap of page.taps) {
      if (!tap.fill) {
        await tab.locator(tap).click();
        continue;
      }
      const field = tab.locator(tap.fill), held = await field.inputValue();
      if (tap.was !== undefined && held !== tap.was) found.push(`${tap.fill} holds ${held}`);
      found.push(...await fits(tab));
      await field.fill(tap.text);
    }
    await tab.waitForURL(url => url.pathname.startsWith(page.lands));
    found.push(...await says(tab, language, page.then[language]), ...await fits(tab),
      ...await inert(tab, []));
  }
  if (script) {
    await settle(tab);
    const isGolden = page.golden && !zoom && GOLDEN.includes(`${size}-${scheme}`);
    if (isGolden && canCompare === undefined) canCompare = comparable(await fontsOf(tab));
    const picture = await tab.screenshot({ fullPage: true });
    writeFileSync(join(shots, `${name}.png`), picture);
    if (isGolden && canCompare) found.push(...compare(name, picture));
  }
  await context.close();
  views += 1;
  faults.push(...found.map(fault => `${name}: ${fault}`));
}

/** All views of a page: every size and scheme with script, one each without, and large text. Of a
 *  page that shares its design with others, `few` of them: each of these at least once. */
function viewsOf({ few, once }) {
  const all = [];
  for (const language of LANGUAGES) {
    if (once) {
      all.push({ language, size: 'phone', scheme: 'light', script: true });
      continue;
    }
    if (few) {
      const view = (size, scheme, script, zoom) => all.push({ language, size, scheme, script, zoom });
      view('narrow', 'light', true, false);
      view('phone', 'dark', true, false);
      view('phone', 'light', true, false);
      view('phone', 'light', false, false);
      view('narrow', 'light', true, true);
      view('desktop', 'light', true, false);
      continue;
    }
    for (const size of sizes) {
      for (const scheme of ['light', 'dark']) all.push({ language, size, scheme, script: true });
      all.push({ language, size, scheme: 'light', script: false });
      all.push({ language, size, scheme: 'light', script: true, zoom: true });
    }
  }
  return all;
}

const profile = mkdtempSync(join(tmpdir(), 'hallmark-browser-'));
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args: FLAGS, chromiumSandbox: false,
  env: { ...process.env, HOME: profile, XDG_CONFIG_HOME: profile, XDG_CACHE_HOME: profile },
});
try {
  for (const page of pages) for (const view of viewsOf(page)) await look(browser, page, view);
} finally {
  await browser.close();
  rmSync(profile, { recursive: true, force: true });
}
faults.forEach(fault => console.log(fault));
console.log(`${views} views of ${pages.length} pages, ${faults.length} faults`);
process.exitCode = faults.length ? 1 : 0;
