// Every text that a page shows, as it stands in the document, piece by piece.
//
// The page says what it shows in attributes: on the element with `data-check` the goods
// (`data-goods`, their canonical text), the ids of every public record (`data-records`) and of every
// record that its node calls damaged (`data-damaged`), and of how many records that are not public it
// tells something (`data-hidden`); on each element that states a record its id (`data-record`), and, as
// far as stated there, its kind (`data-kind`), issuer (`data-by`), place (`data-log`, `data-entry`),
// time (`data-time`, the earliest and latest instant), finding that it answers (`data-finding`) and
// fault (`data-fault`); on each element whose text is a field of the record around it, or of any, the
// field (`data-of`, tell.mjs); on a step that is not public `data-closed`; on the band its state
// (`data-state`). All other text must be the page's own wording.

const listed = (text = '') => text.split(' ').filter(Boolean);
/** What shows something that is no text. */
const OTHER = 'img,picture,iframe,object,embed,video,audio,canvas,template,dialog,style,input[type=image]';
/** What shows nothing of its text. */
const UNSEEN = '[hidden],[aria-hidden=true],[inert]';
/** Attributes that are read out or shown. */
const SPOKEN = ['title', 'alt', 'aria-label', 'placeholder', 'label'];

/** The pieces of text in an element, but for what the check itself writes. */
function* pieces(element, host) {
  if (element.localName === 'script' || (host.contains(element) && element.matches('ol, [role=status]'))) return;
  const around = element.closest('[data-record]'), { record, time } = around ? around.dataset : {};
  const dd = element.closest('dd'), dt = dd && dd.previousElementSibling;
  const isLabelled = Boolean(dt && dt.localName === 'dt');
  const isInBand = Boolean(element.closest('#state'));
  const isInFooter = Boolean(element.closest('body > footer'));
  const piece = (of, text, more) =>
    ({ of, text: text.trim(), record, time, isLabelled, isInBand, isInFooter, ...more });
  if (element.matches(OTHER)) yield piece('', `<${element.localName}>`);
  if (element.matches(UNSEEN) && element.textContent.trim()) yield piece('', `<${element.localName} hidden>`);
  for (const name of SPOKEN) {
    if (element.hasAttribute(name)) yield piece('', element.getAttribute(name));
  }
  const { of, ai, closed } = element.dataset || {};
  if (closed !== undefined) yield piece('closed', '');
  else if (of) yield piece(of, element.textContent, { ai });
  else if (element.localName === 'option') yield piece('option', element.textContent, { value: element.value });
  else if (element.localName === 'dt') {
    const next = element.nextElementSibling, holds = next
      ? [next, ...next.querySelectorAll('[data-of]')].filter(one => one.dataset.of) : [];
    yield piece('dt', element.textContent, { holds: holds.map(one => one.dataset.of), ai: next && next.dataset.ai });
  } else {
    for (const node of element.childNodes) {
      if (node.nodeType === Node.ELEMENT_NODE) yield* pieces(node, host);
      else if (node.nodeType === Node.TEXT_NODE && node.data.trim()) yield piece('', node.data);
    }
  }
}

/** What the page around this element shows. */
export const read = host => ({
  goods: host.dataset.goods,
  ids: listed(host.dataset.records),
  damaged: listed(host.dataset.damaged),
  hidden: Number(host.dataset.hidden || 0),
  state: (document.getElementById('state') || host).dataset.state || '',
  address: location.pathname + location.search,
  language: document.documentElement.lang,
  stated: [...document.querySelectorAll('[data-record]')].map(one => ({ ...one.dataset })),
  pieces: [{ of: 'title', text: document.title }, ...pieces(document.body, host)],
});
