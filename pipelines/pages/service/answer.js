// The answer to one text, in words: how far down the tree it is sure, what else it could be, and why.

import {bar, button, keyed, make, name} from "./dom.js";
import {showStrongest, telling} from "./telling.js";
import {counted, HARDLY, isolated, promised, say, share, whole} from "./words.js";

const SET_SHOWN = 8, LEAST_SHOWN = 2;

export function inWords({level, label_name, group_name, probability, group_probability}) {
  if (level === "fine") return `${label_name}, ${share(probability)}`;
  if (level === "group") return `${say("group_lead")}: ${group_name}, ${share(group_probability)}`;
  return say("none");
}

// `one` is {text, answer, explanation, row, corrected, written}; `names` knows labels and groups by their ids.
export function drawAnswer(place, one, {info, names, onLabel, onRight, onWrong, onRow}) {
  const {answer, row} = one, nameOf = id => names.labels.get(id)?.name ?? id;
  const focused = place.contains(document.activeElement) ? document.activeElement.dataset.focus : undefined;
  place.replaceChildren(
    make("div", {className: "title"},
      make("h2", {id: "answer-title"}, say("answer"), row === undefined ? "" : ` · ${say("row", {row: whole(row + 1)})}`),
      row === undefined ? null : walk(row, onRow)),
    ...verdict(answer, names, info),
    make("div", {className: "pair"}, runnersUp(answer, names, onLabel), theSet(answer, names, info, onLabel)),
    why(one, nameOf),
    correction(one, info, {nameOf, onRight, onWrong}),
  );
  place.ariaBusy = null;
  place.hidden = false;
  if (focused) place.querySelector(`[data-focus=${focused}]`)?.focus({preventScroll: true});
  const text = place.querySelector(".telling");
  if (text) showStrongest(text);
}

export const chip = (level, words = level) => make("span", {className: `chip ${level}`}, say(words));

function walk(row, onRow) {
  return make("nav", {className: "walk"},
    keyed("before", button("plain", () => onRow(-1), say("before"))),
    keyed("after", button("plain", () => onRow(1), say("after"))),
    button("link", () => onRow(0), say("back")));
}

function verdict(answer, names, info) {
  const {level, reason, label, label_name, group_name, probability, group_probability} = answer;
  const likeliest = {label: isolated(label_name), share: share(probability)};
  const said = (lead, title, part, ...below) => [
    make("div", {className: `verdict ${level}`},
      make("p", {className: "lead"}, chip(level, lead)),
      make("p", {className: "words"}, title, part === null ? null : make("b", {}, share(part))),
      part === null ? null : bar(part)),
    ...below.filter(Boolean).map(text => make("p", {className: "below"}, text)),
  ];
  const path = make("p", {className: "below"}, name(say("in_group", {group: group_name})), " · ",
    say("the_group", {share: share(group_probability)}));
  if (level === "fine") {
    return [
      ...said("fine", name(label_name), probability), path,
      ...[names.labels.get(label)?.description].filter(Boolean).map(text => make("p", {className: "below"}, name(text))),
      make("p", {className: "note"}, say(info.promises ? "fine_about" : "fine_unpromised")),
    ];
  }
  if (level === "group") return said("group_lead", name(group_name), group_probability, say("group_about", likeliest));
  return said("none", say(reason), null, reason === "unsure" ? say("unsure_about", likeliest) : "");
}

function runnersUp({paths, reason}, names, onLabel) {
  if (reason === "nothing_known") return null; // every such text has the same ones
  const likely = paths.filter(({probability}, place) => place < LEAST_SHOWN || probability >= HARDLY);
  return make("div", {}, make("h3", {}, say("paths")), make("ol", {className: "paths"}, likely.map(({label, group, probability}) =>
    make("li", {}, button("path", () => onLabel(label),
      make("span", {className: "what"}, name(names.labels.get(label)?.name ?? label),
        make("small", {}, name(names.groups.get(group)?.name ?? group))),
      make("span", {className: "figure"}, share(probability)), bar(probability))))));
}

function theSet({set, set_level}, names, info, onLabel) {
  if (!set || !info.promises) return null;
  const known = set_level === "group" ? names.groups : names.labels;
  const about = say(set.length === 1 ? "set_only" : "set_about", {coverage: promised(info.promises.coverage)});
  return make("div", {}, make("h3", {}, say("set")),
    make("p", {className: "chips"}, set.slice(0, SET_SHOWN).map(id => {
      const called = name(known.get(id)?.name ?? id);
      return set_level === "group" ? make("span", {className: "pill"}, called) : button("pill", () => onLabel(id), called);
    }), set.length > SET_SHOWN ? make("span", {className: "note"}, say("set_more", {n: whole(set.length - SET_SHOWN)})) : null),
    make("p", {className: "note"}, about));
}

function why({text, explanation, answer}, nameOf) {
  if (explanation === null || answer.reason === "nothing_known") return "";
  return make("div", {className: "why"}, make("h3", {}, say("telling")),
    explanation === undefined ? make("p", {className: "note"}, say("explaining")) : telling(text, explanation, nameOf));
}

function correction(one, info, {nameOf, onRight, onWrong}) {
  if (!info.corrections) return make("p", {className: "note"}, say("no_corrections"));
  const {answer, corrected, written} = one;
  const isKnown = answer.reason !== "nothing_known";
  return make("div", {className: "correct"}, make("h3", {}, say("right")),
    make("div", {className: "actions"},
      isKnown ? keyed("yes", button("plain", onRight, say("yes", {label: isolated(answer.label_name)}))) : null,
      keyed("no", button("plain", onWrong, say("no")))),
    make("p", {className: "written"},
      corrected ? counted("written", written, {label: isolated(nameOf(corrected))}) : ""));
}
