// The words in a text that speak for its best label, and those that speak for the next one.

import {make, name} from "./dom.js";
import {isolated, say} from "./words.js";

const FAINTEST = 0.12, STRENGTHS = 3; // of the strongest word; kinds of marks

export function telling(text, explanation, nameOf) {
  const points = Array.from(text); // the service counts characters, not halves of them
  const weights = weigh(points.length, explanation.ngrams), passage = strongest(explanation.units);
  const most = weights.reduce((best, weight) => Math.max(best, Math.abs(weight)), 0);
  const kindAt = place => {
    const part = most ? weights[place] / most : 0;
    const strength = Math.abs(part) < FAINTEST ? 0 : Math.ceil(Math.abs(part) * STRENGTHS);
    return `${strength ? `${part > 0 ? "for" : "against"} s${strength}` : ""}${place >= passage.start && place < passage.end ? " passage" : ""}`.trim();
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
  return [isMarked ? legend(box, explanation, nameOf) : make("p", {className: "legend"}, say("no_telling")), box];
}

export function showStrongest(box) { // in a long text
  const mark = [".passage", ".for.s3", ".for.s2", "mark"].map(kind => box.querySelector(kind)).find(Boolean);
  if (mark) box.scrollTop = mark.offsetTop - box.clientHeight / 2;
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

function strongest(units) { // a text of one passage has none that counts most
  const best = units.reduce((one, other) => other.share > one.share ? other : one, {share: 0});
  return units.length > 1 && best.share > 0 ? best : {start: 0, end: 0};
}

function legend(box, {label, against}, nameOf) {
  const entry = (kind, key, id) => box.querySelector(`.${kind.split(" ")[0]}`) && make("span", {},
    make("mark", {className: kind, "aria-hidden": "true"}, "\u2003"), " ", name(say(key, {label: id && isolated(nameOf(id))})));
  return make("p", {className: "legend"}, entry("for s3", "for", label), entry("against s3", "against", against),
    entry("passage", "passage"));
}
