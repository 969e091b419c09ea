// The page's own wording, and what it states for itself: figures, the code, the state.
//
// Phrases that this or tell.mjs calls by their English text stand in a field of a record alone: as
// wording of the page they would say of a record what it does not. All others are free.

/** The label in front of each field that has one. */
const UNDER = {
  brand: 'Brand', content: 'Content', describer: 'Described by', maker: 'Maker, as they say', lot: 'Lot',
  produced: 'Made on', expiry: 'Use until', markets: 'Sold in', goods: 'Code', since: 'Recalled since',
  reason: 'Reason', action: 'What to do', contact: 'Contact', status: 'Status', valid: 'Valid',
  accreditation: 'Their accreditation', boundary: 'Boundary', period: 'Period',
  verification: 'Verification', primary: 'From primary data', log: 'Log', checked: 'Checked at',
  judged: 'Findings up to', by: ['Recalled by', 'Vouched for by', 'Stated by'],
};
/** Fields that stand elsewhere too. */
const ANYWHERE = ['by', 'goods', 'maker'];
const NAMES = ['hallmark-verify check', 'hallmark-verify', 'English', '中文', '—'];
export const isMinute = text => /^\d{4}-\d\d-\d\d \d\d:\d\d UTC$/.test(text);

export class Worded {
  /** `shown.owns` are the texts of few pages (more.mjs), where these are loaded. */
  constructor(shown, teller) {
    const { goods, state, language, wording, owns } = shown, { free, states, regions } = wording;
    // Pieces come without the spaces at their ends.
    const words = [...NAMES, ...free].map(one => one.trim()).filter(Boolean)
      .sort((a, b) => b.length - a.length)
      .map(one => one.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|');
    const times = language === 'en' ? '\\b(?:once|\\d+ times)\\b' : '\\d+ 次';
    this.token = new RegExp(`${words}|${times}|[\\s·,;:.–—/()、，：；。（）]`, 'y');
    Object.assign(this, { teller, wording });
    const [heads, sentences] = Object.hasOwn(states, state) ? states[state] : [[], []];
    const names = () => teller.items.flatMap(item => teller.expected({ of: 'name' }, item));
    const rare = owns ? owns(teller, shown, wording) : {};
    this.own = {
      ...rare,
      word: ({ text }) => heads.includes(text),
      sentence: ({ text }) => sentences.includes(text),
      title: ({ text }) => heads.some(head => [head, ...[...names(), goods].map(name => `${head} · ${name}`)]
        .includes(text)),
      goods: ({ text }) => text === goods,
      count: ({ text }) => /^\d+$/.test(text),
      checked: ({ text }) => isMinute(text),
      judged: ({ text }) => isMinute(text),
      log: ({ text }) => teller.all.some(({ places }) => places.some(({ origin }) => this.isLog(text, origin))),
      operator: ({ isInFooter }) => isInFooter,
      closed: () => true,
      // What this node's rules found is its own word, and told apart from texts of nobody.
      found: () => true,
      option: ({ text, value }) => text === (value ? regions[value] : '—'),
      dt: ({ text, holds, ai }) => holds.length === 1
        && ([UNDER[holds[0]] || []].flat().some(key => teller.say(key) === text)
        || Boolean(rare.label) && rare.label({ text, ai }, holds[0])),
    };
  }

  isLog(text, origin) {
    if (!text.startsWith(origin + ', ')) return false;
    const [count, at, ...more] = text.slice(origin.length + 2).split(' · ');
    const isCount = count.replace(/^\d+ /, '') === this.teller.say('entries');
    return isCount && !more.length && (at === undefined || isMinute(at));
  }

  /** Whether a text is made of the page's phrases alone. */
  isWording(text) {
    this.token.lastIndex = 0;
    while (this.token.lastIndex < text.length) if (!this.token.test(text)) return false;
    return true;
  }

  /** Whether a field stands behind its label. */
  isInPlace({ of, isLabelled }) {
    return isLabelled || ANYWHERE.includes(of) || !Object.hasOwn(UNDER, of);
  }
}
