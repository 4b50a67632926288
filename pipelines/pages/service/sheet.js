// A CSV that was opened: its texts, and the answers to them, asked for in portions that the service takes.

import {ask} from "./client.js";
import {BrokenTable, readTable, writeTable} from "./csv.js";
import {say, whole} from "./words.js";

const MOST_ROWS = 5000, MOST_MEGABYTES = 20, AT_FIRST = 4, AT_ONCE = 32;
const TEXT_NAMES = ["text", "texts", "document", "body", "content", "message", "description", "文本", "内容", "正文"];
const ANSWER = ["label", "label_name", "group", "group_name", "probability", "group_probability", "level", "reason", "set"];

export class UnreadableError extends Error {}

export async function openSheet(file) {
  const refuse = (key, values) => {
    throw new UnreadableError(say(key, {name: file.name, ...values}));
  };
  if (file.size > MOST_MEGABYTES * 1e6) refuse("csv_size", {most: MOST_MEGABYTES});
  const bytes = await file.arrayBuffer().catch(() => refuse("csv_unreadable")); // a folder, or it is gone
  let text, table;
  try {
    text = new TextDecoder("utf-8", {fatal: true}).decode(bytes);
  } catch {
    refuse("csv_encoding");
  }
  try {
    table = readTable(text);
  } catch (error) {
    if (error instanceof BrokenTable) refuse(error.key, {row: whole(error.row)});
    throw error;
  }
  if (!table.rows.length) refuse("csv_empty");
  if (table.rows.length > MOST_ROWS) refuse("csv_rows", {rows: whole(table.rows.length), most: whole(MOST_ROWS)});
  return new Sheet(file.name, table);
}

class Sheet {
  constructor(fileName, {header, rows}) {
    Object.assign(this, {name: fileName, header, cells: rows});
    const named = header.findIndex(title => TEXT_NAMES.includes(title.trim().toLowerCase()));
    const letters = header.map((_, place) => rows.reduce((sum, row) => sum + row[place].length, 0));
    this.take(named >= 0 ? named : letters.indexOf(Math.max(...letters)));
  }

  take(column) { // the texts stand in that column; answers to others are of no use
    this.column = column;
    this.rows = this.cells.map((cells, row) => ({row, text: cells[column].toWellFormed()}));
  }

  get open() { // rows without a text have no answer, and no error
    return this.rows.filter(({text, answer, error}) => /\S/.test(text) && !answer && !error);
  }

  get texts() { // how many there are
    return this.rows.filter(({text}) => /\S/.test(text)).length;
  }

  get answered() {
    return this.rows.filter(({answer}) => answer).length;
  }

  async answer({sets, topK, most, signal, waiting, progressed}) {
    let size = AT_FIRST;
    for (let open = this.open; open.length; open = this.open) {
      const portion = open.slice(0, Math.min(size, most));
      try {
        const found = await ask("predict", {texts: portion.map(({text}) => text), top_k: topK, sets}, {signal, waiting});
        portion.forEach((row, place) => { row.answer = found.answers[place]; });
        size = Math.min(size + 1, AT_ONCE);
      } catch (error) {
        const isTooMuch = error.status === 413 || (error.status === 503 && portion.length > 1); // for one request, or in its time
        if (!isTooMuch) throw error;
        if (portion.length === 1) portion[0].error = error.message;
        size = portion.length >> 1 || 1;
      }
      progressed();
    }
  }

  csv(rows) { // the columns of the file, and the answers after them
    const answered = ({answer = {}, corrected}) => [
      ...ANSWER.map(key => Array.isArray(answer[key]) ? answer[key].join(" | ") : answer[key]), corrected];
    return writeTable([
      [...this.header, ...ANSWER.map(key => `predicted_${key}`), "corrected_label"],
      ...rows.map(row => [...this.cells[row.row], ...answered(row)]),
    ]);
  }
}
