// Learning curves, drawn from the data on the page.

function explorer(curves, warm) {
  const form = document.getElementById('explorer-form');
  const figure = document.getElementById('explorer');
  const svg = figure.querySelector('svg');
  const slider = figure.querySelector('input');
  const caption = figure.querySelector('figcaption');
  const body = figure.querySelector('tbody');
  const field = form.elements;
  const hidden = new Set();
  let drawn = null;

  const options = (select, names) => {
    select.replaceChildren(...names.map((name, index) => new Option(name, index)));
  };
  const page = () => curves[field.page.value];
  const set = () => page().sets[field.set.value];
  const height = (run, index) => {
    if (field.y.value === 'loss') return run.loss[index];
    return field.y.value === 'error' ? 100 - run.accuracy[index] : run.accuracy[index];
  };
  const across = (run, index) => run[field.x.value][index];

  /// Means over the runs that reached an epoch and did not diverge, from the least to the greatest.
  function mean(line) {
    const epochs = new Map();
    line.runs.filter((run) => !run.diverged).forEach((run) => run.epoch.forEach((epoch, index) => {
      const [xs, ys] = epochs.get(epoch) || epochs.set(epoch, [[], []]).get(epoch);
      xs.push(across(run, index));
      ys.push(height(run, index));
    }));
    const average = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
    return [...epochs].sort(([a], [b]) => a - b).map(([epoch, [xs, ys]]) => ({
      epoch, x: average(xs), y: average(ys), low: Math.min(...ys), high: Math.max(...ys), n: ys.length,
    }));
  }

  function ticks(low, high, logarithmic, most) {
    if (logarithmic) {
      const all = [];
      for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power += 1) {
        [1, 2, 5].forEach((digit) => all.push(digit * 10 ** power));
      }
      const inside = all.filter((value) => value >= low * 0.999 && value <= high * 1.001);
      return inside.length > most ? inside.filter((value) => /^(0\.)?0*1/.test(value)) : inside;
    }
    const rough = (high - low) / most;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((digit) => digit * power).find((candidate) => candidate >= rough);
    const first = Math.ceil(low / step - 1e-9);
    const count = Math.floor(high / step + 1e-9) - first + 1;
    return Array.from({ length: Math.max(count, 0) }, (_, index) => (first + index) * step);
  }

  const word = (value) => {
    if (value === 0) return '0';
    return Math.abs(value) >= 1e5 || Math.abs(value) < 1e-3 ? value.toExponential(0) : String(+value.toPrecision(4));
  };
  const make = (name, attributes, text) => {
    const element = document.createElementNS('http://www.w3.org/2000/svg', name);
    Object.entries(attributes).forEach(([key, value]) => element.setAttribute(key, value));
    if (text !== undefined) element.textContent = text;
    return element;
  };

  function draw() {
    const lines = set().lines.map((line) => ({ ...line, points: mean(line) }));
    const shown = lines.filter((line) => !hidden.has(line.label));
    const single = field.single.checked;
    const points = shown.flatMap((line) => line.points.map((point) => ({ ...point, of: line.points.length })));
    const runs = single ? shown.flatMap((line) => line.runs) : [];
    const xs = [...points.map((point) => point.x), ...runs.flatMap((run) => run.epoch.map((_, i) => across(run, i)))];
    const last = Math.max(...xs, 0);
    // The first epochs of a long training are far from all others and decide no axis.
    const long = points.some((point) => point.of > warm.epochs);
    const settled = points.filter((point) => !long || point.x >= warm.share * last);
    const ys = settled.flatMap((point) => [point.low, point.high]).filter(Number.isFinite);
    let [low, high] = ys.length ? [Math.min(...ys), Math.max(...ys)] : [0, 1];
    const logarithmic = field.y.value !== 'accuracy' && low > 0 && (field.y.value === 'error' || high / low > 20);
    const room = (high - low || Math.abs(high) || 1) * 0.05;
    [low, high] = logarithmic ? [low / 1.08, high * 1.08] : [low - room, high + room];
    if (field.y.value === 'accuracy') high = Math.min(high, 100);
    const start = field.x.value === 'epoch' ? Math.min(...xs, 1) : 0;

    const width = Math.max(figure.clientWidth, 280);
    const tall = width < 520 ? 280 : 400;
    const [left, right, top, bottom] = [52, 14, 14, 44];
    const toX = (x) => left + ((x - start) / (last - start || 1)) * (width - left - right);
    const scale = logarithmic ? Math.log : (value) => value;
    const toY = (y) => top + (1 - (scale(y) - scale(low)) / (scale(high) - scale(low))) * (tall - top - bottom);
    const at = (x, y) => `${toX(x).toFixed(1)},${toY(y).toFixed(1)}`;

    svg.setAttribute('viewBox', `0 0 ${width} ${tall}`);
    const axes = make('g', { class: 'axes' });
    ticks(low, high, logarithmic, 7).forEach((value) => {
      axes.append(make('line', { x1: left, x2: width - right, y1: toY(value), y2: toY(value) }));
      axes.append(make('text', { x: left - 8, y: toY(value) + 4, 'text-anchor': 'end' }, word(value)));
    });
    ticks(start, last, false, width < 520 ? 4 : 9).forEach((value) => {
      axes.append(make('text', { x: toX(value), y: tall - bottom + 20, 'text-anchor': 'middle' }, word(value)));
    });
    axes.append(make('text', { x: (left + width - right) / 2, y: tall - 4, 'text-anchor': 'middle' }, field.x.value));
    const clip = make('clipPath', { id: 'explorer-clip' });
    clip.append(make('rect', { x: left, y: top, width: width - left - right, height: tall - top - bottom }));
    const data = make('g', { class: 'drawing', 'clip-path': 'url(#explorer-clip)' });
    shown.forEach(({ colour, points: own }) => {
      if (!own.some((point) => point.high > point.low)) return;
      const edge = own.map((point) => at(point.x, point.high))
        .concat(own.slice().reverse().map((point) => at(point.x, point.low)));
      data.append(make('polygon', { points: edge.join(' '), fill: colour, 'fill-opacity': 0.15 }));
    });
    shown.forEach((line) => {
      const one = (run) => run.epoch.map((_, index) => at(across(run, index), height(run, index))).join(' ');
      if (single) {
        line.runs.forEach((run) => data.append(make('polyline', {
          class: 'single', points: one(run), stroke: line.colour, 'stroke-dasharray': run.diverged ? '2 2' : line.dash,
        })));
      }
      const way = line.points.map((point) => at(point.x, point.y)).join(' ');
      data.append(make('polyline', { class: 'mean', points: way, stroke: line.colour, 'stroke-dasharray': line.dash }));
    });
    const cursor = make('g', { class: 'cursor' });
    svg.replaceChildren(clip, axes, data, cursor);

    const places = [...new Set(points.map((point) => (field.x.value === 'epoch' ? point.epoch : point.x)))];
    places.sort((a, b) => a - b);
    const stayed = drawn && drawn.places.length === places.length;
    slider.max = Math.max(places.length - 1, 0);
    if (!stayed) slider.value = slider.max;
    drawn = { lines, shown, places, toX, toY, cursor, tall, top, bottom, left, width };
    const what = field.y.selectedOptions[0].textContent;
    const images = field.y.value === 'loss' ? '' : `, on ${set().evaluated} images`;
    caption.textContent = `${page().name} · ${set().label}: ${what}${images}, against ${field.x.value}`;
    point();
  }

  /// The values at the slider's place.
  function point() {
    const { lines, places, toX, toY, cursor, tall, top, bottom } = drawn;
    const place = places[slider.value];
    cursor.replaceChildren();
    const label = field.x.value === 'epoch' ? `Epoch ${place}` : `${word(place)} seconds`;
    figure.querySelector('.cursor span').textContent = place === undefined ? '' : label;
    slider.setAttribute('aria-valuetext', label);
    if (place !== undefined) {
      cursor.append(make('line', { x1: toX(place), x2: toX(place), y1: top, y2: tall - bottom }));
    }
    const digits = field.y.value === 'loss' ? 4 : 2;
    lines.forEach((line, index) => {
      const off = hidden.has(line.label);
      // In seconds a line has its points elsewhere: the last one before the cursor counts.
      const before = line.points.filter((candidate) => candidate.x <= place + 1e-9);
      const exact = (candidate) => field.x.value !== 'epoch' || candidate.epoch === place;
      const found = off ? undefined : before[before.length - 1];
      const value = found && exact(found) ? found : undefined;
      const [mean_, range, n] = [...body.rows[index].cells].slice(1);
      mean_.textContent = value ? value.y.toFixed(digits) : '—';
      range.textContent = value && value.n > 1 ? `${value.low.toFixed(digits)} to ${value.high.toFixed(digits)}` : '—';
      n.textContent = value ? value.n : '—';
      if (value) cursor.append(make('circle', { cx: toX(value.x), cy: toY(value.y), r: 3.5, fill: line.colour }));
    });
  }

  function rows() {
    const row = (line) => {
      const tr = document.createElement('tr');
      const head = document.createElement('th');
      head.scope = 'row';
      const label = document.createElement('label');
      const tick = document.createElement('input');
      tick.type = 'checkbox';
      tick.checked = !hidden.has(line.label);
      tick.addEventListener('change', () => {
        hidden[tick.checked ? 'delete' : 'add'](line.label);
        draw();
      });
      const swatch = make('svg', { class: 'swatch', viewBox: '0 0 34 10', 'aria-hidden': 'true' });
      swatch.append(make('line', { x1: 1, x2: 33, y1: 5, y2: 5, stroke: line.colour, 'stroke-dasharray': line.dash }));
      label.append(tick, swatch, line.label);
      head.append(label);
      tr.append(head);
      for (let column = 0; column < 3; column += 1) tr.append(document.createElement('td'));
      return tr;
    };
    body.replaceChildren(...set().lines.map(row));
  }

  const chosen = () => {
    hidden.clear();
    drawn = null;
    rows();
    draw();
  };
  const sets = () => {
    options(field.set, page().sets.map(({ label }) => label));
    chosen();
  };
  options(field.page, curves.map(({ name }) => name));
  field.page.addEventListener('change', sets);
  field.set.addEventListener('change', chosen);
  field.x.addEventListener('change', () => { drawn = null; draw(); });
  [field.y, field.single].forEach((one) => one.addEventListener('change', draw));
  form.addEventListener('submit', (event) => event.preventDefault());
  slider.addEventListener('input', point);
  svg.addEventListener('pointermove', (event) => {
    const box = svg.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * drawn.width;
    const far = (index) => Math.abs(drawn.toX(drawn.places[index]) - x);
    const nearest = drawn.places.reduce((best, _, index) => (far(index) < far(best) ? index : best), 0);
    slider.value = nearest;
    point();
  });
  sets();
  new ResizeObserver(() => { if (figure.clientWidth) draw(); }).observe(figure);
}
