// The words in a text that speak for its best label, and those that speak for the next one.

import {make, name} from "./dom.js";
import {say} from "./words.js";

const FAINTEST = 0.12, STRENGTHS = 3; // of the strongest word; kinds of marks
const PASSAGES = 3, LEAST_PASSAGE = 0.5; // of the strongest passage

export function telling(text, explanation, nameOf) {
  const points = Array.from(text); // the service counts characters, not halves of them
  const weights = weigh(points.length, explanation.ngrams), passages = strongest(points.length, explanation.units);
  const most = weights.reduce((best, weight) => Math.max(best, Math.abs(weight)), 0);
  const kindAt = place => {
    const part = most ? weights[place] / most : 0;
    const strength = Math.abs(part) < FAINTEST ? 0 : Math.ceil(Math.abs(part) * STRENGTHS);
    return `${strength ? `${part > 0 ? "for" : "against"} s${strength}` : ""}${passages[place] ? " passage" : ""}`.trim();
  };
  const box = make("div", {className: "telling", tabIndex: 0, role: "region", "aria-label": say("telling"), dir: "auto"});
  for (let start = 0; start < points.length;) {
    const kind = kindAt(start);
    let end = start + 1;
    while (end < points.length && kindAt(end) === kind) end++;
    const run = points.slice(start, end).join("");
    box.append(kind ? make("mark", {className: kind}, run) : run);
    start = end;
  }
  const isMarked = box.querySelector("mark") !== null;
  return [isMarked ? legend(box, explanation, nameOf) : make("p", {}, say("no_telling")), box];
}

export function showStrongest(box) { // in a long text
  const mark = box.querySelector(`.for.s${STRENGTHS}`) || box.querySelector("mark");
  if (mark) box.scrollTop = Math.max(0, mark.offsetTop - box.offsetTop - 60);
}

function weigh(length, ngrams) {
  const weights = new Float64Array(length);
  for (const {spans, share} of ngrams) {
    for (const [start, end] of spans) {
      for (let place = start; place < end; place++) weights[place] += share / spans.length;
    }
  }
  return weights;
}

function strongest(length, units) { // a text of one passage has none that counts most
  const marked = new Uint8Array(length), most = Math.max(0, ...units.map(unit => unit.neural));
  const telling = units.filter(({neural}) => neural > 0 && neural >= LEAST_PASSAGE * most);
  if (units.length < 2) return marked;
  for (const {start, end} of telling.sort((a, b) => b.neural - a.neural).slice(0, PASSAGES)) marked.fill(1, start, end);
  return marked;
}

function legend(box, {label, against}, nameOf) {
  const entry = (kind, key, id) => box.querySelector(`.${kind.split(" ")[0]}`) && make("span", {},
    make("mark", {className: kind, "aria-hidden": "true"}, "\u2003"), " ", name(say(key, {label: id && nameOf(id)})));
  return make("p", {className: "legend"}, entry("for s3", "for", label), entry("against s3", "against", against),
    entry("passage", "passage"));
}
