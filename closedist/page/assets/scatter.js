// Both embeddings side by side, the second carried onto the first; one input is lit in both.
const rows = unpack(data.rows);
const predicted = data.predicted.map(unpack);
const pointsOf = data.points.map((points) => points && coordinates(points));
const view = { sides: [null, null], centre: null, radius: 1, screens: [null, null] };

// (n, d) numbers from steps between the smallest and the largest of each column.
function coordinates({ low, high, steps }) {
  const width = low.length;
  const raw = unpack(steps);
  const values = new Float64Array(raw.length);
  for (let at = 0; at < raw.length; at += 1) {
    const column = at % width;
    values[at] = low[column] + (raw[at] / 65535) * (high[column] - low[column]);
  }
  return { width, values };
}

// Rows times a map, whose last row is the shift.
function carried({ width, values }, map) {
  const to = map[0].length;
  const size = values.length / width;
  const result = new Float64Array(size * to);
  for (let row = 0; row < size; row += 1) {
    for (let column = 0; column < to; column += 1) {
      let sum = map[width][column];
      for (let from = 0; from < width; from += 1) sum += values[row * width + from] * map[from][column];
      result[row * to + column] = sum;
    }
  }
  return { width: to, values: result };
}

// The two sides of a pair, or null where the page has none.
function sidesOf(i, j) {
  const found = data.pairs[`${i},${j}`].view;
  if (!found) return null;
  if (found.map) return [pointsOf[i], carried(pointsOf[j], found.map)];
  return [coordinates(found.first), coordinates(found.second)];
}

function showEmbeddings(i, j) {
  const sides = sidesOf(i, j);
  byId("embeddings").hidden = !sides;
  byId("no-embeddings").hidden = Boolean(sides);
  if (!sides) {
    byId("no-embeddings").textContent = "The embeddings of this pair have more than three dimensions and are not in this page, which has those of the nearest models and of some others.";
    return;
  }
  const { fit, drawn } = data.pairs[`${i},${j}`].view;
  const { width } = sides[0];
  view.sides = sides;
  frame();
  const total = rows.length < data.numInputs ? `${counted(rows.length)} of ${counted(data.numInputs)} inputs are drawn, at random and those listed below` : `All ${counted(rows.length)} inputs are drawn`;
  const few = data.models[i].dimension <= 3;
  const own = few ? "as it is" : `along the ${width} directions in which both agree most`;
  const fits = few
    ? `The map explains ${percent(fit)} of the first's variance.`
    : `The ${width} directions are chosen as those in which both agree most and have ${percent(drawn)} of the first's variance; of that the map explains ${percent(fit)}, and the rest is not drawn.`;
  byId("first-name").replaceChildren(modelName(i), `, ${own}`);
  byId("second-name").replaceChildren(modelName(j), ", carried onto the first by the best linear map");
  byId("fit").textContent = `${fits} ${total}. Colours and shapes are the labels that each model gives.`;
  byId("first-view").setAttribute("aria-label", `Embeddings of ${data.models[i].name}, ${width} dimensions. ${total}.`);
  byId("second-view").setAttribute("aria-label", `Embeddings of ${data.models[j].name} after the best linear map. ${fits}`);
  byId("turning").hidden = width < 3;
  showLegend(i, j);
  light(chosen.input);
}

// What both views show of the plane: the same square, so that they can be compared.
function frame() {
  const { width } = view.sides[0];
  const [low, high] = [new Array(width).fill(Infinity), new Array(width).fill(-Infinity)];
  for (const side of view.sides) {
    side.values.forEach((value, at) => {
      low[at % width] = Math.min(low[at % width], value);
      high[at % width] = Math.max(high[at % width], value);
    });
  }
  view.centre = low.map((value, axis) => (value + high[axis]) / 2);
  const halves = low.map((value, axis) => (high[axis] - value) / 2);
  view.radius = (width < 3 ? Math.max(...halves) : Math.hypot(...halves)) || 1;
}

function project({ width, values }, size) {
  const [turn, tilt] = ["turn", "tilt"].map((id) => (byId(id).value * Math.PI) / 180);
  const scale = (0.46 * size) / view.radius;
  const screen = new Float32Array((values.length / width) * 2);
  for (let row = 0; row * width < values.length; row += 1) {
    let [x, y, z] = [0, 1, 2].map((axis) => (axis < width ? values[row * width + axis] - view.centre[axis] : 0));
    if (width === 3) {
      [x, z] = [x * Math.cos(turn) + z * Math.sin(turn), z * Math.cos(turn) - x * Math.sin(turn)];
      y = y * Math.cos(tilt) - z * Math.sin(tilt);
    }
    screen[2 * row] = size / 2 + scale * x;
    screen[2 * row + 1] = size / 2 - scale * y;
  }
  return screen;
}

function trace(context, x, y, label, size) {
  const corners = outline(label, size);
  context.beginPath();
  if (corners) {
    corners.forEach(([dx, dy], index) => (index ? context.lineTo(x + dx, y + dy) : context.moveTo(x + dx, y + dy)));
    context.closePath();
  } else context.arc(x, y, size, 0, 2 * Math.PI);
}

