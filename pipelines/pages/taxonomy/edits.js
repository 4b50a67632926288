// The tree as lists of labels that can be moved, groups that can be renamed, and the file that `taxonomy apply` takes.
function treeEditor({name, mark, groups, labels}, choose, nearer, changed) {
  const edits = new Map(); // "label 3" → {label: 3, to: group}, "group 2" → {group: 2, name}
  const get = id => document.getElementById(id), all = query => [...document.querySelectorAll(query)];
  const items = [], lists = all("[data-members]"), buttons = all(".groups [data-group]");
  for (const item of all("li[data-label]")) {
    items[item.dataset.label] = item;
    item.draggable = true;
  }
  const form = get("rename"), select = get("move"), area = document.querySelector("#edits textarea");
  let opened = -1, dragged = -1, text = "", isSaved = true;

  const nameOf = g => edits.get(`group ${g}`)?.name ?? groups[g][1];
  const groupOf = i => edits.get(`label ${i}`)?.to ?? labels[i].group;
  const called = g => g === groups.length ? "no group" : both(groups[g][0], nameOf(g));

  function both(id, name) {
    return isolated(id === name ? name : `${name} (${id})`);
  }

  function open(g) {
    opened = g;
    lists.forEach((list, other) => { list.hidden = other !== g; });
    buttons.forEach((button, other) => button.toggleAttribute("aria-current", other === g));
    get("none").hidden = g >= 0;
    form.hidden = !(g >= 0 && g < groups.length);
    if (!form.hidden) form.elements[0].value = nameOf(g);
    form.querySelector("p").textContent = "";
  }

  function chosen(i) {
    const radio = items[i]?.querySelector("input") || document.querySelector("li input:checked");
    if (radio) radio.checked = i >= 0;
    if (i >= 0 && groupOf(i) !== opened) open(groupOf(i));
    if (i >= 0) items[i].scrollIntoView({block: "nearest", container: "nearest"});
    offer(i);
  }

  function offer(i) { // the groups that a label can be moved to
    select.hidden = i < 0;
    select.dataset.label = i;
    if (i < 0) return;
    const option = (g, words) => new Option(words, g);
    const near = nearer(i), others = [...groups.keys()].filter(g => g !== groupOf(i) && g !== near);
    const first = near < 0 || near === groupOf(i) ? [] : [option(near, `${called(near)} – the nearest`)];
    select.replaceChildren(option("", "Move to…"), ...first, ...others.map(g => option(g, called(g))));
  }

  // Edits ----------------------------------------------------------------------------------------------------------
  function move(i, to) {
    edits.delete(`label ${i}`);
    if (to !== labels[i].group) edits.set(`label ${i}`, {label: i, to});
    place(i);
    update();
  }

  function rename(g, name) {
    const fold = word => word.normalize("NFKC").toLowerCase();
    const other = groups.findIndex(([id], o) => o !== g && [id, nameOf(o)].some(word => fold(word) === fold(name)));
    const wrong = !name ? "A group needs a name." : other < 0 ? "" : `There is a group ${called(other)} already.`;
    form.querySelector("p").textContent = wrong;
    if (wrong) return;
    edits.delete(`group ${g}`);
    if (name !== groups[g][1]) edits.set(`group ${g}`, {group: g, name});
    update();
  }

  function undo(key) {
    const {label, group} = edits.get(key);
    edits.delete(key);
    if (label !== undefined) place(label);
    if (group === opened) open(opened);
    update();
  }

  function place(i) { // where the label's own stand in their order, those that came behind them
    const g = groupOf(i), item = items[i], list = lists[g].querySelector("ul");
    const isHome = g === labels[i].group;
    item.querySelector(".moved")?.remove();
    if (!isHome) item.append(small(`from ${called(labels[i].group)}`));
    const after = other => labels[other.dataset.label].group !== g || Number(other.dataset.label) > i;
    list.insertBefore(item, isHome ? [...list.children].find(other => other !== item && after(other)) || null : null);
  }

  function small(words) {
    const made = document.createElement("small");
    made.className = "moved";
    made.textContent = words;
    return made;
  }

  function update() {
    const sizes = new Array(groups.length + 1).fill(0);
    labels.forEach((_, i) => { sizes[groupOf(i)] += 1; });
    buttons.forEach((button, g) => {
      button.querySelector("small").textContent = sizes[g] || "0, so it goes";
      if (g < groups.length) {
        button.querySelector("bdi").textContent = lists[g].querySelector("h3 bdi").textContent = called(g);
      }
    });
    get("edits").hidden = get("count").hidden = !edits.size;
    get("count").textContent = edits.size === 1 ? "1 edit" : `${edits.size} edits`;
    document.querySelector("#edits ol").replaceChildren(...[...edits].map(([key, edit]) => listed(key, edit)));
    text = file();
    area.value = text;
    isSaved = !edits.size;
    offer(Number(select.dataset.label));
    changed();
  }

  function listed(key, {label, to, group, name}) {
    const item = document.createElement("li"), button = document.createElement("button");
    const {id, name: own, group: from} = labels[label] ?? {};
    item.append(label === undefined ? `Group ${both(...groups[group])} is named ${isolated(name)}`
      : `${both(id, own)}: from ${called(from)} to ${called(to)}`, button);
    button.className = "link";
    button.textContent = "Undo";
    button.onclick = () => undo(key);
    return item;
  }

  // The file -------------------------------------------------------------------------------------------------------
  function file() {
    const lines = [`# Edits of the tree ${plain(name)}`, mark];
    const moved = new Map();
    for (const {label, to, group, name} of edits.values()) {
      if (label === undefined) lines.push(line(["rename", "--kind", "group"], [groups[group][0], name]));
      else moved.set(to, [...(moved.get(to) ?? []), label]);
    }
    // A group that all of its own leave is gone from then on: what comes to it comes first.
    const staying = new Set(labels.filter((label, i) => groupOf(i) === label.group).map(label => label.group));
    for (const [to, those] of [...moved].sort(([a], [b]) => staying.has(a) - staying.has(b))) {
      const names = those.map(i => labels[i]);
      if (names.some(({id, name}) => id !== name)) lines.push(`# ${names.map(({name}) => plain(name)).join(", ")}`);
      lines.push(line(["move"], names.map(({id}) => id), ["--to", groups[to][0]]));
    }
    return `${lines.join("\n")}\n`;
  }

  function line(command, names, options = []) { // what begins with a dash stands behind two of them
    const isPlain = names.every(name => !name.startsWith("-"));
    return [...command, ...(isPlain ? [...names, ...options] : [...options, "--", ...names])].map(quoted).join(" ");
  }

  function quoted(word) { // as shells and Python's shlex read it
    if (/^[\p{L}\p{N}_.,:+@%/-]+$/u.test(word)) return word;
    return /["\\$`!]/.test(word) ? `'${word.replaceAll("'", `'"'"'`)}'` : `"${word}"`;
  }

  function plain(words) {
    return words.replace(/[\p{Cc}\p{Cf}\s]+/gu, " ");
  }

  // What a person does ---------------------------------------------------------------------------------------------
  const tree = get("tree"), target = event => event.target.closest?.(".groups [data-group]");
  tree.addEventListener("change", event => {
    if (event.target.type === "radio") choose(Number(event.target.closest("li").dataset.label));
  });
  tree.addEventListener("dragstart", event => {
    dragged = Number(event.target.dataset?.label ?? -1);
    if (dragged >= 0) event.dataTransfer.setData("text/plain", labels[dragged].name);
  });
  tree.addEventListener("dragover", event => {
    all(".over").forEach(button => button.classList.remove("over"));
    const button = target(event), g = Number(button?.dataset.group ?? -1);
    if (dragged < 0 || g < 0 || (g === groups.length && labels[dragged].group !== g)) return;
    event.preventDefault();
    button.classList.add("over");
  });
  tree.addEventListener("drop", event => {
    event.preventDefault();
    move(dragged, Number(target(event).dataset.group));
  });
  tree.addEventListener("dragend", () => {
    dragged = -1;
    all(".over").forEach(button => button.classList.remove("over"));
  });
  select.onchange = () => move(Number(select.dataset.label), Number(select.value));
  form.onsubmit = event => {
    event.preventDefault();
    rename(opened, form.elements[0].value.trim());
  };
  get("save").onclick = () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], {type: "text/plain"}));
    link.download = "edits.txt";
    link.click();
    isSaved = true;
  };
  get("copy").onclick = () => {
    area.select();
    document.execCommand("copy"); // works without a server, where the newer way may not
    isSaved = true;
  };
  addEventListener("beforeunload", event => {
    if (!isSaved) event.preventDefault();
  });

  const movedTo = i => groupOf(i) === labels[i].group ? "" : `, moved to ${called(groupOf(i))}`;
  return {choose: chosen, open, called, movedTo, opened: () => opened};
}
