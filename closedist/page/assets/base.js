// What everything else uses: the data, the reader's choices, elements made of text only, and colours.
const data = JSON.parse(document.getElementById("data").textContent);
const count = data.models.length;
const order = data.overview.order;
const place = order.map(() => 0);
order.forEach((model, position) => { place[model] = position; });
const chosen = { measure: 0, first: 0, second: 1, threshold: data.overview.threshold, label: null, input: null };

function unpack({ kind, bytes }) {
  const text = atob(bytes);
  const raw = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at += 1) raw[at] = text.charCodeAt(at);
  return new { float32: Float32Array, uint16: Uint16Array, uint32: Uint32Array }[kind](raw.buffer);
}

const byId = (id) => document.getElementById(id);
const svgTags = new Set(["svg", "path", "line", "circle", "text", "g", "rect", "polygon", "title"]);

// An element; what is a string among the children becomes text, never markup.
function make(tag, attributes = {}, ...children) {
  const element = svgTags.has(tag) ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

// A name whatever it is written in: what reads from right to left stays within itself.
const named = (text) => make("bdi", {}, text);
const modelName = (model) => named(data.models[model].name);
const short = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

function written(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "none";
  if (!Number.isFinite(value)) return "∞";
  const size = Math.abs(value);
  const plain = value === 0 || (size >= 1e-3 && size < 1e4);
  const digits = size >= 100 ? 1 : size >= 10 ? 2 : size >= 0.1 ? 3 : 4;
  return minus(plain ? value.toFixed(value === 0 ? 0 : digits) : value.toExponential(2));
}
const minus = (text) => text.replace(/-/g, "−");
const percent = (share, digits = 1) => `${(100 * share).toFixed(share > 0 && share < 0.001 ? 3 : digits)}%`;
const counted = (number) => number.toLocaleString("en");

const palette = ["#4477aa", "#e07b39", "#3f9c6b", "#c8435a", "#8866bb", "#b8971f", "#3aa6b9", "#d884b6", "#8a6d4f", "#8b939c"];
const colour = (index) => palette[index % palette.length];
const shapes = 5; // so that neighbouring labels differ in grey too

// The outline of a label's mark around (0, 0): a circle, a square, a triangle, a diamond or a cross.
function outline(index, size) {
  const s = size * 0.9;
  return [
    null,
    [[-s, -s], [s, -s], [s, s], [-s, s]],
    [[0, -1.3 * s], [1.2 * s, 0.9 * s], [-1.2 * s, 0.9 * s]],
    [[0, -1.4 * s], [1.4 * s, 0], [0, 1.4 * s], [-1.4 * s, 0]],
    [[-s, -1.6 * s], [0, -0.5 * s], [s, -1.6 * s], [1.6 * s, -s], [0.5 * s, 0], [1.6 * s, s], [s, 1.6 * s], [0, 0.5 * s], [-s, 1.6 * s], [-1.6 * s, s], [-0.5 * s, 0], [-1.6 * s, -s]],
  ][index % shapes];
}

// A table whose columns sort: {title, value: row → number or text, cell: row → what is shown, number: bool, bar: row → share}.
function sortable(caption, columns, rows) {
  const body = make("tbody");
  const heads = columns.map((column, index) => {
    const head = make("th", { scope: "col", class: column.number ? "number" : null });
    head.append(make("button", { type: "button", click: () => sort(index, head) }, column.title));
    return head;
  });
  function fill(sorted) {
    body.replaceChildren(...sorted.map((row) => make("tr", {}, ...columns.map((column, index) => {
      const shown = column.cell ? column.cell(row) : String(column.value(row));
      const cell = make(index === 0 ? "th" : "td", { class: column.number ? "number" : null, scope: index === 0 ? "row" : null }, shown);
      if (column.bar) {
        cell.classList.add("bar");
        cell.style.setProperty("--share", `${Math.min(100, 100 * column.bar(row))}%`);
      }
      return cell;
    }))));
  }
  function sort(index, head) {
    const down = head.getAttribute("aria-sort") === "descending";
    const upward = down || (!columns[index].number && head.getAttribute("aria-sort") !== "ascending");
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", upward ? "ascending" : "descending");
    const value = columns[index].value;
    const known = (row) => value(row) !== null && value(row) !== undefined;
    const compare = (a, b) => (typeof a === "string" ? a.localeCompare(b, undefined, { numeric: true }) : a - b);
    const sorted = rows.filter(known).sort((a, b) => compare(value(a), value(b)) * (upward ? 1 : -1));
    fill([...sorted, ...rows.filter((row) => !known(row))]);
  }
  fill(rows);
  return make("table", { class: "rows" }, make("caption", {}, make("span", {}, caption)), make("thead", {}, make("tr", {}, ...heads)), body);
}

function tip(event, ...content) {
  const box = byId("tip");
  box.hidden = content.length === 0;
  if (box.hidden) return;
  box.replaceChildren(...content);
  const right = event.clientX > window.innerWidth / 2;
  box.style.left = right ? "auto" : `${event.clientX + 14}px`;
  box.style.right = right ? `${window.innerWidth - event.clientX + 14}px` : "auto";
  box.style.top = `${Math.min(event.clientY + 14, window.innerHeight - box.offsetHeight - 8)}px`;
}
