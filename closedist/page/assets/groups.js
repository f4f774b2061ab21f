// Which models belong together: the dendrogram cut at the reader's threshold, the map, and the table of models.
const distances = unpack(data.overview.distances);
const merges = data.overview.linkage;
const farthest = merges[merges.length - 1][2] || 1;

// The group of every model, numbered along the dendrogram.
function groupsAt(threshold) {
  const members = data.models.map((_, model) => [model]);
  let top = [...members];
  for (const [a, b, distance] of merges) {
    const joined = [...members[a], ...members[b]];
    if (distance <= threshold) top = [...top.filter((group) => group !== members[a] && group !== members[b]), joined];
    members.push(joined);
  }
  top.sort((a, b) => Math.min(...a.map((m) => place[m])) - Math.min(...b.map((m) => place[m])));
  const group = [];
  top.forEach((models, index) => models.forEach((model) => { group[model] = index; }));
  const joined = top.map((models, index) => (models.length > 1 ? index : -1)).filter((index) => index >= 0);
  const fill = (model) => (joined.includes(group[model]) && top.length > 1 ? colour(joined.indexOf(group[model])) : "var(--quiet)");
  return { group, number: top.length, fill };
}

function drawDendrogram({ number, fill }) {
  const step = count > 40 ? 13 : 20;
  const room = Math.max(320, byId("dendrogram").clientWidth);
  const names = Math.min(250, 0.48 * room);
  const [left, top] = [18, 8];
  const width = room - names - left;
  const height = count * step;
  const x = (distance) => left + width * (1 - distance / (farthest * 1.03));
  const y = (position) => top + (position + 0.5) * step;
  const nodes = data.models.map((_, model) => ({ x: x(0), y: y(place[model]), model }));
  const drawn = [];
  const found = [];
  for (const [index, [a, b, distance]] of merges.entries()) {
    const [one, other] = [nodes[a], nodes[b]];
    const within = distance <= chosen.threshold;
    const at = x(distance);
    const path = make("path", { class: within ? "branch joined" : "branch", d: `M${one.x} ${one.y}H${at}V${other.y}H${other.x}` });
    if (within && number > 1) path.style.stroke = fill(one.model);
    drawn.push(path);
    const support = data.overview.support[index];
    if (support < 1 && index < merges.length - 1) found.push(make("text", { class: "quiet halo", x: at - 3, y: (one.y + other.y) / 2 - 3, "text-anchor": "end" }, percent(support, 0)));
    nodes.push({ x: at, y: (one.y + other.y) / 2, model: one.model });
  }
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((part) => part * farthest);
  const svg = make(
    "svg", { width: left + width + names, height: height + 40, role: "img", "aria-label": `Dendrogram of ${count} models, ${number} groups; the table of models says which` },
    ...ticks.map((tick) => make("line", { class: "axis", x1: x(tick), x2: x(tick), y1: top, y2: top + height })),
    ...ticks.map((tick) => make("text", { class: "quiet", x: x(tick), y: height + top + 16, "text-anchor": "middle" }, written(tick))),
    ...drawn, ...found,
    make("line", { class: "cut", x1: x(chosen.threshold), x2: x(chosen.threshold), y1: top, y2: top + height }),
    ...order.map((model, position) => make(
      "text", { x: left + width + 8, y: y(position) + 4 }, make("title", {}, data.models[model].name),
      `${position + 1}  ${short(data.models[model].name, Math.floor(names / 6.8) - 4)}`,
    )),
  );
  if (count > 40) svg.style.fontSize = "10px";
  byId("dendrogram").replaceChildren(svg);
}

