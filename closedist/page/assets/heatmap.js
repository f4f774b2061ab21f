// All pairs as a table whose cells are shaded: readable by a screen reader, on paper and by keyboard as it is.
const values = data.measures.map((measure) => unpack(measure.values));
const valueOf = (measure, i, j) => values[measure][i * count + j];
const cells = [];
let current = [0, Math.min(1, count - 1)];

// How near a value is, between 0 and 1, and whether on a logarithmic scale; infinite is as far as it goes.
function nearness(measure) {
  const finite = [...values[measure]].filter(Number.isFinite);
  const low = Math.min(...finite);
  const high = Math.max(...finite);
  const logarithmic = !data.measures[measure].largerIsCloser && low > 0 && high > 30 * low;
  const scale = logarithmic ? Math.log : (value) => value;
  const span = scale(high) - scale(low) || 1;
  const part = (value) => (Number.isFinite(value) ? (scale(value) - scale(low)) / span : 1);
  const near = data.measures[measure].largerIsCloser ? part : (value) => 1 - part(value);
  return { near, low, high, logarithmic };
}

function said(i, j) {
  const measure = data.measures[chosen.measure];
  if (i === j) return `${data.models[i].name} with itself`;
  const certain = [sureOf(measure, i, j), data.pairs[pairKey(i, j)].verdict?.kind].filter(Boolean).join("; ");
  const value = `${written(valueOf(chosen.measure, i, j))} ${measure.unit}`.trim();
  return `${data.models[i].name} and ${data.models[j].name}: ${measure.title} ${value}${certain ? ` (${certain})` : ""}`;
}

const pairKey = (i, j) => `${Math.min(i, j)},${Math.max(i, j)}`;

// The interval of a number and what unrelated models would have, or "".
function sureOf(measure, i, j) {
  const { intervals, chance } = data.pairs[pairKey(i, j)];
  const name = measure.directed && i > j ? `${measure.name}_reverse` : measure.name;
  const interval = intervals?.[name];
  const by = chance?.[name];
  return [
    interval ? `95 %: ${written(interval[0])} to ${written(interval[1])}` : "",
    by === undefined || by === null ? "" : `by chance ${written(by)}`,
  ].filter(Boolean).join("; ");
}

function makeHeatmap() {
  const small = count > 40;
  const size = count <= 12 ? "3.4rem" : count <= 26 ? "1.9rem" : small ? "9px" : "1rem";
  const numbers = order.map((model) => make("th", { scope: "col" }, make("span", { title: data.models[model].name }, String(place[model] + 1))));
  const rows = order.map((i, row) => make(
    "tr", {},
    make("th", { scope: "row", title: data.models[i].name }, make("span", { class: "name" }, modelName(i)), make("span", { class: "place" }, String(row + 1))),
    ...order.map((j, column) => {
      const cell = make("td", { tabindex: row === current[0] && column === current[1] ? 0 : -1 });
      (cells[row] ||= [])[column] = cell;
      return cell;
    }),
  ));
  const table = make(
    "table", { class: small ? "heat small" : "heat", role: "grid", "aria-label": "Every pair of models" },
    make("thead", {}, make("tr", {}, make("td", { class: "same" }), ...numbers)), make("tbody", {}, ...rows),
  );
  table.style.setProperty("--cell", size);
  const at = (event) => {
    const cell = event.target.closest("tbody td");
    return cell && [cell.parentNode.rowIndex - 1, cell.cellIndex - 1];
  };
  table.addEventListener("click", (event) => { const where = at(event); if (where) openCell(...where); });
  table.addEventListener("keydown", (event) => moveInHeatmap(event, at(event)));
  table.addEventListener("pointermove", (event) => {
    const where = at(event);
    if (where) tip(event, said(order[where[0]], order[where[1]])); else tip(event);
  });
  table.addEventListener("pointerleave", (event) => tip(event));
  byId("heatmap").replaceChildren(table);
  byId("measures").append(...data.measures.flatMap((measure, index) => [
    make("input", { type: "radio", name: "measure", id: `measure-${index}`, value: index, checked: index === 0, change: () => shade(index) }),
    make("label", { for: `measure-${index}` }, measure.title),
  ]));
  shade(0);
}

function shade(index) {
  chosen.measure = index;
  const measure = data.measures[index];
  const { near, low, high, logarithmic } = nearness(index);
  order.forEach((i, row) => order.forEach((j, column) => {
    const cell = cells[row][column];
    const value = valueOf(index, i, j);
    cell.setAttribute("aria-label", said(i, j));
    cell.className = i === j ? "same" : Number.isNaN(value) ? "none" : "";
    if (i === j) return;
    const t = Number.isNaN(value) ? 0 : near(value);
    cell.style.setProperty("--nearness", `${(100 * t).toFixed(1)}%`);
    cell.textContent = count <= 12 ? written(value) : "";
  }));
  const unit = measure.unit ? ` ${measure.unit}` : "";
  byId("meaning").textContent = `${measure.meaning}${unit ? `, in${unit}` : ""}${measure.directed ? ", p the row and q the column" : ""}. Darker or stronger is closer${logarithmic ? "; shades follow the logarithm" : ""}.`;
  byId("far").textContent = `far, ${written(measure.largerIsCloser ? low : high)}`;
  byId("near").textContent = `${written(measure.largerIsCloser ? high : low)}, close`;
  markOpen();
}

function markOpen() {
  document.querySelectorAll(".heat td.open").forEach((cell) => cell.classList.remove("open"));
  const [row, column] = [place[chosen.first], place[chosen.second]];
  [cells[row]?.[column], cells[column]?.[row]].forEach((cell) => cell?.classList.add("open"));
}

function openCell(row, column) {
  if (row === column) return;
  openPair(order[row], order[column]);
  byId("pair-title").focus({ preventScroll: true });
  byId("pair").scrollIntoView();
}

function moveInHeatmap(event, where) {
  if (!where) return;
  const [row, column] = where;
  const last = count - 1;
  const to = {
    ArrowUp: [row - 1, column], ArrowDown: [row + 1, column], ArrowLeft: [row, column - 1], ArrowRight: [row, column + 1],
    Home: [row, 0], End: [row, last], PageUp: [0, column], PageDown: [last, column],
  }[event.key];
  if (event.key === "Enter" || event.key === " ") openCell(row, column);
  else if (!to) return;
  event.preventDefault();
  if (!to) return;
  const [y, x] = to.map((index) => Math.max(0, Math.min(last, index)));
  cells[row][column].tabIndex = -1;
  cells[y][x].tabIndex = 0;
  cells[y][x].focus();
}
