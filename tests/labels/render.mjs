// Draws the labels of a ZPL file as a printer of 203 dots an inch would: one PNG a label.
//
//     node render.mjs LABELS.zpl FOLDER
//
// Each label says its own size (^PW, ^LL); all of a run are of one size. Prints how many there are.
// The renderer is Zebrash, built for WebAssembly: nothing is asked of a network.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ready } from 'zpl-renderer-js';

const DOTS_PER_MM = 8;

const [file, folder] = process.argv.slice(2);
const zpl = readFileSync(file, 'utf8');
const millimetres = (command) => {
  const dots = zpl.match(new RegExp(`\\^${command}(\\d+)`));
  if (dots === null) throw new Error(`no ^${command} in ${file}`);
  return Math.ceil(Number(dots[1]) / DOTS_PER_MM);
};
const { api } = await ready;
const [width, height] = [millimetres('PW'), millimetres('LL')];
const images = await api.zplToBase64MultipleAsync(zpl, width, height, DOTS_PER_MM);
for (const [index, image] of images.entries()) {
  writeFileSync(join(folder, `${index + 1}.png`), Buffer.from(image, 'base64'));
}
console.log(images.length);