function drawMap({ group, number, fill }) {
  const size = 420;
  const margin = 26;
  const points = data.overview.map;
  const [xs, ys] = [0, 1].map((axis) => points.map((point) => point[axis]));
  const span = Math.max(Math.max(...xs) - Math.min(...xs), Math.max(...ys) - Math.min(...ys)) || 1;
  const at = (value, all, sign) => size / 2 + sign * ((value - (Math.min(...all) + Math.max(...all)) / 2) / span) * (size - 2 * margin);
  const written = []; // where numbers are: of models too close for one each, some go without
  const free = (x, y) => written.every(([otherX, otherY]) => Math.abs(x - otherX) > 17 || Math.abs(y - otherY) > 12);
  const marks = order.flatMap((model) => {
    const [x, y] = [at(points[model][0], xs, 1), at(points[model][1], ys, -1)];
    const beside = [[9, -5], [9, 13], [-24, -5], [-24, 13]].map(([right, down]) => [x + right, y + down]).find((spot) => free(...spot));
    if (beside) written.push(beside);
    const show = (event) => tip(event, modelName(model), ` (group ${group[model] + 1})`);
    const dot = make("circle", { class: "dot", cx: x, cy: y, r: count > 40 ? 5 : 7, fill: fill(model), pointermove: show, pointerleave: (event) => tip(event) });
    return beside ? [dot, make("text", { class: "quiet halo", x: beside[0], y: beside[1], "aria-hidden": "true" }, String(place[model] + 1))] : [dot];
  });
  const box = make("rect", { class: "axis", x: 0.5, y: 0.5, width: size - 1, height: size - 1, fill: "none", rx: 8 });
  byId("map").replaceChildren(make(
    "svg", { viewBox: `0 0 ${size} ${size}`, width: "100%", role: "img", "aria-label": `Map of ${count} models in ${number} groups; near points are near models. The table of models has each one's nearest` },
    box, ...marks,
  ));
  byId("map-caption").textContent = `Models whose logits correlate lie close (classical scaling; the two axes show ${percent(data.overview.mapShows)} of the squared distances). Numbers are those of the dendrogram${written.length < count ? ` (${written.length} of ${count}; the others lie too close, point at one for its name)` : ""}, colours the groups of more than one.`;
}

function listModels({ group }) {
  const wanted = byId("filter").value.toLowerCase();
  const near = (model) => {
    let best = model === 0 ? 1 : 0;
    for (let other = 0; other < count; other += 1) {
      if (other !== model && distances[model * count + other] < distances[model * count + best]) best = other;
    }
    return best;
  };
  const rows = order.filter((model) => data.models[model].name.toLowerCase().includes(wanted)).map((model) => ({ model, nearest: near(model) }));
  const open = (row) => make("button", { type: "button", class: "link", click: () => openCell(place[row.model], place[row.nearest]) }, modelName(row.nearest));
  byId("models").replaceChildren(sortable(`${rows.length} of ${count} models`, [
    { title: "Model", value: (row) => data.models[row.model].name, cell: (row) => modelName(row.model) },
    { title: "Number", number: true, value: (row) => place[row.model] + 1 },
    { title: "Group", number: true, value: (row) => group[row.model] + 1 },
    { title: "Nearest", value: (row) => data.models[row.nearest].name, cell: open },
    { title: "Logit correlation", number: true, value: (row) => valueOf(0, row.model, row.nearest), cell: (row) => written(valueOf(0, row.model, row.nearest)) },
    { title: "Dimension", number: true, value: (row) => data.models[row.model].dimension, cell: (row) => (data.models[row.model].blackBox ? "black box" : String(data.models[row.model].dimension)) },
  ], rows));
}

function drawGroups() {
  const found = groupsAt(chosen.threshold);
  byId("groups-found").textContent = `${written(chosen.threshold)}: logit correlation at least ${minus((1 - chosen.threshold ** 2 / 2).toFixed(3))}, ${found.number} ${found.number === 1 ? "group" : "groups"}`;
  drawDendrogram(found);
  drawMap(found);
  listModels(found);
}

function startGroups() {
  const slider = byId("threshold");
  const top = farthest * 1.02;
  slider.value = Math.round((1000 * Math.min(chosen.threshold, top)) / top);
  slider.addEventListener("input", () => { chosen.threshold = (slider.value / 1000) * top; drawGroups(); });
  byId("filtering").hidden = count <= 20;
  byId("filter").addEventListener("input", () => listModels(groupsAt(chosen.threshold)));
  const support = data.overview.support;
  byId("support").textContent = support.length
    ? ` At a fork: in how many of ${data.overview.replicates} repetitions, each without one part of the inputs, the same models come together; all where nothing is written.`
    : " Too few inputs to say how stable this is.";
  new ResizeObserver(drawGroups).observe(byId("groups"));
}
