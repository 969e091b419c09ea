// node selftest.mjs: the checks find what they are for. A small server gives pages that each break
// one rule; browser.mjs must name it. A good page beside them must have no fault.

import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const html = body => `<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>Page</title>
<link rel="icon" href="data:,"></head>
<body><main>${body}</main></body></html>`;

/** Path, page, and what must be said of it. */
const PAGES = [
  ['/good', html('<h1>Page</h1><p>Words.</p>'), null],
  ['/wide', html('<h1>Page</h1><p style="width:700px">Words.</p>'), 'wider than the window'],
  ['/grey', html('<h1>Page</h1><p style="color:#bbb;background:#fff">Words.</p>'), 'color-contrast'],
  ['/away', html('<h1>Page</h1><img alt="" src="http://127.0.0.1:9/x.png">'), 'a request to http://127.0.0.1:9'],
  ['/runs', html('<h1>Page</h1><p onclick="probed=1">Words.</p>'), 'code in an attribute'],
  ['/throws', html('<h1>Page</h1><script>throw new Error("lost")</script>'), 'script: lost'],
  ['/mute', html('<h1>Other</h1><p>Words.</p>'), 'the heading Other lacks Page'],
  ['/asks', html('<h1>Page</h1><script>alert(1)</script>'), 'a dialogue: 1'],
  ['/probe', html('<h1>Page</h1>'), 'not shown as text: <b>'],
];

const server = createServer((request, answer) => {
  const page = PAGES.find(([path]) => path === request.url);
  const zh = /zh/.test(request.headers['accept-language']);
  answer.writeHead(page ? 200 : 404, { 'content-type': 'text/html; charset=utf-8' });
  answer.end(page ? page[1].replace('lang="en"', zh ? 'lang="zh-Hans"' : 'lang="en"') : '');
});
await new Promise(ready => server.listen(0, '127.0.0.1', ready));
const shots = mkdtempSync(join(tmpdir(), 'hallmark-selftest-'));
const words = { both: ['Page'] };
const request = {
  origin: `http://127.0.0.1:${server.address().port}`, shots,
  sizes: ['narrow'],
  pages: PAGES.map(([path]) => ({
    name: path.slice(1), path, status: 200, probes: path === '/probe' ? ['<b>'] : [],
    says: { 'zh-Hans': words, en: words },
  })),
};
const child = spawn(process.execPath, [new URL('browser.mjs', import.meta.url).pathname],
  { stdio: ['pipe', 'pipe', 'inherit'] });
child.stdin.end(JSON.stringify(request));
let said = '';
for await (const piece of child.stdout) said += piece;
const code = await new Promise(ended => {
  if (child.exitCode !== null) ended(child.exitCode);
  else child.on('close', ended);
});
server.close();
rmSync(shots, { recursive: true, force: true });

const lines = said.split('\n');
const faults = PAGES.flatMap(([path, , wanted]) => {
  const own = lines.filter(line => line.startsWith(path.slice(1) + '-'));
  if (wanted === null) return own.map(line => `a good page has a fault: ${line}`);
  return own.some(line => line.includes(wanted)) ? [] : [`not seen: ${wanted}`];
});
if (code !== 1) faults.push(`browser.mjs ended with ${code}`);
faults.forEach(fault => console.log(fault));
if (faults.length) console.log(said);
process.exitCode = faults.length ? 1 : 0;
