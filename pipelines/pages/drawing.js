// What the pages share: texts that fit into their space, and the names beside the rows of a heat map.
"use strict";
const pen = document.createElement("canvas").getContext("2d");
const FONT = getComputedStyle(document.body).fontFamily;
const TEXT = 11; // pixels

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
  const heat = page.get_model_by_name("heat");
  if (!(heat.inner_width > 0)) return;
  const rows = heat.tags, width = heat.inner_width, margin = Math.min(210, 0.36 * width);
  heat.x_range.start = -rows.length * margin / (width - margin);
  pen.font = `${TEXT}px ${FONT}`;
  const gap = 6 * rows.length / (width - margin);
  const texts = rows.map((g, row) => ({x: -gap, y: row + 0.5, text: clip(groupNames[g], margin - 12)}));
  fill(page.get_model_by_name("heat_texts"), texts);
}
