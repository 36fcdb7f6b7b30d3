// A person's decisions, by content: kept in the browser, taken along as CSV or JSON.

const STORE_KEY = `dfscan:${page.id}:`;
const decisions = new Map(); // sha256 -> {decision, when, note, path}; decision null: an earlier one was taken back
const history_ = []; // [sha256, what was there before], for undo
let storage = null; // localStorage, or null where the browser denies it
let unexported = false;

const decisionOf = (record) => {
  const found = record.sha256 && decisions.get(record.sha256);
  return found && found.decision ? found : null;
};
const decided = () => [...decisions].filter(([, value]) => value.decision);

function loadDecisions() {
  for (const { sha256, reviewed, path } of records) {
    if (reviewed && sha256) decisions.set(sha256, { decision: reviewed, when: "", note: "", path });
  }
  for (const [sha256, [decision, when, note, path]] of Object.entries(page.decisions)) {
    decisions.set(sha256, { decision, when, note, path });
  }
  try {
    storage = window.localStorage;
    storage.setItem(STORE_KEY, "");
    storage.removeItem(STORE_KEY);
    for (let i = 0; i < storage.length; i++) {
      const key = storage.key(i);
      if (key.startsWith(STORE_KEY)) takeStored(key.slice(STORE_KEY.length), storage.getItem(key));
    }
  } catch {
    storage = null;
    // The tab's own history survives a reload even where storage is denied.
    for (const [sha256, text] of Object.entries(window.history.state?.dfscan ?? {})) takeStored(sha256, text);
  }
}

function takeStored(sha256, text) {
  try {
    const { decision, when, note, path } = JSON.parse(text);
    if (decision === null || decision in MARKS) decisions.set(sha256, { decision, when: String(when), note: String(note), path: String(path) });
  } catch {
    // not ours: another program wrote under this key
  }
}

function keep(sha256) {
  unexported = true;
  const value = decisions.get(sha256);
  if (storage) {
    try {
      if (value) storage.setItem(STORE_KEY + sha256, JSON.stringify(value));
      else storage.removeItem(STORE_KEY + sha256);
      return;
    } catch {
      storage = null; // full: go on with what the tab itself can keep
    }
  }
  const all = Object.fromEntries([...decisions].map(([key, item]) => [key, JSON.stringify(item)]));
  window.history.replaceState({ dfscan: all }, "");
}

const now = () => new Date().toISOString().replace(/\.\d+Z$/, "Z");

// Sets a decision, or takes it away where `decision` is null; false for a file whose content is not known.
function decide(record, decision, note = null) {
  if (!record.sha256) return false;
  const before = decisions.get(record.sha256);
  history_.push([record.sha256, before]);
  decisions.set(record.sha256, { decision, when: now(), note: note ?? before?.note ?? "", path: record.path });
  keep(record.sha256);
  return true;
}

function undo() {
  const last = history_.pop();
  if (!last) return null;
  const [sha256, before] = last;
  if (before) decisions.set(sha256, before);
  else decisions.delete(sha256);
  keep(sha256);
  return sha256;
}

function clearDecisions() {
  for (const [sha256, value] of [...decisions]) {
    if (!value.decision) continue;
    history_.push([sha256, value]);
    decisions.set(sha256, { ...value, decision: null, when: now() });
    keep(sha256);
  }
}

// A cell that a spreadsheet would run as a formula is disarmed; sha256 alone identifies the picture.
const csvCell = (text) => {
  const safe = /^[=+\-@\t\r]/.test(text) ? "'" + text : text;
  return /[",\r\n]/.test(safe) ? '"' + safe.replaceAll('"', '""') + '"' : safe;
};
const COLUMNS = ["sha256", "path", "decision", "when", "note"];
const rows = () => decided().map(([sha256, value]) => ({ sha256, ...value }));
const asCsv = () => [COLUMNS, ...rows().map((row) => COLUMNS.map((name) => row[name] ?? ""))]
  .map((cells) => cells.map(csvCell).join(",") + "\r\n").join("");
const asJson = () => JSON.stringify({ decisions: rows().map((row) => Object.fromEntries(COLUMNS.map((name) => [name, row[name] ?? ""]))) }, null, 1) + "\n";

function download(name, type, text) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = element("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
  unexported = false;
}

function parseCsv(text) {
  const table = [];
  let row = [], cell = "", quoted = false;
  const source = text.replace(/^\ufeff/, "");
  for (let i = 0; i < source.length; i++) {
    const sign = source[i];
    if (quoted) {
      if (sign !== '"') cell += sign;
      else if (source[i + 1] === '"') { cell += '"'; i++; } else quoted = false;
    } else if (sign === '"') quoted = true;
    else if (sign === ",") { row.push(cell); cell = ""; }
    else if (sign === "\n") { row.push(cell); table.push(row); row = []; cell = ""; }
    else if (sign !== "\r") cell += sign;
  }
  if (cell || row.length) table.push([...row, cell]);
  const [head, ...body] = table;
  return body.filter((cells) => cells.length > 1).map((cells) => Object.fromEntries(head.map((name, i) => [name.trim(), cells[i] ?? ""])));
}

// Takes decisions from a file that this page, or another one, exported; returns how many. Throws on any other form.
function importDecisions(name, text) {
  const found = name.toLowerCase().endsWith(".json") ? JSON.parse(text).decisions : parseCsv(text);
  const valid = found.filter((row) => /^[0-9a-f]{64}$/.test(row.sha256) && row.decision in MARKS);
  if (!valid.length && found.length) throw new Error("no row has a sha256 and a decision");
  for (const { sha256, decision, when = "", note = "", path = "" } of valid) {
    history_.push([sha256, decisions.get(sha256)]);
    decisions.set(sha256, { decision, when, note, path });
    keep(sha256);
  }
  return valid.length;
}

window.addEventListener("beforeunload", (event) => {
  if (!storage && unexported && decided().length) event.preventDefault();
});
