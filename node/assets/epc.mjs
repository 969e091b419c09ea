// The paths of EPC URNs, which only records of some systems have: asked for where one does.

/** Digits with GS1's check digit. */
function checked(digits) {
  const sum = [...digits].reverse().reduce((sum, digit, at) => sum + digit * (at % 2 ? 1 : 3), 0);
  return digits + (10 - sum % 10) % 10;
}

/** EPC schemes of GS1 keys: what stands before the key; how that is made of company prefix and
 *  reference (the first digit of the reference in front, and a check digit; the check digit alone; as
 *  they are); what stands before the serial; how many fields of digits are between. */
const EPC = {
  sgtin: ['/01/', 'front', '/21/'], lgtin: ['/01/', 'front', '/10/'],
  upui: ['/01/', 'front', '/235/'], itip: ['/8006/', 'front', '/21/', 2],
  sscc: ['/00/', 'front'], gsin: ['/402/', 'check'], gsrn: ['/8018/', 'check'],
  gsrnp: ['/8017/', 'check'], pgln: ['/417/', 'check'], sgln: ['/414/', 'check', '/254/'],
  grai: ['/8003/0', 'check', ''], gdti: ['/253/', 'check', ''], sgcn: ['/255/', 'check', ''],
  giai: ['/8004/', 'as is'], ginc: ['/401/', 'as is'], cpi: ['/8010/', 'as is', '/8011/'],
};

/** The path of an EPC URN; nothing of one of another scheme. */
export function ofEpc(text) {
  const [, scheme, value] = /^urn:epc:(?:id|idpat|class):(\w+):(.+)$/.exec(text) || [];
  if (!Object.hasOwn(EPC, scheme)) return '';
  const [before, how, joint, between = 0] = EPC[scheme];
  const [company, second = '', ...rest] = value.split('.');
  const reference = joint === undefined ? [second, ...rest].join('.') : second;
  const key = how === 'front' ? checked(reference[0] + company + reference.slice(1))
    : how === 'check' ? checked(company + reference) : company + reference;
  const serial = joint === undefined ? '' : rest.slice(between).join('.');
  const isBare = ['', '*'].includes(serial) || (scheme === 'sgln' && serial === '0');
  return before + key + rest.slice(0, between).join('') + (isBare ? '' : joint + serial);
}
