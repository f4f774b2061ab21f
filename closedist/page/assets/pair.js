// Two models: every number, and the labels, swaps, inputs and directions in which they differ.
function openPair(one, other) {
  [chosen.first, chosen.second] = [Math.min(one, other), Math.max(one, other)];
  chosen.input = null;
  const [i, j] = [chosen.first, chosen.second];
  byId("first").value = i;
  byId("second").value = j;
  byId("pair-title").replaceChildren(modelName(i), " and ", modelName(j));
  markOpen();
  const { verdict, notes } = data.pairs[`${i},${j}`];
  byId("pair-verdict").textContent = verdict ? verdict.sentence : "";
  byId("pair-verdict").hidden = count === 2;
  byId("pair-names").replaceChildren("p is ", modelName(i), ", q is ", modelName(j), ".");
  byId("notes").replaceChildren(...(notes || []).map((note) => make("li", {}, note)));
  showNumbers(i, j);
  showEmbeddings(i, j);
  showDetails(data.pairs[`${i},${j}`], i, j);
}

// The first numbers are seen at once, the rest on request.
const MOST_NUMBERS = 5;

function showNumbers(i, j) {
  const tiles = data.measures.map((measure, index) => {
    const [there, back] = [valueOf(index, i, j), valueOf(index, j, i)];
    const unit = measure.unit ? ` ${measure.unit}` : "";
    const note = measure.directed ? `${written(back)}${unit} from the second to the first; ${measure.meaning}` : measure.meaning;
    const sure = sureOf(measure, i, j);
    return make("div", {}, make("dt", {}, measure.title), make("dd", {}, written(there) + unit, sure && make("small", { class: "sure" }, sure), make("small", {}, note)));
  });
  byId("numbers").replaceChildren(make("dl", { class: "figures" }, ...tiles.slice(0, MOST_NUMBERS)));
  byId("more-numbers").replaceChildren(make("dl", { class: "figures" }, ...tiles.slice(MOST_NUMBERS)));
  byId("more").hidden = tiles.length <= MOST_NUMBERS;
}

function showDetails(found, i, j) {
  const [labels, rest] = [[], []];
  const differ = Boolean(found.labels) && !found.equal;
  byId("answers").textContent = differ ? found.answers : "";
  byId("answers").hidden = !differ;
  if (!found.labels) {
    rest.push(make("p", { class: "note" }, "Labels and inputs are listed for every model with its nearest and for some other pairs, not for this one; closedist.explain says them of any two models."));
  } else {
    labels.push(make("h3", {}, "One label for another"), swapTable(found.swaps, i, j), make("h3", {}, "Labels"), found.equal ? make("p", {}, "Their logits are equal for every label and every input, but for rounding.") : labelTable(found));
    if (!found.equal) rest.push(make("h3", {}, "Inputs that they see most differently"), inputCards(found.inputs, i, j));
    if (found.directions.length) rest.push(make("h3", {}, "Directions of the embeddings"), directionTable(found.directions), lackedDirections(found, i, j));
  }
  byId("labels").replaceChildren(...labels);
  byId("details").replaceChildren(...rest.filter(Boolean));
}

const scrollable = (label, table) => make("div", { class: "wide", tabindex: 0, role: "region", "aria-label": `${label}, scrollable` }, table);
const shown = (index) => (row) => written(row[index]);

