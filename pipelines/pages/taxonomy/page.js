// Writes the texts that fit into the plots, finds labels, and marks the chosen one in every plot.
(() => {
  const narrow = matchMedia("(max-width: 719px)");
  const LINE = 15, PAD = 3; // pixels
  const CJK = "\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef";
  const PIECES = new RegExp(`[${CJK}]|[^\\s${CJK}]+\\s*`, "g"); // what a line may break after
  whenDrawn(start);

  function start(page) {
    const get = name => page.get_model_by_name(name);
    const labels = get("labels"), groups = get("groups");
    const treemap = get("treemap"), map = get("map"), heat = get("heat");
    const column = name => labels.get_array(name), ofGroup = name => groups.get_array(name);
    const names = column("name"), ids = column("id"), home = column("group"), groupNames = ofGroup("name");
    const folded = names.map((name, i) => `${name}\n${ids[i]}`.toLowerCase());
    // Names that the hover boxes show, written once here rather than thousands of times into the page.
    labels.data.group_name = Array.from(home, g => groupNames[g]);
    if (heat) nameHeatCells(page, groupNames);
    let chosen = -1, zoomed = -1, isNarrow = false;

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
      let [left, top, right, bottom] = [0, 0, Math.max(...ofGroup("right")), Math.max(...ofGroup("bottom"))];
      if (group >= 0) {
        [left, top, right, bottom] = sides.map(side => ofGroup(side)[group]);
        top += ofGroup("header")[group];
      }
      treemap.height = isNarrow ? (group >= 0 ? 520 : 900) : 640;
      treemap.x_range.setv({start: left, end: right});
      treemap.y_range.setv({start: bottom, end: top});
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
          const last = clip(line + pieces.slice(p).join(""), width, 5);
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
      if (chosen >= 0) {
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
    function choose(i) {
      labels.selected.indices = i < 0 ? [] : [i];
    }

    function mark() {
      const box = sides.map(ofGroup), g = chosen < 0 ? -1 : home[chosen];
      fill(get("frame"), g < 0 ? [] : [Object.fromEntries(sides.map((side, s) => [side, box[s][g]]))]);
      fill(get("ring"), chosen < 0 ? [] : [{x: column("x")[chosen], y: column("y")[chosen]}]);
      if (heat) {
        const n = heat.tags.length, row = g < 0 ? -1 : heat.tags.indexOf(g);
        fill(get("cross"), row < 0 ? [] : [
          {left: 0, right: n, top: row, bottom: row + 1}, {left: row, right: row + 1, top: 0, bottom: n},
        ]);
      }
      soon(drawMap);
    }

    function tell() {
      const place = document.getElementById("chosen");
      place.replaceChildren();
      if (chosen < 0) {
        place.textContent = "Click a label, or search for one: it is marked in every plot.";
        return;
      }
      const strong = document.createElement("strong");
      strong.textContent = names[chosen];
      const signed = value => (value < 0 ? "−" : "+") + Math.abs(value).toFixed(2);
      const parts = [` ${ids[chosen] ? `(${ids[chosen]}) ` : ""}in ${groupNames[home[chosen]]}`];
      const documents = labels.data.documents && column("documents")[chosen];
      if (documents !== undefined) parts.push(documents === 1 ? "1 document" : `${documents} documents`);
      if (documents > 0) {
        const to = column("sent_to")[chosen];
        const where = to < 0 ? "" : `, most of them to ${groupNames[to]}`;
        parts.push(`${Math.round(100 * column("shade")[chosen])} % sent to other groups${where}`);
      }
      const margin = column("margin")[chosen];
      const nearest = groupNames.length > 1 ? ` (next: ${groupNames[column("nearest")[chosen]]})` : "";
      parts.push(`fit margin ${signed(margin)}${nearest}`);
      place.append(strong, parts.join(" · "));
    }

    function showZoom() {
      const button = document.getElementById("zoom");
      button.hidden = zoomed < 0 && chosen < 0;
      button.textContent = zoomed >= 0 ? "Show the whole tree" : "Zoom to its group";
    }

    labels.selected.properties.indices.change.connect(() => {
      const indices = labels.selected.indices;
      if (indices.length > 1) return choose(indices[indices.length - 1]);
      chosen = indices.length ? indices[0] : -1;
      mark();
      tell();
      if (zoomed >= 0 && chosen >= 0 && home[chosen] !== zoomed) zoom(home[chosen]); else showZoom();
    });
    document.getElementById("zoom").onclick = () => zoom(zoomed >= 0 || chosen < 0 ? -1 : home[chosen]);
    document.querySelectorAll("button[data-label]").forEach(button => {
      button.onclick = () => choose(Number(button.dataset.label));
    });

    // Search -------------------------------------------------------------------------------------------------------
    const search = document.getElementById("search"), matches = document.getElementById("matches");

    function pick(i) {
      matches.replaceChildren();
      search.value = names[i];
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
        group.textContent = groupNames[home[i]];
        button.append(ids[i] ? `${names[i]} (${ids[i]})` : names[i], group);
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
    document.body.dataset.ready = "yes";
  }
})();
