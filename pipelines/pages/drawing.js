// What the pages share: texts that fit into their space, and the names beside the rows of a heat map.
"use strict";
const pen = document.createElement("canvas").getContext("2d");
const FONT = getComputedStyle(document.body).fontFamily;
const TEXT = 11; // pixels
const NUMBERED = 25, NEEDS = 16; // rows of a heat map at most, and pixels of a column, for numbers and names of columns

const PAPER_WIDTH = 700; // pixels

addEventListener("beforeprint", () => { // plots are as wide as on the screen: each section is to fit on the paper
  for (const plot of document.querySelectorAll("[data-root-id] > *")) {
    plot.style.setProperty("--fit", Math.min(1, PAPER_WIDTH / plot.closest("section").clientWidth));
  }
});

function whenDrawn(start) { // calls back with the document of the plots once they stand
  const waiting = setInterval(() => {
    const page = window.Bokeh && Bokeh.documents[0];
    if (page && page.is_idle) {
      clearInterval(waiting);
      start(page);
    }
  }, 20);
}

function fill(source, rows) {
  const keys = Object.keys(source.data);
  source.data = Object.fromEntries(keys.map(key => [key, rows.map(row => row[key])]));
}

function isolated(text) { // the direction of a name turns nothing around it
  return `\u2068${text}\u2069`;
}

function clip(text, width, least = 3) { // the longest beginning that fits, of `least` letters or more
  if (pen.measureText(text).width <= width) return text;
  let fits = 0, too = text.length;
  while (too - fits > 1) {
    const middle = (fits + too) >> 1;
    if (pen.measureText(`${text.slice(0, middle)}…`).width <= width) fits = middle; else too = middle;
  }
  return fits < least ? "" : `${text.slice(0, fits).trimEnd()}…`;
}

function nameHeatCells(page, groupNames) { // for the hover box: written here rather than a thousand times into the page
  const heat = page.get_model_by_name("heat"), cells = page.get_model_by_name("cells");
  const named = name => Array.from(cells.get_array(name), row => groupNames[heat.tags[row]]);
  Object.assign(cells.data, {group: named("row"), other: named("column")});
}

function drawHeatNames(page, groupNames) {
  const get = name => page.get_model_by_name(name), heat = get("heat"), cells = get("cells");
  if (!(heat.inner_width > 0)) return;
  const rows = heat.tags, n = rows.length, width = heat.inner_width, height = heat.inner_height;
  pen.font = `${TEXT}px ${FONT}`;
  const side = Math.min(210, 0.36 * width), across = (width - side) / n; // pixels of a column
  const isLegible = n <= NUMBERED && across >= NEEDS;
  const longest = Math.max(...rows.map(g => pen.measureText(groupNames[g]).width));
  const top = isLegible ? Math.min(140, longest + 12, 0.4 * height) : 0, down = (height - top) / n;
  heat.x_range.start = -side / across;
  heat.y_range.end = -top / down;
  fill(get("heat_rows"), rows.map((g, row) => ({x: -6 / across, y: row + 0.5, text: clip(groupNames[g], side - 12)})));
  fill(get("heat_columns"), !isLegible ? [] : rows.map((g, column) => (
    {x: column + 0.5, y: -6 / down, text: clip(groupNames[g], top - 8)}
  )));
  const numbers = [[], []], [high] = cells.tags; // dark, and light on the dark cells
  cells.get_array("share").forEach((share, i) => {
    const number = {x: cells.get_array("x")[i], y: cells.get_array("y")[i], text: `${Math.round(100 * share)}`};
    if (isLegible && share >= 0.005) numbers[share / high > 0.6 ? 1 : 0].push(number);
  });
  fill(get("heat_dark"), numbers[0]);
  fill(get("heat_light"), numbers[1]);
}
