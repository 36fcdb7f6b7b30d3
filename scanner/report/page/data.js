// What the page holds: the records, and a few things worked out from them once.

const readBlock = (id) => JSON.parse(document.getElementById(id).textContent);
const page = readBlock("dfscan-page");
const records = readBlock("dfscan-records");

let pictureBlock = null; // the bulk of the page: parsed when the first picture is shown
const pictureOf = (record) => (pictureBlock ??= readBlock("dfscan-pictures"))[record.index] ?? {};

const LABELS = { "ai-generated": "AI-generated", unsure: "Unsure", real: "Real", failed: "Failed", skipped: "Skipped" };
const MARKS = { ai: "AI", unsure: "Unsure", real: "Real" };
const DECLARED = { "ai-generated": "AI-generated", "ai-edited": "AI-edited", captured: "captured by a camera" };
const TRUST = {
  signed: "signed: a valid C2PA signature of a trusted signer",
  untrusted: "a valid C2PA signature, but the signer is not on the trust list",
  invalid: "invalid: the C2PA signature does not match the file",
  unsigned: "unsigned: plain metadata that anyone can write or strip",
  unread: "there, but this installation could not read it",
  malformed: "there, but broken",
};

// Controls and direction marks can disguise a name ("photo\u202Egpj.exe"): show their code instead.
const INVISIBLE = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu;
const code = (sign) => {
  const hex = sign.codePointAt(0).toString(16);
  return hex.length <= 2 ? "\\x" + hex.padStart(2, "0") : hex.length <= 4 ? "\\u" + hex.padStart(4, "0") : "\\U" + hex.padStart(8, "0");
};
const shown = (text) => String(text).replace(INVISIBLE, code);
const shownLines = (text) => String(text).split("\n").map(shown).join("\n");

function prepare(record, index) {
  const cut = Math.max(record.path.lastIndexOf("/"), page.separator === "\\" ? record.path.lastIndexOf("\\") : -1);
  record.index = index;
  record.name = record.path.slice(cut + 1);
  record.folder = cut < 0 ? "" : record.path.slice(0, cut) || page.separator;
  record.tone = record.label ?? record.status;
  record.evidence ??= [];
  record.flagged ??= false;
  record.conflict =
    (record.label === "real" && record.declared === "ai-generated") ||
    (record.label === "ai-generated" && record.declared === "captured");
}
records.forEach(prepare);

// The text that a search looks through, made when first needed.
const haystack = (record) =>
  (record.text ??= [
    record.path, record.format, record.generator_hint, record.sha256, record.error?.reason, record.error?.detail,
    ...record.evidence.flatMap((item) => [item.source, item.generator, item.detail]),
  ].filter(Boolean).join("\n").toLowerCase());

const percent = (probability) => {
  const value = probability * 100;
  if (value > 99.9 && value < 100) return "> 99.9 %";
  if (value > 0 && value < 0.1) return "< 0.1 %";
  return value.toFixed(1) + " %";
};
const number = (value) => Number(value).toLocaleString("en");
const bytesText = (bytes) => {
  if (bytes < 1000) return `${bytes} bytes`;
  const step = Math.min(3, Math.floor(Math.log10(bytes) / 3));
  return `${(bytes / 1000 ** step).toPrecision(3)} ${["", "kB", "MB", "GB"][step]} (${number(bytes)} bytes)`;
};

// Every text reaches the page through here, as text: nothing of a file is ever read as markup.
function element(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "class") node.className = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}
const byId = (id) => document.getElementById(id);
const announce = (text) => { byId("announce").textContent = text; };