function drawSide(side) {
  const canvas = byId(["first-view", "second-view"][side]);
  const size = canvas.clientWidth;
  if (!size) return;
  const sharp = window.devicePixelRatio || 1;
  canvas.width = canvas.height = Math.round(size * sharp);
  const context = canvas.getContext("2d");
  context.scale(sharp, sharp);
  const screen = project(view.sides[side], size);
  view.screens[side] = screen;
  const labels = predicted[side ? chosen.second : chosen.first];
  const mark = rows.length > 600 ? 2.6 : 3.6;
  rows.forEach((_, at) => {
    const other = chosen.label !== null && labels[at] !== chosen.label;
    context.globalAlpha = other ? 0.1 : 0.75;
    context.fillStyle = colour(labels[at]);
    trace(context, screen[2 * at], screen[2 * at + 1], labels[at], mark);
    context.fill();
  });
  if (chosen.input === null) return;
  context.globalAlpha = 1;
  const styles = getComputedStyle(document.documentElement);
  const [x, y] = [screen[2 * chosen.input], screen[2 * chosen.input + 1]];
  context.fillStyle = colour(labels[chosen.input]);
  trace(context, x, y, labels[chosen.input], 6);
  context.fill();
  context.lineWidth = 2.5;
  context.strokeStyle = styles.getPropertyValue("--lit");
  context.beginPath();
  context.arc(x, y, 11, 0, 2 * Math.PI);
  context.stroke();
}

function drawViews() {
  if (view.sides[0]) [0, 1].forEach(drawSide);
}

function showLegend(i, j) {
  const seen = [...new Set([...predicted[i], ...predicted[j]])].sort((a, b) => a - b);
  byId("legend").replaceChildren(...seen.slice(0, 40).map((label) => {
    const corners = outline(label, 3.4);
    const mark = corners ? make("polygon", { points: corners.map(([x, y]) => `${6 + x},${6 + y}`).join(" "), fill: colour(label) }) : make("circle", { cx: 6, cy: 6, r: 4, fill: colour(label) });
    return make("button", {
      type: "button", "aria-pressed": String(chosen.label === label),
      click: () => { chosen.label = chosen.label === label ? null : label; pressLegend(); drawViews(); },
      "data-label": label,
    }, make("svg", { viewBox: "0 0 12 12", "aria-hidden": "true" }, mark), named(short(data.labels[label], 30)));
  }));
}

function pressLegend() {
  byId("legend").querySelectorAll("button").forEach((button) => button.setAttribute("aria-pressed", String(Number(button.dataset.label) === chosen.label)));
}

// Light a drawn input (by its position) in both views and say what it is; null puts the light out.
function light(position) {
  chosen.input = position;
  drawViews();
  const card = byId("lit");
  if (position === null) {
    card.replaceChildren(make("span", { class: "note" }, "Point at an input, or move the slider: it lights up in both."));
    return;
  }
  byId("input").value = position;
  const row = rows[position];
  const [first, second] = [chosen.first, chosen.second].map((model) => data.labels[predicted[model][position]]);
  card.replaceChildren(...described(row, make("div", {}, modelName(chosen.first), " says ", named(first), "; ", modelName(chosen.second), " says ", named(second), ".")));
}

// The picture of an input, and beside it which it is, its text, and what else there is to say.
function described(row, ...lines) {
  const { id, text, image } = data.inputs[row] || {};
  const which = make("div", {}, `Input ${counted(row)}`, id === undefined ? "" : ", ", id === undefined ? "" : named(id));
  const words = text === undefined ? "" : make("div", { class: "text", dir: "auto" }, text);
  const body = make("div", {}, which, words, ...lines);
  return image ? [make("img", { src: image, alt: `input ${row}` }), body] : [body];
}

function startViews() {
  byId("input").max = rows.length - 1;
  byId("input").addEventListener("input", (event) => light(Number(event.target.value)));
  ["turn", "tilt"].forEach((id) => byId(id).addEventListener("input", drawViews));
  [byId("first-view"), byId("second-view")].forEach((canvas, side) => {
    let dragged = null;
    canvas.addEventListener("pointerdown", (event) => { dragged = [event.clientX, event.clientY]; });
    canvas.addEventListener("pointerup", () => { dragged = null; });
    canvas.addEventListener("pointerleave", () => { dragged = null; });
    canvas.addEventListener("pointermove", (event) => {
      if (dragged && view.sides[0].width === 3) {
        turnBy(event.clientX - dragged[0], event.clientY - dragged[1]);
        dragged = [event.clientX, event.clientY];
      } else if (!dragged) lightNearest(side, event);
    });
    canvas.addEventListener("click", (event) => lightNearest(side, event));
  });
  new ResizeObserver(drawViews).observe(byId("first-view"));
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawViews);
  window.matchMedia("print").addEventListener("change", drawViews);
}

function turnBy(x, y) {
  const turned = ((Number(byId("turn").value) + x / 2 + 540) % 360) - 180;
  byId("turn").value = turned;
  byId("tilt").value = Number(byId("tilt").value) + y / 2;
  drawViews();
}

function lightNearest(side, event) {
  const screen = view.screens[side];
  if (!screen) return;
  let [best, nearest] = [null, 14 ** 2];
  rows.forEach((_, at) => {
    const distance = (screen[2 * at] - event.offsetX) ** 2 + (screen[2 * at + 1] - event.offsetY) ** 2;
    if (distance < nearest) [best, nearest] = [at, distance];
  });
  if (best !== null && best !== chosen.input) light(best);
}
