// The page: one view at a time, by the address; all of them where there is no script, and to the browser's search.

function views() {
  const all = [...document.querySelectorAll('.view')];
  const links = [...document.querySelectorAll('#contents a')];
  const menu = document.getElementById('menu');
  const open = (yes) => {
    menu.setAttribute('aria-expanded', yes);
    document.body.classList.toggle('open', yes);
  };
  const show = (view) => {
    all.forEach((other) => {
      if (other === view) other.removeAttribute('hidden');
      else other.setAttribute('hidden', 'until-found');
    });
    links.forEach((link) => {
      if (link.hash === `#${view.id}`) link.setAttribute('aria-current', 'page');
      else link.removeAttribute('aria-current');
    });
    document.title = `${view.querySelector('h2').textContent} · Stochastic Layer-wise Learning`;
  };
  const follow = () => {
    const named = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const view = (named && named.closest('.view')) || all[0];
    open(false);
    if (named && named.id === 'main') return;
    show(view);
    if (named && named !== view) named.scrollIntoView();
    else window.scrollTo(0, 0);
  };
  all.forEach((view) => view.addEventListener('beforematch', () => show(view)));
  menu.addEventListener('click', () => open(menu.getAttribute('aria-expanded') !== 'true'));
  document.addEventListener('keydown', (event) => { if (event.key === 'Escape') open(false); });
  window.addEventListener('hashchange', follow);
  follow();
}

const LONG_TABLE = 12;
document.querySelectorAll('.scroll > table:not([data-plain])').forEach((table) => {
  sortable(table);
  if (!table.id && table.tBodies[0] && table.tBodies[0].rows.length > LONG_TABLE) searchable(table);
});
document.querySelectorAll('form.filters[data-for]').forEach(filtered);
document.querySelectorAll('.command code').forEach(copyable);
const data = document.getElementById('curve-data');
if (data) {
  const { warm, curves } = JSON.parse(data.textContent);
  explorer(curves, warm);
}
views();
