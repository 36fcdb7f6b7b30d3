// The side panel: everything known about one picture, and how to see it again.

let heatShown = false;
const panelOpen = () => !byId("panel").hidden;

const line = (name, value) => (value === null || value === undefined || value === "" ? null
  : element("div", {}, element("dt", {}, name), element("dd", {}, typeof value === "string" ? shownLines(value) : value)));

function verdictText(record) {
  if (record.status !== "scanned") {
    const error = record.error ?? {};
    return [`${LABELS[record.status]}: ${error.reason ?? "no reason given"}${error.stage ? ` (at ${error.stage})` : ""}.`, error.detail];
  }
  const threshold = record.threshold ?? page.threshold;
  const sentences = [];
  if (record.probability != null && threshold != null) {
    const side = record.label === "ai-generated" ? "at or above" : "below";
    sentences.push(`From the pixels alone ${percent(record.probability)}, ${side} the threshold of ${percent(threshold)}.`);
  }
  sentences.push(record.declared ? `The file declares itself ${DECLARED[record.declared]}.` : "The file declares nothing of its origin.");
  if (record.conflict) sentences.push("The two disagree: look closely.");
  if (record.reviewed) sentences.push(`Reviewed before as ${MARKS[record.reviewed] ?? record.reviewed}: not flagged again.`);
  return sentences;
}

function evidenceList(record) {
  if (!record.evidence.length) return element("p", { class: "hint" }, "No C2PA manifest, metadata or watermark that speaks of the origin was found. Most files carry none, so this says nothing either way.");
  return element("ul", { class: "evidence", role: "list" }, record.evidence.map((item) => element("li", { class: item.claim ?? "" },
    element("div", {}, element("strong", {}, shown(item.source)),
      item.claim ? ` says ${DECLARED[item.claim] ?? shown(item.claim)}` : " makes no claim",
      item.generator ? ` · ${shown(item.generator)}` : ""),
    element("div", { class: "hint" }, TRUST[item.trust] ?? shown(item.trust)),
    item.detail ? element("div", { class: "detail" }, shownLines(item.detail)) : null)));
}

// The path as one word of a POSIX shell, byte for byte, whatever is in it.
function shellWord(record) {
  if (record.path_bytes || /[\u0000-\u001f\u007f-\u009f]|[\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/.test(record.path)) {
    const bytes = record.path_bytes ? Uint8Array.from(atob(record.path_bytes), (c) => c.charCodeAt(0)) : new TextEncoder().encode(record.path);
    return "$'" + [...bytes].map((b) => (b > 0x20 && b < 0x7f && b !== 0x27 && b !== 0x5c ? String.fromCharCode(b) : "\\x" + b.toString(16).padStart(2, "0"))).join("") + "'";
  }
  return /^[A-Za-z0-9_./,:@%+=-]+$/.test(record.path) ? record.path : "'" + record.path.replaceAll("'", "'\\''") + "'";
}
const command = (record) => `${page.reproduce} -- ${shellWord(record)}`;

async function copy(text, button) {
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(byId("command")); // not allowed from a file: at least select it
    button.textContent = "Selected: press Ctrl+C";
  }
}

function noteField(record) {
  const decision = decisionOf(record);
  const field = element("textarea", { id: "note", rows: "2", disabled: !decision, placeholder: decision ? "Why, for whoever reads the export" : "Mark the picture first" });
  field.value = decision?.note ?? "";
  field.addEventListener("change", () => { decide(record, decisionOf(record).decision, field.value); changedDecision(record); });
  return element("label", { class: "note" }, element("span", { class: "hint" }, "Note"), field);
}

function drawPanel() {
  const record = current();
  const panel = byId("panel");
  if (!record || panel.hidden) return;
  const heat = pictureOf(record).heat;
  const twins = record.sha256 ? records.filter((other) => other.sha256 === record.sha256 && other !== record) : [];
  const copyButton = element("button", { type: "button", onclick: () => copy(command(record), copyButton) }, "Copy");
  const [first, ...more] = verdictText(record);
  panel.replaceChildren(
    element("div", { class: "head" },
      element("h2", { id: "panel-title" }, shown(record.name)),
      element("button", { type: "button", id: "panel-close", "aria-label": "Close details", onclick: closePanel }, "✕")),
    frame(record, heatShown),
    element("div", { class: "under" },
      record.href && element("a", { href: record.href, target: "_blank", rel: "noopener noreferrer" }, "Open the file"),
      heat && element("button", { type: "button", id: "heat", "aria-pressed": String(heatShown), onclick: toggleHeat }, "Heat map")),
    marks(record, true),
    noteField(record),
    element("h3", {}, "Verdict"),
    element("p", { class: `big tone ${record.tone}` }, LABELS[record.tone] ?? record.tone, record.probability != null ? ` · ${percent(record.probability)}` : "", record.flagged ? " · flagged" : ""),
    record.probability != null && gaugeBox(record),
    element("p", {}, shownLines([first, ...more].filter(Boolean).join(" "))),
    element("h3", {}, "What the file declares"),
    evidenceList(record),
    element("h3", {}, "The file"),
    element("dl", { class: "table" },
      line("Path", record.path), line("Name bytes", record.path_bytes && `${record.path_bytes} (base64; not UTF-8)`),
      line("Size", record.width && `${number(record.width)} × ${number(record.height)} px`), line("Format", record.format),
      line("On disk", record.bytes != null ? bytesText(record.bytes) : null), line("Modified", record.modified),
      line("Content", record.sha256 && `sha256 ${record.sha256}`),
      line("Also as", twins.length ? twins.slice(0, 20).map((other) => other.path).join("\n") + (twins.length > 20 ? `\n… ${twins.length - 20} more` : "") : null)),
    element("h3", {}, "The figures"),
    element("dl", { class: "table" },
      line("Probability", record.probability != null ? String(record.probability) : null), line("Logit", record.logit != null ? String(record.logit) : null),
      line("Threshold", String(record.threshold ?? page.threshold ?? "")), line("Generator", record.generator_hint),
      line("Reasons", record.reasons?.join("\n")), line("Model", record.model ?? page.model), line("From cache", record.cached ? "yes" : null)),
    element("h3", {}, "See it again"),
    element("pre", { id: "command", tabindex: "0", "aria-label": "Command that reproduces this verdict" }, shown(command(record))),
    copyButton,
    element("p", { class: "hint" }, "Run where the scan was run: paths are as they were given."));
  panel.querySelector(".marks").addEventListener("click", (event) => clickMark(event, cursor));
}

const gaugeBox = (record) => element("div", { class: record.tone }, gauge(record));

function openPanel(focus) {
  byId("panel").hidden = false;
  byId("desk").classList.add("open");
  drawPanel();
  byId("panel").scrollTop = 0;
  // Room for the panel: the figures above scroll away, the picture that was opened stays in sight.
  if (byId("desk").getBoundingClientRect().top > window.innerHeight / 3) byId("desk").scrollIntoView({ block: "start" });
  cardAt(cursor)?.scrollIntoView({ block: "nearest" });
  if (focus) byId("panel").focus({ preventScroll: true });
}

function closePanel() {
  byId("panel").hidden = true;
  byId("desk").classList.remove("open");
  moveTo(cursor);
}

function toggleHeat() {
  heatShown = !heatShown;
  drawPanel();
  byId("heat")?.focus();
}
