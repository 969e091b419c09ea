// Golden screenshots: small pictures that a change of layout shows in, and another machine's way to
// draw a letter does not.
//
// A golden is the page at a quarter of its size, compared with a tolerance. Fonts decide where lines
// break, so a machine that draws with others compares nothing, and says so. What differs from run to
// run (ids, instants) is made the same before the picture is taken.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pixelmatch from 'pixelmatch';
import { PNG } from 'pngjs';

const SCALE = 4;
/** Shades are told apart by as much: files of fewer shades are smaller. */
const STEP = 17;
/** Share of the small pixels that may differ. */
const DIFFERENT_MAX = 0.01;
/** Rows of the small picture that one line of text more or less takes. */
const ROWS_MAX = 4;

const folder = new URL('golden/', import.meta.url).pathname;
const fontsFile = join(folder, 'fonts.json');
const update = process.env.UPDATE !== undefined;

/** The families that the browser really draws our pages with: those of a sample of the letters and
 *  elements that any of them has, so that every page has the same. */
export async function fontsOf(page) {
  await page.evaluate(() => {
    const sample = document.createElement('p'), code = document.createElement('code');
    sample.id = 'fonts-sample';
    code.textContent = 'code 0';
    sample.append('Text 文字', code);
    document.body.append(sample);
  });
  const session = await page.context().newCDPSession(page);
  await session.send('DOM.enable');
  await session.send('CSS.enable');
  const { root } = await session.send('DOM.getDocument', { depth: 0 });
  const selector = '#fonts-sample, #fonts-sample code';
  const { nodeIds } = await session.send('DOM.querySelectorAll', { nodeId: root.nodeId, selector });
  const names = new Set();
  for (const nodeId of nodeIds) {
    const { fonts } = await session.send('CSS.getPlatformFontsForNode', { nodeId });
    fonts.forEach(font => names.add(font.familyName));
  }
  await session.detach();
  await page.evaluate(() => document.getElementById('fonts-sample').remove());
  return [...names].sort();
}

/** Makes ids and instants the same in every run. */
export async function settle(page) {
  await page.evaluate(() => {
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
      walk.currentNode.data = walk.currentNode.data
        .replace(/[0-9a-f]{16,}/g, id => '0'.repeat(id.length))
        .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, '2026-01-01T00:00:00Z')
        .replace(/\d{4}-\d\d-\d\d \d\d:\d\d UTC/g, '2026-01-01 00:00 UTC')
        .replace(/\b20\d\d-\d\d(-\d\d)?\b/g, day => '2026-01-01'.slice(0, day.length));
    }
  });
}

/** The picture at a quarter of its size: each pixel the mean of its square. */
function shrink(bytes) {
  const full = PNG.sync.read(bytes);
  const [width, height] = [full.width, full.height].map(length => Math.floor(length / SCALE));
  const small = new PNG({ width, height });
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let channel = 0; channel < 4; channel++) {
        let sum = 0;
        for (let at = 0; at < SCALE * SCALE; at++) {
          const row = y * SCALE + Math.floor(at / SCALE), column = x * SCALE + at % SCALE;
          sum += full.data[(row * full.width + column) * 4 + channel];
        }
        small.data[(y * width + x) * 4 + channel] = Math.round(sum / SCALE ** 2 / STEP) * STEP;
      }
    }
  }
  return small;
}

/** Whether this machine can compare: it draws with the fonts that the goldens were drawn with. */
export function comparable(fonts) {
  if (update) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(fontsFile, JSON.stringify(fonts, null, 2) + '\n');
    return true;
  }
  const drawn = existsSync(fontsFile) ? JSON.parse(readFileSync(fontsFile, 'utf8')) : [];
  if (JSON.stringify(drawn) === JSON.stringify(fonts)) return true;
  console.log(`skipped: golden screenshots, drawn with ${drawn.join(', ')}; here are ${fonts.join(', ')}`);
  return false;
}

/** Compares a screenshot with its golden; UPDATE=1 writes it. */
export function compare(name, bytes) {
  const path = join(folder, `${name}.png`), found = shrink(bytes);
  if (update) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(path, PNG.sync.write(found, { colorType: 2 }));
    return [];
  }
  const help = 'look at it, then rewrite it with: UPDATE=1 cargo test -p hallmark-tests browser';
  if (!existsSync(path)) return [`no golden screenshot ${name}; ${help}`];
  const golden = PNG.sync.read(readFileSync(path));
  const taller = Math.abs(golden.height - found.height);
  if (golden.width !== found.width || taller > ROWS_MAX) {
    const [was, is] = [golden, found].map(one => `${one.width} x ${one.height}`);
    return [`${name} is ${is}, its golden ${was}; ${help}`];
  }
  const { width } = golden, height = Math.min(golden.height, found.height);
  const [a, b] = [golden, found].map(one => one.data.subarray(0, width * height * 4));
  const different = pixelmatch(a, b, null, width, height, { threshold: 0.2 }) / (width * height);
  const percent = (different * 100).toFixed(2);
  return different <= DIFFERENT_MAX ? [] : [`${name} differs in ${percent} %; ${help}`];
}
