// Writes the texts that fit into the plots, finds labels, and marks the chosen one in every plot and in the tree.
(() => {
  const narrow = matchMedia("(max-width: 719px)");
  const LINE = 13, PAD = 2; // pixels
  const CJK = "\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef";
  const PIECES = new RegExp(`[${CJK}]|[^\\s_/${CJK}]*[_/]+|[^\\s_/${CJK}]+\\s*`, "g"); // what a line may break after
  whenDrawn(start);

  function start(page) {
    const get = name => page.get_model_by_name(name);
    const labels = get("labels"), groups = get("groups");
    const treemap = get("treemap"), map = get("map"), heat = get("heat");
    const column = name => labels.get_array(name), ofGroup = name => groups.get_array(name);
    const names = column("name"), ids = column("id"), home = column("group"), groupNames = ofGroup("name");
    const tree = JSON.parse(document.getElementById("tree-data").textContent);
    const every = names.map((name, i) => ({id: ids[i] || name, name, group: home[i]})); // labels; those in no group last
    every.push(...tree.unplaced.map(([id, name]) => ({id, name, group: groupNames.length})));
    const folded = every.map(({id, name}) => `${name}\n${id}`.toLowerCase());
    const editor = treeEditor({...tree, labels: every}, choose, i => margin(i) < 0 ? column("nearest")[i] : -1, tell);
    // Names that the hover boxes show, written once here rather than thousands of times into the page.
    labels.data.group_name = Array.from(home, g => groupNames[g]);
    if (heat) nameHeatCells(page, groupNames);
    let chosen = -1, zoomed = -1, isNarrow = false; // a label, a group

    // Several changes at once lead to one drawing: Bokeh lays texts out one after the other.
    const wanted = new Set();
    function soon(draw) {
      if (!wanted.size) requestAnimationFrame(() => {
        const now = [...wanted];
        wanted.clear();
        now.forEach(one => one());
      });
      wanted.add(draw);
    }

    // Treemap ------------------------------------------------------------------------------------------------------
    const sides = ["left", "top", "right", "bottom"];

    function lay() { // take the other of the two layouts where the width asks for it
      if (narrow.matches === isNarrow) return;
      isNarrow = narrow.matches;
      for (const [source, more] of [[labels, []], [groups, ["header"]]]) {
        const data = {...source.data};
        for (const side of [...sides, ...more]) {
          [data[side], data[`${side}_narrow`]] = [data[`${side}_narrow`], data[side]];
        }
        source.data = data;
      }
      zoom(zoomed);
      mark();
    }

    function zoom(group) {
      zoomed = group;
      const whole = [0, 0, Math.max(...ofGroup("right")), Math.max(...ofGroup("bottom"))];
      let [left, top, right, bottom] = group < 0 ? whole : sides.map(side => ofGroup(side)[group]);
      if (group >= 0) top += ofGroup("header")[group];
      treemap.height = group < 0 ? Math.round(whole[3]) : 520;
      treemap.x_range.setv({start: left, end: right});
      treemap.y_range.setv({start: bottom, end: top});
      const path = document.getElementById("zoomed");
      path.hidden = group < 0;
      path.querySelector("strong").textContent = group < 0 ? "" : groupNames[group];
      showZoom();
      soon(drawTreemap);
    }

    function drawTreemap() {
      const {x_range: x, y_range: y} = treemap;
      const across = treemap.inner_width / (x.end - x.start), down = treemap.inner_height / (y.start - y.end);
      if (!(across > 0 && down > 0)) return;
      const seen = (left, top, right, bottom) => right > x.start && left < x.end && bottom > y.end && top < y.start;
      const headers = [], texts = {dark: [], light: []};
      let [left, top, right, bottom] = sides.map(ofGroup);
      const strip = ofGroup("header");
      if (zoomed < 0) {
        pen.font = `bold ${TEXT}px ${FONT}`;
        for (let g = 0; g < left.length; g++) {
          const text = strip[g] > 0 ? clip(groupNames[g], (right[g] - left[g]) * across - 2 * PAD - 2) : "";
          if (text) headers.push({x: left[g] + (PAD + 1) / across, y: top[g] + (PAD + 1) / down, text});
        }
      }
      [left, top, right, bottom] = sides.map(column);
      const shade = column("shade"), [low, high] = labels.tags;
      pen.font = `${TEXT}px ${FONT}`;
      for (let i = 0; i < left.length; i++) {
        if (!seen(left[i], top[i], right[i], bottom[i]) || (zoomed >= 0 && home[i] !== zoomed)) continue;
        const lines = Math.floor(((bottom[i] - top[i]) * down - 2 * PAD) / LINE);
        const text = lines < 1 ? "" : wrap(names[i], (right[i] - left[i]) * across - 2 * PAD, lines);
        const tone = (shade[i] - low) / (high - low) > 0.6 ? "light" : "dark";
        if (text) texts[tone].push({x: left[i] + PAD / across, y: top[i] + PAD / down, text});
      }
      fill(get("header_texts"), headers);
      fill(get("dark_texts"), texts.dark);
      fill(get("light_texts"), texts.light);
    }

    function wrap(text, width, most) {
      const lines = [], pieces = text.match(PIECES) || [];
      let line = "";
      for (const [p, piece] of pieces.entries()) {
        const fits = width >= pen.measureText(piece.trimEnd()).width;
        if (width >= pen.measureText((line + piece).trimEnd()).width) {
          line += piece;
        } else if (fits && line && lines.length + 1 < most) {
          lines.push(line.trimEnd());
          line = piece;
        } else { // no room for this piece: cut here
          const last = clip(line + pieces.slice(p).join(""), width, 8);
          return last ? [...lines, last].join("\n") : "";
        }
      }
      return [...lines, line.trimEnd()].join("\n");
    }

    // Map and heat map ---------------------------------------------------------------------------------------------
    function drawMap() {
      const {x_range: x, y_range: y} = map;
      const across = map.inner_width / (x.end - x.start), down = map.inner_height / (y.end - y.start);
      if (!(across > 0 && down > 0)) return;
      pen.font = `bold ${TEXT}px ${FONT}`;
      const size = ofGroup("size"), [atX, atY] = [ofGroup("x"), ofGroup("y")];
      const order = [...size.keys()].sort((a, b) => size[b] - size[a]);
      const taken = [], texts = [];
      const put = (text, cx, cy) => {
        const width = pen.measureText(text).width;
        // Moved inwards where it would stand out of the frame.
        const middle = Math.min(Math.max((cx - x.start) * across, width / 2 + 4), map.inner_width - width / 2 - 4);
        const box = [middle - width / 2 - 3, cy * down - 8, middle + width / 2 + 3, cy * down + 8];
        if (taken.some(b => b[0] < box[2] && box[0] < b[2] && b[1] < box[3] && box[1] < b[3])) return;
        taken.push(box);
        texts.push({x: x.start + middle / across, y: cy, text});
      };
      if (chosen >= 0 && chosen < names.length) {
        const [cx, cy] = [(column("x")[chosen] - x.start) * across, column("y")[chosen] * down];
        taken.push([cx - 11, cy - 11, cx + 11, cy + 11]); // the ring
        put(clip(names[chosen], 220), column("x")[chosen], column("y")[chosen] + 22 / down);
      }
      for (const g of order) put(clip(groupNames[g], 150), atX[g], atY[g]);
      fill(get("map_texts"), texts);
    }

    function drawHeat() {
      drawHeatNames(page, groupNames);
    }

    // The chosen label ---------------------------------------------------------------------------------------------
    function choose(i) { // -1 is none
      chosen = i;
      const tile = i < names.length && i >= 0 ? [i] : [];
      if (String(labels.selected.indices) !== String(tile)) labels.selected.indices = tile;
      editor.choose(i);
      if (tile.length && zoomed >= 0 && home[i] !== zoomed) zoom(home[i]); else showZoom();
      mark();
      tell();
    }

    function open(g) {
      editor.open(g);
      mark();
    }

    function mark() {
      const box = sides.map(ofGroup), g = editor.opened() < groupNames.length ? editor.opened() : -1;
      const place = i => ({x: column("x")[i], y: column("y")[i]});
      fill(get("frame"), g < 0 ? [] : [Object.fromEntries(sides.map((side, s) => [side, box[s][g]]))]);
      fill(get("members"), [...home.keys()].filter(i => home[i] === g).map(place));
      fill(get("ring"), chosen < 0 || chosen >= names.length ? [] : [place(chosen)]);
      if (heat) {
        const n = heat.tags.length, row = g < 0 ? -1 : heat.tags.indexOf(g);
        fill(get("cross"), row < 0 ? [] : [
          {left: 0, right: n, top: row, bottom: row + 1}, {left: row, right: row + 1, top: 0, bottom: n},
        ]);
      }
      soon(drawMap);
    }

    function margin(i) {
      return i < names.length ? column("margin")[i] : 0;
    }

    function tell() {
      const place = document.getElementById("chosen");
      place.replaceChildren();
      if (chosen < 0) {
        place.textContent = "Click a label, or search for one: it is marked everywhere.";
        return;
      }
      const strong = document.createElement("strong"), {id, name} = every[chosen], i = chosen;
      strong.textContent = name;
      const signed = value => (value < 0 ? "−" : "+") + Math.abs(value).toFixed(2);
      const parts = [` ${id === name ? "" : `(${isolated(id)}) `}in ${editor.called(every[i].group)}${editor.movedTo(i)}`];
      if (i < names.length) {
        const documents = labels.data.documents && column("documents")[i];
        if (documents !== undefined) parts.push(documents === 1 ? "1 document" : `${documents} documents`);
        if (documents > 0) {
          const to = column("sent_to")[i], where = to < 0 ? "" : `, most of them to ${isolated(groupNames[to])}`;
          parts.push(`${Math.round(100 * column("shade")[i])} % sent to other groups${where}`);
        }
        const next = groupNames.length > 1 ? ` (next: ${isolated(groupNames[column("nearest")[i]])})` : "";
        parts.push(`fit margin ${signed(margin(i))}${next}`);
      }
      place.append(strong, parts.join(" · "));
    }

    function showZoom() {
      const button = document.getElementById("zoom");
      button.hidden = zoomed < 0 && !(chosen >= 0 && chosen < names.length);
      button.textContent = zoomed >= 0 ? "Show the whole tree" : "Zoom to its group";
    }

    labels.selected.properties.indices.change.connect(() => {
      const tile = labels.selected.indices.at(-1) ?? -1;
      if (tile !== chosen && !(tile < 0 && chosen >= names.length)) choose(tile);
    });
    groups.selected.properties.indices.change.connect(() => requestAnimationFrame(() => { // the label of a tap first
      const [g] = groups.selected.indices;
      groups.selected.indices = [];
      if (g === undefined || labels.selected.indices.length) return;
      open(g);
      if (zoomed < 0) zoom(g);
    }));
    document.getElementById("zoom").onclick = () => zoom(zoomed >= 0 || chosen < 0 ? -1 : home[chosen]);
    document.querySelector("#zoomed button").onclick = () => zoom(-1);
    document.querySelectorAll("button[data-label]").forEach(button => {
      button.onclick = () => choose(Number(button.dataset.label));
    });
    document.querySelectorAll("[data-group]").forEach(button => {
      button.onclick = () => {
        open(Number(button.dataset.group));
        if (narrow.matches || !button.closest(".groups")) document.querySelector(".members").scrollIntoView();
      };
    });
    document.querySelectorAll("[data-part]").forEach(button => {
      button.onclick = () => document.getElementById(button.dataset.part).scrollIntoView();
    });

    // Search -------------------------------------------------------------------------------------------------------
    const search = document.getElementById("search"), matches = document.getElementById("matches");

    function pick(i) {
      matches.replaceChildren();
      search.value = every[i].name;
      choose(i);
    }

    search.oninput = () => {
      const sought = search.value.trim().toLowerCase();
      const found = [];
      for (let i = 0; sought && i < folded.length; i++) {
        const at = folded[i].indexOf(sought);
        if (at >= 0) found.push([at > 0, i]);
      }
      found.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
      matches.replaceChildren(...found.slice(0, 12).map(([, i]) => {
        const button = document.createElement("button"), group = document.createElement("small");
        const {id, name} = every[i];
        group.textContent = editor.called(every[i].group);
        button.append(id === name ? name : `${name} (${id})`, group);
        button.onclick = () => pick(i);
        const item = document.createElement("li");
        item.append(button);
        return item;
      }));
      if (sought && !found.length) matches.textContent = "No label has this in its name or id.";
      if (!sought) choose(-1);
    };
    search.onkeydown = event => {
      const first = matches.querySelector("button");
      if (event.key === "Enter" && first) first.click();
      if (event.key === "ArrowDown" && first) first.focus();
      if (event.key === "Escape") matches.replaceChildren();
    };
    document.addEventListener("click", event => {
      if (!event.target.closest(".search")) matches.replaceChildren();
    });

    narrow.addEventListener("change", lay);
    for (const [plot, draw] of [[treemap, drawTreemap], [map, drawMap], [heat, drawHeat]]) {
      if (!plot) continue;
      plot.properties.inner_width.change.connect(() => soon(draw));
      plot.properties.inner_height.change.connect(() => soon(draw));
      soon(draw);
    }
    lay();
    choose(-1);
    document.body.dataset.ready = "yes";
  }
})();
