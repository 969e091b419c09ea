// The script of a passport's page: a button that loads the check when it is pressed, not before.
//
// The element with `data-check` (the path of a bundle) holds, hidden until there is script, the
// button, a status line and the list of steps, and says in `data-busy` and `data-lost` what people
// read while it runs and where its other parts cannot be loaded. read.mjs tells its other attributes.

for (const host of document.querySelectorAll('[data-check]')) {
  const part = name => host.querySelector(name);
  const button = part('button'), status = part('[role=status]');
  button.hidden = false;
  button.onclick = async () => {
    button.disabled = true;
    status.textContent = host.dataset.busy;
    try {
      const parts = /^zh/.test(document.documentElement.lang)
        ? ['./check.mjs', './words-zh.mjs', './wording-zh.mjs']
        : ['./check.mjs', './words-en.mjs', './wording-en.mjs'];
      // All asked for at once.
      const [{ run }, ...words] = await Promise.all(parts.map(name => import(name)));
      await run(host, status, part('ol'), ...words);
    } catch (lost) {
      status.textContent = host.dataset.lost;
    }
    button.disabled = false;
  };
}
