// Fills the table of labels, which sorts and filters, and writes the names of groups beside their rows in the heat map.
(() => {
  const {groups: groupNames, labels} = JSON.parse(document.getElementById("data").textContent);

  // Labels ---------------------------------------------------------------------------------------------------------
  const MORE = 150; // rows that are added when the reader gets to the end
  const box = document.getElementById("labels"), body = box.querySelector("tbody");
  const told = document.getElementById("found"), search = document.getElementById("search");
  const folded = labels.name.map((name, i) => `${name}\n${groupNames[labels.group[i]]}`.toLowerCase());
  const named = {
    name: i => labels.name[i],
    group: i => groupNames[labels.group[i]],
    mistaken: i => labels.mistaken[i] < 0 ? null : labels.name[labels.mistaken[i]],
  };
  const compare = new Intl.Collator(undefined, {numeric: true}).compare;
  let order = labels.name.map((_, i) => i), found = order, shown = 0;

  function value(key, i) {
    return named[key] ? named[key](i) : labels[key][i];
  }

  function cell(key, i) {
    const made = document.createElement("td"), what = value(key, i);
    if (named[key]) {
      made.dir = "auto";
      made.textContent = what === null ? "" : what;
    } else {
      made.className = "n";
      const share = ["recall", "precision", "f1"].includes(key);
      made.textContent = what === null ? "–" : share ? `${(100 * what).toFixed(0)}%` : what.toLocaleString("en");
    }
    return made;
  }

  const heads = [...box.querySelectorAll("th")], keys = heads.map(head => head.dataset.key);

  function more() {
    const rows = found.slice(shown, shown + MORE).map(i => {
      const row = document.createElement("tr");
      row.append(...keys.map(key => cell(key, i)));
      return row;
    });
    shown += rows.length;
    body.append(...rows);
  }

  function show() {
    const sought = search.value.trim().toLowerCase();
    found = sought ? order.filter(i => folded[i].includes(sought)) : order;
    const all = order.length.toLocaleString("en");
    told.textContent = sought ? `${found.length.toLocaleString("en")} of ${all} labels` : `${all} labels`;
    body.replaceChildren();
    box.scrollTop = shown = 0;
    more();
  }

  function sort(head, way) {
    const key = head.dataset.key, sign = way === "ascending" ? 1 : -1;
    for (const other of heads) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", way);
    const missing = i => value(key, i) === null; // what has no value comes last, either way
    order = [...order].sort((a, b) => {
      if (missing(a) || missing(b)) return missing(a) - missing(b) || a - b;
      const [x, y] = [value(key, a), value(key, b)];
      return sign * (named[key] ? compare(x, y) : x - y) || a - b;
    });
    show();
  }

  for (const head of heads) {
    head.querySelector("button").onclick = () => {
      const first = named[head.dataset.key] ? "ascending" : "descending";
      const other = first === "ascending" ? "descending" : "ascending";
      sort(head, head.getAttribute("aria-sort") === first ? other : first);
    };
  }
  search.oninput = show;
  box.onscroll = () => {
    if (box.scrollTop + box.clientHeight > box.scrollHeight - 400) more();
  };
  sort(heads.find(head => head.dataset.key === "wrong"), "descending");

  // Heat map -------------------------------------------------------------------------------------------------------
  const plots = document.querySelector("[data-root-id]");
  if (plots) whenDrawn(page => {
    const heat = page.get_model_by_name("heat");
    if (heat) {
      nameHeatCells(page, groupNames);
      const draw = () => requestAnimationFrame(() => drawHeatNames(page, groupNames));
      heat.properties.inner_width.change.connect(draw);
      draw();
    }
    document.body.dataset.ready = "yes";
  });
  else document.body.dataset.ready = "yes";
})();
