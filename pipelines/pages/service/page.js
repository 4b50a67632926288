// What happens on the page: a text or a CSV is answered, the tree shows where, a person corrects.

import {drawAnswer, inWords} from "./answer.js";
import {ask, forgetToken, hasToken} from "./client.js";
import {$, fill, make} from "./dom.js";
import {openSheet} from "./sheet.js";
import {Table} from "./table.js";
import {Tree} from "./tree.js";
import {chooseLanguage, counted, day, loadWords, promised, say, whole} from "./words.js";

const TOP_K = 5, REDRAWN_AFTER = 1000; // milliseconds
let info = null, sheet = null, one = null, running = null, reading = null; // requests for a sheet, for a text
const names = () => ({labels: tree.labels, groups: tree.byGroup});
const refusal = () => !info.corrections ? say("no_corrections") : one === null ? say("choose_first") : null;
const tree = new Tree({refusal, onChoose: correct});
const table = new Table({names, onOpen: openRow});

async function load() {
  const [facts, {groups}] = await Promise.all([ask("info"), ask("tree")]);
  info = facts;
  tree.load(groups);
  drawFacts();
  document.body.dataset.ready = "";
}

function drawFacts() {
  const {name, version, created, coarsefine, labels, groups, encoder, promises, corrections} = info;
  document.title = name;
  $("model").textContent = name;
  $("facts").textContent = [say("facts", {labels: whole(labels), groups: whole(groups)}),
    ...created ? [say("made", {day: day(created)})] : []].join(" · ");
  $("tree-about").textContent = corrections ? say("tree_about") : "";
  $("forget").hidden = !hasToken();
  const told = (title, ...texts) => make("div", {}, make("h3", {}, title), texts.map(text => make("p", {}, text)));
  const kept = promises && [
    say("promise_precision", {precision: promised(promises.precision)}),
    say("promise_sets", {coverage: promised(promises.coverage)}),
    ...typeof promises.false_alarms === "number" ? [say("promise_alarms", {share: promised(promises.false_alarms)})] : [],
    say("promise_rest", {n: whole(promises.documents), sure: promised(1 - promises.delta)}),
  ];
  fill($("about"),
    told(say("promises"), ...kept ?? [say("promise_none")]),
    told(say("keeps"), say(corrections ? "keeps_yes" : "keeps_no")),
    told(say("technical"), make("a", {href: "docs"}, say("interface")), say("version", {version}),
      encoder ? say("reads", {encoder}) : say("ngrams"), say("with_software", {version: coarsefine})));
}

function drawSheet() {
  $("sheet").hidden = !sheet;
  if (!sheet) return;
  const open = sheet.open.length, all = sheet.texts;
  $("sheet-name").textContent = sheet.name;
  $("sheet-rows").textContent = counted("rows", sheet.rows.length);
  fill($("column"), sheet.header.map((title, place) =>
    make("option", {value: place, selected: place === sheet.column}, title || `(${place + 1})`)));
  $("column").disabled = running !== null;
  $("classify-all").textContent = say("classify_all", {n: counted("rows", open)});
  $("classify-all").hidden = running !== null || open === 0;
  $("stop").hidden = $("progress").hidden = running === null;
  $("progress").value = all ? 1 - open / all : 1;
  if (running) $("said").textContent = counts("progressed", sheet);
}

function drawOne() {
  if (!one) return;
  drawAnswer($("answer"), one, {
    info, names: names(), onLabel: id => tree.choose(id), onRow: walk,
    onRight: () => correct(one.answer.label),
    onWrong: () => {
      $("find").focus();
      $("find").scrollIntoView({block: "nearest"});
    },
  });
}

const counts = (key, {answered, texts}) => say(key, {done: whole(answered), all: whole(texts)});
const wanted = () => ({top_k: TOP_K, sets: info.promises ? "labels" : null});

async function classify(text) {
  if (!/\S/.test(text)) return tell(say("no_text"));
  reading?.abort();
  const {signal} = reading = new AbortController(), waiting = () => tell(say("busy"));
  tell(say("working"));
  $("answer").ariaBusy = "true"; // it is of another text
  try {
    if (!info) await load();
    const {model, answers: [answer]} = await ask("predict", {text, ...wanted()}, {signal, waiting});
    if (model.version !== info.version) await load(); // the service has taken up another model
    await show({text, answer}, signal);
  } catch (error) {
    complain(error);
    if (!signal.aborted) clear();
  }
}

function clear() { // there is no answer
  reading?.abort();
  one = null;
  $("answer").hidden = true;
  tree.mark([]);
}

