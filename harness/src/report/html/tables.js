'use strict';
// Tables: sorting by a click on a head, filtering, commands to copy.

/// The number that a cell begins with, its thousands set apart by spaces; none where it begins with something else.
function numberOf(text) {
  const found = /^[-−+]?\d[\d\u00a0\u2009\u202f ]*(\.\d+)?(e[-+]?\d+)?/i.exec(text.replace(/^[<>≤≥~] ?/, ''));
  return found ? Number(found[0].replace('−', '-').replace(/[\u00a0\u2009\u202f ]/g, '')) : NaN;
}

function sortable(table) {
  const body = table.tBodies[0];
  const heads = table.tHead ? [...table.tHead.rows[0].cells] : [];
  if (!body || body.rows.length < 2) return;
  heads.forEach((head, column) => {
    if ('plain' in head.dataset) return;
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'sort';
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener('click', () => {
      const down = head.getAttribute('aria-sort') === 'ascending';
      heads.forEach((other) => other.removeAttribute('aria-sort'));
      head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
      sort(body, column, down ? -1 : 1);
    });
  });
}

/// Cells that say nothing stay at the end either way.
function sort(body, column, direction) {
  const rows = [...body.rows].map((row) => {
    const text = row.cells[column].textContent.trim();
    return { row, text: /^[—–]/.test(text) ? '' : text, number: numberOf(text) };
  });
  const said = rows.filter(({ text }) => text);
  const numeric = said.filter(({ number }) => !Number.isNaN(number)).length * 2 > said.length;
  const nothing = ({ text, number }) => !text || (numeric && Number.isNaN(number));
  rows.sort((a, b) => {
    if (nothing(a) || nothing(b)) return nothing(a) - nothing(b);
    const order = numeric ? a.number - b.number : a.text.localeCompare(b.text, 'en', { numeric: true });
    return direction * order;
  });
  body.append(...rows.map(({ row }) => row));
}

/// Shows the rows that have all of `words`.
const hasWords = (row, words) => words.every((word) => row.textContent.toLowerCase().includes(word));
const wordsOf = (text) => text.toLowerCase().split(/\s+/).filter(Boolean);

/// A field over a long table that has no form of its own.
function searchable(table) {
  const rows = [...table.tBodies[0].rows];
  const field = document.createElement('input');
  field.type = 'search';
  field.placeholder = `filter ${rows.length} rows`;
  field.setAttribute('aria-label', table.parentElement.getAttribute('aria-label') + ', filter rows');
  field.className = 'search';
  field.addEventListener('input', () => {
    const words = wordsOf(field.value);
    rows.forEach((row) => { row.hidden = !hasWords(row, words); });
  });
  table.parentElement.before(field);
}

function filtered(form) {
  // Not `form.dataset`, which is the field of that name.
  const rows = [...document.getElementById(form.getAttribute('data-for')).tBodies[0].rows];
  const chosen = [...form.querySelectorAll('select')];
  const apply = () => {
    const words = wordsOf(form.elements.words.value);
    const shown = rows.filter((row) => {
      const fits = chosen.every(({ name, value }) => !value || row.dataset[name] === value)
        && (form.elements.empty.checked || !('empty' in row.dataset)) && hasWords(row, words);
      row.hidden = !fits;
      return fits;
    });
    form.querySelector('output').textContent = `${shown.length} of ${rows.length} cells`;
  };
  form.addEventListener('input', apply);
  form.addEventListener('reset', () => setTimeout(apply));
  form.addEventListener('submit', (event) => event.preventDefault());
  apply();
}

/// A button that copies the command beside it; where the browser keeps the clipboard to itself, it selects the command.
function copyable(code) {
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'copy';
  button.textContent = 'Copy';
  button.setAttribute('aria-label', `Copy ${code.textContent}`);
  const say = (word) => {
    button.textContent = word;
    setTimeout(() => { button.textContent = 'Copy'; }, 1500);
  };
  button.addEventListener('click', () => {
    const select = () => {
      getSelection().selectAllChildren(code);
      say(document.execCommand('copy') ? 'Copied' : 'Selected');
    };
    if (!navigator.clipboard) return select();
    navigator.clipboard.writeText(code.textContent).then(() => say('Copied'), select);
  });
  code.before(button);
}
