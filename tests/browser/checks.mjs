// What must hold of a page in a view. Each check gives the faults it found, as sentences.

import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const WCAG = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];

/** Collects what a page must never do: leave the origin, complain but of a path that is `lost` on
 *  purpose, open a dialogue. */
export function watch(page, origin, lost, faults) {
  page.on('request', request => {
    const url = request.url();
    if (!url.startsWith(origin + '/') && !url.startsWith('data:')) faults.push(`a request to ${url}`);
  });
  page.on('console', message => {
    // Chromium reports the status of the page itself; which one it must have is checked apart.
    const isOwn = message.location().url === page.url() && /status of 4\d\d/.test(message.text());
    const isLost = lost.some(path => message.location().url === origin + path);
    if (message.type() === 'error' && !isOwn && !isLost) faults.push(`console: ${message.text()}`);
  });
  page.on('pageerror', error => faults.push(`script: ${error.message}`));
  page.on('dialog', dialog => {
    faults.push(`a dialogue: ${dialog.message()}`);
    dialog.dismiss();
  });
}

/** The axe rules of WCAG 2.2 AA. */
export async function accessible(page) {
  await page.evaluate(axe);
  const found = await page.evaluate(
    tags => globalThis.axe.run(document, { runOnly: tags }), WCAG);
  return found.violations.flatMap(({ id, help, nodes }) =>
    nodes.map(node => `axe ${id}: ${help}: ${node.html.slice(0, 160)}`));
}

/** Nothing is wider than the window, and no text is cut off in its own box. */
export async function fits(page) {
  return page.evaluate(() => {
    const wide = document.scrollingElement.scrollWidth - document.documentElement.clientWidth;
    const faults = wide > 0 ? [`${wide} pixels wider than the window`] : [];
    for (const element of document.querySelectorAll('body *')) {
      const style = getComputedStyle(element);
      const isHidden = style.overflow === 'hidden' || style.textOverflow === 'ellipsis';
      if (isHidden && element.scrollWidth > element.clientWidth + 1 && element.clientWidth > 1) {
        faults.push(`text is cut off: ${element.outerHTML.slice(0, 160)}`);
      }
    }
    return faults;
  });
}

/** Printed, it takes one sheet of A4. */
export async function printed(page) {
  const pdf = await page.pdf({ preferCSSPageSize: true });
  const sheets = pdf.toString('latin1').match(/\/Type \/Page\b/g)?.length;
  return sheets === 1 ? [] : [`${sheets} sheets when printed`];
}

/** Language, title and heading say what the page is. */
export async function says(page, language, words) {
  const [lang, title, heading, shown] = await page.evaluate(() => [
    document.documentElement.lang, document.title,
    [...document.querySelectorAll('h1')].map(one => one.innerText).join('|'),
    document.body.innerText,
  ]);
  const faults = [];
  if (lang !== language) faults.push(`<html lang> is ${lang}`);
  for (const word of words.both || []) {
    if (!title.includes(word)) faults.push(`the title ${title} lacks ${word}`);
    if (!heading.includes(word)) faults.push(`the heading ${heading} lacks ${word}`);
  }
  for (const word of words.shown || []) {
    if (!shown.includes(word)) faults.push(`the page does not show ${word}`);
  }
  if (heading.includes('|') || heading === '') faults.push(`not one heading: ${heading}`);
  return faults;
}

/** What was stored as text is text: it is shown, and nothing of it became a node or ran. */
export async function inert(page, probes) {
  return page.evaluate(texts => {
    const faults = [];
    if (globalThis.probed) faults.push('a probe ran');
    for (const element of document.querySelectorAll('*')) {
      for (const { name, value } of element.attributes) {
        const isCode = name.startsWith('on') || /^\s*(javascript|vbscript|data:text)/i.test(value);
        if (isCode) faults.push(`code in an attribute: ${element.outerHTML.slice(0, 160)}`);
      }
      const isForeign = element.localName === 'script' && element.src.endsWith('/assets/page.mjs') === false;
      if (isForeign || element.localName === 'iframe' || element.localName === 'object') {
        faults.push(`an element that no page has: ${element.outerHTML.slice(0, 160)}`);
      }
    }
    const shown = document.body.textContent;
    for (const text of texts) if (!shown.includes(text)) faults.push(`not shown as text: ${text}`);
    return faults;
  }, probes);
}

/** The "check it yourself" part comes to a verdict that begins so, `text`, and says these steps. */
export async function checks(page, verdict) {
  const host = page.locator('[data-check]');
  await host.locator('button').click();
  await host.locator('button:enabled').waitFor();
  const text = await host.locator('[role=status]').innerText();
  const steps = await host.locator('li').allInnerTexts();
  const isSaid = one => steps.some(step => step.startsWith(one));
  const isWhole = text.startsWith(verdict.text) && (verdict.steps || []).every(isSaid);
  return isWhole ? [] : [`the check says ${text}: ${steps.join('; ')}`];
}