async function show(shown, signal) {
  one = shown;
  drawOne();
  tree.mark(shown.answer.paths);
  tell("");
  $("heard").textContent = inWords(shown.answer);
  if (shown.row !== undefined || $("answer").getBoundingClientRect().top > 0.6 * innerHeight) {
    $("answer").scrollIntoView({block: "start"});
  }
  if (shown.explanation !== undefined) return;
  try {
    const {answers: [answer]} = await ask("predict", {text: shown.text, top_k: TOP_K, explain: true}, {signal});
    shown.explanation = answer.explanation;
  } catch (error) {
    if (error.name === "AbortError") return;
    shown.explanation = null; // the answer stands without it
  }
  if (one === shown) drawOne();
}

function openRow(row) {
  reading?.abort();
  reading = new AbortController();
  $("text").value = row.text;
  $("text").scrollTop = 0;
  table.current = row.row;
  table.draw();
  show(row, reading.signal);
  if (!$("answer").contains(document.activeElement)) $("answer").focus({preventScroll: true});
}

function walk(step) {
  const next = step ? table.beside(one.row, step) : null;
  if (next?.answer) return openRow(next);
  $("table").scrollIntoView({block: "start"});
  document.querySelector(`[data-focus="row ${one.row}"]`)?.focus();
}

async function correct(label) {
  const corrected = one;
  if (corrected.given === label) return; // a second click
  corrected.given = label;
  try {
    const {written: lines} = await ask("corrections", {text: corrected.text, label});
    Object.assign(corrected, {corrected: label, written: lines});
  } catch (error) {
    corrected.given = corrected.corrected;
    return complain(error);
  }
  table.draw();
  if (one !== corrected) return;
  drawOne();
  const written = $("answer").querySelector(".written");
  $("heard").textContent = written.textContent;
  written.scrollIntoView({block: "nearest"});
}

async function open(file) {
  try {
    const opened = await openSheet(file);
    running?.abort();
    [sheet, running] = [opened, null];
  } catch (error) {
    return complain(error);
  }
  calm();
  tell("");
  clear();
  table.load(sheet);
  drawSheet();
  $("classify-all").focus();
}

async function classifyAll() {
  const mine = sheet, {signal} = running = new AbortController();
  let drawn = performance.now();
  const progressed = () => {
    if (sheet !== mine) return;
    drawSheet();
    if (running && performance.now() - drawn < REDRAWN_AFTER) return; // a table of hundreds of rows takes its time
    table.draw();
    drawn = performance.now();
  };
  calm();
  drawSheet();
  $("stop").focus();
  try {
    if (!info) await load();
    const {top_k: topK, sets} = wanted();
    await sheet.answer({sets, topK, most: info.limits.documents, signal, progressed, waiting: () => tell(say("busy"))});
    if (sheet === mine) tell(mine.answered === mine.texts ? say("done", {n: counted("rows", mine.answered)}) : counts("partly", mine));
  } catch (error) {
    if (sheet === mine) {
      complain(error);
      tell(counts("stopped", mine));
    }
  }
  if (sheet !== mine) return; // another one has been opened
  running = null;
  progressed();
  if (document.activeElement === document.body) $("tally").querySelector("button").focus({preventScroll: true});
}

function tell(text) {
  $("said").textContent = text;
}

function calm() {
  $("trouble").hidden = true;
}

function complain(error) {
  if (error.name === "AbortError") return;
  tell("");
  $("trouble").textContent = error.message;
  $("trouble").hidden = false;
  $("trouble").scrollIntoView({block: "nearest"});
  if (error.status === 422) load().catch(() => {}); // another model may have been taken up
}

function listen() {
  $("ask").onsubmit = event => {
    event.preventDefault();
    calm();
    classify($("text").value.toWellFormed());
  };
  $("text").onkeydown = event => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) $("ask").requestSubmit();
  };
  $("file").onchange = ({target}) => {
    if (target.files[0]) open(target.files[0]);
    target.value = ""; // the same file can be opened again
  };
  $("column").onchange = ({target}) => {
    sheet.take(Number(target.value));
    clear();
    table.load(sheet);
    drawSheet();
  };
  $("classify-all").onclick = classifyAll;
  $("stop").onclick = () => running?.abort();
  $("forget").onclick = () => {
    forgetToken();
    location.reload();
  };
  for (const choice of document.querySelectorAll("[data-language]")) {
    choice.onclick = () => {
      chooseLanguage(choice.dataset.language);
      if (!info) return;
      tell("");
      for (const draw of [drawFacts, drawSheet, drawOne, () => tree.draw(), () => table.draw()]) draw();
    };
  }
  listenForFiles();
}

function listenForFiles() {
  const hasFiles = event => [...event.dataTransfer.types].includes("Files");
  addEventListener("dragover", event => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    document.body.dataset.drop = say("drop_here");
  });
  addEventListener("dragleave", event => event.relatedTarget || delete document.body.dataset.drop);
  addEventListener("drop", event => {
    delete document.body.dataset.drop;
    if (!hasFiles(event)) return;
    event.preventDefault();
    open(event.dataTransfer.files[0]);
  });
}

await loadWords();
listen();
try {
  await load();
} catch (error) {
  complain(error);
}
