// The page as it opens: the two nearest models, and everything about all of them where there are more than two.
function startChoosing() {
  [byId("first"), byId("second")].forEach((select) => {
    select.append(...order.map((model) => make("option", { value: model }, short(data.models[model].name, 80))));
    select.addEventListener("change", () => {
      const [one, other] = [byId("first"), byId("second")].map((side) => Number(side.value));
      if (one !== other) openPair(one, other);
    });
  });
}

function showSettings() {
  const digests = data.models.map((model) => make("dd", {}, named(model.name), `: ${model.digest}`));
  const list = Object.entries(data.settings).flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]);
  byId("settings").append(make("dl", { class: "settings" }, ...list, ...data.notes.flatMap((note) => [make("dt", {}, "note"), make("dd", {}, note)]), make("dt", {}, "SHA-256 of the models' numbers"), ...digests));
}

function nearestPair() {
  let best = [0, 1];
  for (let i = 0; i < count; i += 1) {
    for (let j = i + 1; j < count; j += 1) if (distances[i * count + j] < distances[best[0] * count + best[1]]) best = [i, j];
  }
  return best;
}

byId("contradiction").textContent = data.contradiction;
byId("missing").textContent = data.missing;
byId("overview").hidden = byId("groups").hidden = byId("choosing").hidden = count === 2;
startChoosing();
startViews();
if (count > 2) {
  makeHeatmap();
  startGroups();
}
openPair(...nearestPair());
showSettings();
