// Tables as text: read as spreadsheets write them, and written so that a spreadsheet computes nothing in them.

const COMPUTED = /(^|[;|\t\r\n])(?=["']*[=+\-@\t\r\n＝＋－＠])/g; // as hierarchy/text/escaping.py has it

export class BrokenTable extends Error {
  constructor(key, row) { // the word that tells what is wrong, and where
    super();
    Object.assign(this, {key, row});
  }
}

export function readTable(text) { // → {header, rows}, all rows as long as the header
  const [header = [], ...rows] = records(text.replace(/^\ufeff/, ""));
  const long = rows.findIndex(row => row.slice(header.length).some(one => one !== "")); // part of a text, where quotes are missing
  if (long >= 0) throw new BrokenTable("csv_cells", long + 1);
  return {header, rows: rows.map(row => header.map((_, place) => row[place] ?? ""))};
}

function records(text) {
  const delimiter = delimiterOf(text), found = [];
  let record = [], cell = "", isQuoted = false, began = 0;
  const endCell = () => {
    record.push(cell);
    cell = "";
  };
  const endRecord = () => {
    endCell();
    if (record.some(one => one !== "")) found.push(record); // a line without anything is none
    record = [];
  };
  for (let i = 0; i < text.length; i++) {
    const sign = text[i];
    if (isQuoted) {
      if (sign !== '"') cell += sign;
      else if (text[i + 1] === '"') cell += text[++i];
      else isQuoted = false;
    } else if (sign === '"' && cell === "") {
      isQuoted = true;
      began = found.length;
    } else if (sign === delimiter) {
      endCell();
    } else if (sign === "\n" || sign === "\r") {
      if (sign === "\r" && text[i + 1] === "\n") i++;
      endRecord();
    } else {
      cell += sign;
    }
  }
  if (isQuoted) throw new BrokenTable("csv_quotes", began);
  if (cell !== "" || record.length) endRecord();
  return found;
}

function delimiterOf(text) { // what stands most often in the header; none where it is one column
  const header = text.match(/^(?:"[^"]*"|[^"\r\n])*/)[0].replace(/"[^"]*"/g, "");
  const often = ["\t", ";", ","].map(sign => [header.split(sign).length - 1, sign]);
  const [most, sign] = often.reduce((best, one) => one[0] > best[0] ? one : best);
  return most > 0 ? sign : null;
}

export const spreadsheetCell = text => text.replace(COMPUTED, "$1'");

export function writeTable(rows) { // the mark in front tells spreadsheets that it is UTF-8
  const cell = value => {
    const text = spreadsheetCell(String(value ?? ""));
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return `\ufeff${rows.map(row => `${row.map(cell).join(",")}\r\n`).join("")}`;
}