function labelTable({ labels, pivot }) {
  const all = labels.length < data.labels.length ? `the first ${labels.length} of ${counted(data.labels.length)}` : `all ${labels.length}`;
  const means = "Lost and gained: inputs given the label by p alone, by q alone. Where given: mean of q's logit less p's over the inputs that p gives the label; logits are centred over the labels";
  const terms = pivot === null ? [] : [{ title: "t1 term", number: true, value: (row) => (row[7] === null ? null : Number(row[7])), cell: (row) => (row[7] === null ? "" : written(Number(row[7]))) }];
  const against = pivot === null ? "" : `; t1's larger term against pivot label ${pivot}`;
  return scrollable("Labels", sortable(`Those that carry most of KL(p‖q) first, ${all}. ${means}${against}. Press a column's name to sort`, [
    { title: "Label", value: (row) => row[0], cell: (row) => named(row[0]) },
    { title: "Share of KL", number: true, value: (row) => row[1], cell: (row) => percent(row[1]), bar: (row) => row[1] },
    { title: "Lost", number: true, value: (row) => row[2], cell: (row) => counted(row[2]) },
    { title: "Gained", number: true, value: (row) => row[3], cell: (row) => counted(row[3]) },
    { title: "Where given", number: true, value: (row) => row[4], cell: (row) => (row[4] === null ? "" : written(row[4])) },
    { title: "Correlation", number: true, value: (row) => row[5], cell: (row) => (row[5] === null ? "constant" : written(row[5])) },
    { title: "Share of d_logit²", number: true, value: (row) => row[6], cell: (row) => percent(row[6]), bar: (row) => row[6] },
    ...terms,
  ], labels));
}

function swapTable(swaps, i, j) {
  if (!swaps.length) return make("p", {}, "Both give every input the same label.");
  return scrollable("Swapped labels", sortable("Which label one gives where the other gives another, most frequent first", [
    { title: short(data.models[i].name, 30), value: (row) => row[0], cell: (row) => named(row[0]) },
    { title: short(data.models[j].name, 30), value: (row) => row[1], cell: (row) => named(row[1]) },
    { title: "Inputs", number: true, value: (row) => row[2], cell: (row) => counted(row[2]) },
    { title: "Share", number: true, value: (row) => row[3], cell: (row) => percent(row[3]), bar: (row) => row[3] },
  ], swaps));
}

function inputCards(inputs, i, j) {
  const position = new Map([...rows].map((row, at) => [row, at]));
  const says = (model, [label, probability]) => make("div", {}, modelName(model), ": ", named(label), ` ${percent(probability)}`);
  return make("ul", { class: "cards" }, ...inputs.map((input) => {
    const at = position.get(input.row);
    const lit = at === undefined || !data.pairs[`${i},${j}`].view ? null : make("div", {}, make("button", {
      type: "button", click: () => { light(at); byId("embeddings").scrollIntoView(); },
    }, `Light input ${counted(input.row)} above`));
    return make("li", { class: "card" }, ...described(input.row, make("div", { class: "note" }, `KL ${written(input.kl)} nats`), says(i, input.first), says(j, input.second), lit));
  }));
}

// What the table of directions does not show.
function lackedDirections({ directions, only, numDirections }, i, j) {
  const said = [i, j].flatMap((model, side) => {
    const listed = directions.filter((row) => row.variance[1 - side] === 0).length;
    return only[side] > listed ? [`${counted(only[side] - listed)} more that only ${data.models[model].name} has`] : [];
  });
  const both = directions.filter((row) => row.variance[0] && row.variance[1]).length;
  if (numDirections > both) said.push(`${counted(numDirections - both)} more of both, at least as alike`);
  return said.length ? make("p", { class: "note" }, named(`And ${said.join(", ")}.`)) : null;
}

function directionTable(directions) {
  const list = (names) => names.map((name) => short(name, 24)).join(", ") || "no label sees it";
  return scrollable("Directions", sortable("Canonical directions, least alike first, and the labels that they tell apart", [
    { title: "Correlation", number: true, value: (row) => row.correlation, cell: (row) => (row.variance[1] === 0 ? "only the first" : row.variance[0] === 0 ? "only the second" : written(row.correlation)) },
    { title: "Of the first's variance", number: true, value: (row) => row.variance[0], cell: (row) => percent(row.variance[0]), bar: (row) => row.variance[0] },
    { title: "Of the second's", number: true, value: (row) => row.variance[1], cell: (row) => percent(row.variance[1]), bar: (row) => row.variance[1] },
    { title: "One end", value: (row) => list(row.higher), cell: (row) => named(list(row.higher)) },
    { title: "Other end", value: (row) => list(row.lower), cell: (row) => named(list(row.lower)) },
  ], directions));
}
