// Wires the parts together: filters, pages, keys, export.

function filtersChanged() {
  applyFilters();
  cursor = 0;
  drawCards();
  drawPanel();
}

function countReviewed() {
  const done = records.filter(decisionOf).length;
  const open = records.filter((r) => r.flagged && !decisionOf(r)).length;
  byId("reviewed-count").textContent = done ? `${number(done)} reviewed · ${number(open)} flagged to go` : `${number(open)} flagged to review`;
  byId("storage-hint").textContent = storage ? "Kept in this browser, for this page." : "This browser keeps nothing for this page: export before you close it.";
}

// After a decision: the same content may be on the page more than once.
function changedDecision(record) {
  for (const node of [...byId("cards").children]) {
    const position = Number(node.dataset.position);
    if (matches[position]?.sha256 === record.sha256) redrawCard(position);
  }
  countReviewed();
}

function mark(position, decision) {
  const record = matches[position];
  if (!record) return;
  const taken = decisionOf(record)?.decision === decision;
  if (!decide(record, taken ? null : decision)) return announce("This file was not read: there is no content to decide about");
  changedDecision(record);
  const text = taken ? "mark taken away" : `marked ${MARKS[decision]}`;
  if (!taken && position === cursor && byId("advance").checked && position < matches.length - 1) {
    moveTo(position + 1, !byId("panel").contains(document.activeElement));
  }
  drawPanel();
  announce(`${shown(record.name)}: ${text}`);
}

function clickMark(event, position) {
  const button = event.target.closest("[data-mark]");
  if (!button) return;
  const { mark: decision } = button.dataset;
  const inPanel = byId("panel").contains(button);
  if (inPanel) mark(position, decision);
  else { // a click on a card's button stays where the mouse is
    const advance = byId("advance").checked;
    byId("advance").checked = false;
    moveTo(position, false);
    mark(position, decision);
    byId("advance").checked = advance;
  }
  if (inPanel) byId("panel").querySelector(`[data-mark="${decision}"]`)?.focus();
}

function undoLast() {
  const sha256 = undo();
  if (!sha256) return announce("Nothing to undo");
  const position = matches.findIndex((record) => record.sha256 === sha256);
  changedDecision({ sha256 });
  if (position >= 0) moveTo(position, !panelHasFocus());
  drawPanel();
  announce("Last mark undone");
}
const panelHasFocus = () => byId("panel").contains(document.activeElement);

function step(distance) {
  moveTo(cursor + distance, !panelHasFocus());
  drawPanel();
}

const KEYS = {
  a: () => mark(cursor, "ai"), u: () => mark(cursor, "unsure"), r: () => mark(cursor, "real"),
  j: () => step(1), k: () => step(-1), ArrowRight: () => step(1), ArrowLeft: () => step(-1),
  ArrowDown: () => step(columns()), ArrowUp: () => step(-columns()),
  Home: () => step(-matches.length), End: () => step(matches.length),
  n: () => { openPanel(false); byId("note").focus(); }, h: toggleHeat, z: undoLast,
  "/": () => byId("search").focus(), "?": () => byId("help").showModal(),
};

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || byId("help").open) return;
  const typing = event.target.closest("input:not([type=checkbox]), textarea, select");
  if (event.key === "Escape") {
    if (typing) typing.blur();
    else if (byId("decisions-menu").open) byId("decisions-menu").open = false;
    else if (panelOpen()) closePanel();
    return;
  }
  // In the panel the arrows scroll its text, as they do anywhere else.
  if (typing || (panelHasFocus() && /^(Arrow(Up|Down)|Home|End)$/.test(event.key))) return;
  const action = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!action) return;
  event.preventDefault();
  action();
}

function turn(pages) {
  moveTo((pageOf(cursor) + pages) * pageSize(), false);
  drawPanel();
  byId("results").scrollIntoView({ block: "start" });
}

const THEMES = { auto: "Auto", light: "Light", dark: "Dark" };
function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  byId("theme").textContent = THEMES[theme];
  byId("theme").setAttribute("aria-label", `Theme: ${THEMES[theme]}`);
  try { window.localStorage.setItem("dfscan:theme", theme); } catch { /* denied: the choice lasts as long as the page */ }
}
function startTheme() {
  let theme = null;
  try { theme = window.localStorage.getItem("dfscan:theme"); } catch { /* denied */ }
  setTheme(theme in THEMES ? theme : "auto");
  byId("theme").addEventListener("click", () => {
    const names = Object.keys(THEMES);
    setTheme(names[(names.indexOf(document.documentElement.dataset.theme) + 1) % names.length]);
  });
}

function afterDecisions() {
  drawCards();
  drawPanel();
  countReviewed();
}

function startTools() {
  const stem = `dfscan-decisions-${now().slice(0, 10)}`;
  byId("export-csv").addEventListener("click", () => download(`${stem}.csv`, "text/csv", asCsv()));
  byId("export-json").addEventListener("click", () => download(`${stem}.json`, "application/json", asJson()));
  byId("clear-decisions").addEventListener("click", () => {
    if (!decided().length || !window.confirm(`Take away all ${number(decided().length)} decisions?`)) return;
    clearDecisions();
    afterDecisions();
  });
  byId("import-file").addEventListener("change", async (event) => {
    const [file] = event.target.files;
    if (!file) return;
    try {
      announce(`${number(importDecisions(file.name, await file.text()))} decisions loaded`);
    } catch (error) {
      window.alert(`${file.name} cannot be read as decisions: ${error.message}`);
    }
    event.target.value = "";
    afterDecisions();
  });
  byId("help-open").addEventListener("click", () => byId("help").showModal());
  window.addEventListener("storage", (event) => { // another tab with this page
    if (!event.key?.startsWith(STORE_KEY)) return;
    const sha256 = event.key.slice(STORE_KEY.length);
    if (event.newValue) takeStored(sha256, event.newValue);
    else decisions.delete(sha256);
    afterDecisions();
  });
  document.addEventListener("click", (event) => {
    if (!byId("decisions-menu").contains(event.target)) byId("decisions-menu").open = false;
  });
}

function startCards() {
  byId("cards").addEventListener("click", (event) => {
    const position = Number(event.target.closest("[data-position]")?.dataset.position);
    if (Number.isNaN(position)) return;
    if (event.target.closest(".marks")) clickMark(event, position);
    else {
      moveTo(position);
      openPanel(event.detail === 0 || window.innerWidth <= 900); // by the keyboard, or over the whole screen
    }
  });
  byId("page-size").addEventListener("change", () => drawCards());
  for (const [id, pages] of [["previous", -1], ["next", 1], ["previous-bottom", -1], ["next-bottom", 1]]) {
    byId(id).addEventListener("click", () => turn(pages));
  }
  document.addEventListener("keydown", onKey);
  const measure = () => document.documentElement.style.setProperty("--bar", `${byId("filters").offsetHeight}px`);
  new ResizeObserver(measure).observe(byId("filters"));
  window.addEventListener("beforeprint", () => drawCards(true));
  window.addEventListener("afterprint", () => drawCards());
}

loadDecisions();
startTheme();
buildFilters(filtersChanged);
startTools();
startCards();
filtersChanged();
countReviewed();
document.documentElement.dataset.ready = "true";
