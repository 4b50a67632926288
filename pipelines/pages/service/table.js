// The answers to a CSV as a table: sorted, filtered, opened row by row, downloaded.

import {chip} from "./answer.js";
import {$, bar, button, fill, keyed, make, name} from "./dom.js";
import {counted, isolated, say, share, whole} from "./words.js";

const LEVELS = ["fine", "group", "none"], CLIPPED = 220, ROWS_DRAWN = 500; // at first, and with each press on "more"
const folded = text => text.normalize("NFKC").toLowerCase();
const sureness = ({answer}) => !answer ? -1 : answer.level === "group" ? answer.group_probability : answer.probability;
const COLUMNS = { // what each is sorted by
  row: ({row}) => row,
  text: ({text}) => folded(text),
  label: ({answer}) => folded(answer?.label_name ?? ""),
  probability: sureness,
  level: ({answer}) => answer ? LEVELS.indexOf(answer.level) : LEVELS.length,
};

export class Table {
  constructor({names, onOpen}) { // names() knows labels by their ids; onOpen(row) opens a row's answer
    Object.assign(this, {names, onOpen, level: null, order: "row", isFalling: false, current: undefined, sheet: null, drawn: ROWS_DRAWN});
    $("filter").oninput = () => this.draw();
    $("download").onclick = () => this.download();
  }

  load(sheet) {
    Object.assign(this, {sheet, level: null, order: "row", isFalling: false, current: undefined, drawn: ROWS_DRAWN});
    $("filter").value = "";
    $("rows").scrollTop = 0;
    this.draw();
  }

  get shown() { // rows as they are sorted and filtered
    const wanted = folded($("filter").value.trim()), key = COLUMNS[this.order], sign = this.isFalling ? -1 : 1;
    const speaks = ({text, answer, corrected}) => folded([text, answer?.label_name, answer?.group_name, this.called(corrected)].join("\n"));
    return this.sheet.rows
      .filter(row => (!this.level || row.answer?.level === this.level) && (!wanted || speaks(row).includes(wanted)))
      .map(row => [key(row), row])
      .sort(([a, one], [b, other]) => (a < b ? -sign : a > b ? sign : one.row - other.row))
      .map(([, row]) => row);
  }

  called(id) {
    return id === undefined ? "" : this.names().labels.get(id)?.name ?? id;
  }

  beside(row, step) { // the row before or after, as they are shown
    const shown = this.shown;
    return shown[shown.findIndex(one => one.row === row) + step];
  }

  draw() {
    $("table").hidden = !this.sheet;
    if (!this.sheet) return;
    const focused = document.activeElement?.dataset.focus, shown = this.shown;
    $("table-title").textContent = say("table", {name: isolated(this.sheet.name)});
    $("download").textContent = say("download", {n: counted("rows", shown.length)});
    $("download").disabled = !shown.length || !this.sheet.answered;
    this.drawTally();
    fill($("rows"), shown.length
      ? [make("table", {role: "table"}, make("thead", {role: "rowgroup"}, this.head()),
        make("tbody", {role: "rowgroup"}, shown.slice(0, this.drawn).map(row => this.line(row)))), this.more(shown.length)]
      : [make("p", {className: "note"}, say("nothing_shown"))]);
    if (focused) document.querySelector(`[data-focus="${CSS.escape(focused)}"]`)?.focus();
  }

  more(all) {
    const rest = Math.min(all - this.drawn, ROWS_DRAWN);
    return rest > 0 ? keyed("more", button("plain more", () => {
      this.drawn += ROWS_DRAWN;
      this.draw();
    }, say("more", {n: counted("rows", rest)}))) : null;
  }

  drawTally() { // how many of each level; a press shows them alone
    const count = level => this.sheet.rows.filter(({answer}) => !level || answer?.level === level).length;
    fill($("tally"), [null, ...LEVELS].map(level => {
      const one = keyed(`tally ${level}`, button(`count ${level ?? "all"}`, () => {
        this.level = level;
        this.draw();
      }, make("b", {}, whole(count(level))), say(level ?? "all")));
      one.setAttribute("aria-pressed", this.level === level);
      return one;
    }));
  }

  head() {
    return make("tr", {role: "row"}, Object.keys(COLUMNS).map(column => {
      const sort = keyed(`sort ${column}`, button("sort", () => {
        this.isFalling = this.order === column ? !this.isFalling : column === "probability";
        this.order = column;
        this.draw();
      }, say(`head_${column}`)));
      const order = this.order !== column ? "none" : this.isFalling ? "descending" : "ascending";
      return make("th", {role: "columnheader", scope: "col", className: column, "aria-sort": order}, sort);
    }));
  }

  line(row) {
    const {text, answer, error} = row, clipped = text.length > CLIPPED ? `${text.slice(0, CLIPPED)}…` : text;
    const open = answer && keyed(`row ${row.row}`, button("link", () => this.onOpen(row), whole(row.row + 1)));
    open?.setAttribute("aria-label", say("row", {row: whole(row.row + 1)}));
    const missing = error ?? say(/\S/.test(text) ? "unanswered" : "empty");
    const cell = (column, ...children) => make("td", {role: "cell", className: column}, ...children);
    const line = make("tr", {role: "row", className: row.row === this.current ? "current" : ""},
      cell("row", open || whole(row.row + 1)),
      cell("text", name(clipped)),
      cell("label", ...answer ? this.answerOf(row) : [make("span", {className: "note"}, missing)]),
      cell("probability", ...answer ? [make("span", {}, share(sureness(row))), bar(sureness(row), answer.level)] : []),
      cell("level", ...answer ? [chip(answer.level)] : []));
    if (answer) {
      line.classList.add("opens");
      line.onclick = event => event.target.closest("button") || getSelection().toString() || this.onOpen(row);
    }
    return line;
  }

  answerOf({answer: {level, label, label_name, group_name}, corrected}) {
    const best = level === "group" ? [name(group_name), make("small", {}, name(`${label_name}?`))]
      : [name(label_name), make("small", {}, name(group_name))];
    const said = corrected === undefined ? null : corrected === label ? say("confirmed")
      : say("corrected", {label: isolated(this.called(corrected))});
    return [...best, said && make("small", {className: "fixed"}, said)];
  }

  download() {
    const link = make("a", {download: `${this.sheet.name.replace(/\.\w+$/, "")}.answers.csv`});
    link.href = URL.createObjectURL(new Blob([this.sheet.csv(this.shown)], {type: "text/csv;charset=utf-8"}));
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  }
}
