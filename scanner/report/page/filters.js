// Which pictures are shown, and in which order.

const filter = { label: "all", search: "", evidence: "all", folder: "", review: "all", sort: "flagged" };
let matches = records;

const CHIPS = {
  all: ["All", () => true],
  flagged: ["Flagged", (r) => r.flagged],
  "ai-generated": ["AI-generated", (r) => r.label === "ai-generated"],
  unsure: ["Unsure", (r) => r.label === "unsure"],
  real: ["Real", (r) => r.label === "real"],
  failed: ["Failed", (r) => r.status === "failed"],
  skipped: ["Skipped", (r) => r.status === "skipped"],
};
const has = (r, ...trusts) => r.evidence.some((item) => trusts.includes(item.trust));
const EVIDENCE = {
  all: ["any or none", () => true],
  some: ["some evidence", (r) => r.evidence.length > 0],
  none: ["no evidence", (r) => r.evidence.length === 0],
  "ai-generated": ["declared AI-generated", (r) => r.declared === "ai-generated"],
  "ai-edited": ["declared AI-edited", (r) => r.declared === "ai-edited"],
  captured: ["declared captured", (r) => r.declared === "captured"],
  signed: ["signed, trusted", (r) => has(r, "signed")],
  doubtful: ["signature untrusted or invalid", (r) => has(r, "untrusted", "invalid")],
  conflict: ["pixels and declaration differ", (r) => r.conflict],
};
const REVIEW = {
  all: ["all", () => true],
  open: ["not reviewed", (r) => !decisionOf(r)],
  done: ["reviewed", (r) => Boolean(decisionOf(r))],
  ai: ["marked AI", (r) => decisionOf(r)?.decision === "ai"],
  unsure: ["marked unsure", (r) => decisionOf(r)?.decision === "unsure"],
  real: ["marked real", (r) => decisionOf(r)?.decision === "real"],
};

const byScore = (a, b) => (b.probability ?? -1) - (a.probability ?? -1) || a.index - b.index;
const text = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
const SORTS = {
  flagged: ["flagged first", (a, b) => Number(b.flagged) - Number(a.flagged) || byScore(a, b)],
  high: ["score, high to low", byScore],
  low: ["score, low to high", (a, b) => (a.probability ?? 2) - (b.probability ?? 2) || a.index - b.index],
  near: ["nearest to the threshold", (a, b) => distance(a) - distance(b) || a.index - b.index],
  path: ["path", (a, b) => text(a.path, b.path) || a.index - b.index],
  newest: ["newest first", (a, b) => text(b.modified ?? "", a.modified ?? "") || a.index - b.index],
  oldest: ["oldest first", (a, b) => text(a.modified ?? "~", b.modified ?? "~") || a.index - b.index],
};
const distance = (r) => (r.probability == null ? 2 : Math.abs(r.probability - (r.threshold ?? page.threshold ?? 0.5)));

const inFolder = (r, folder) => {
  if (!folder) return true;
  return r.folder === folder || r.folder.startsWith(folder.endsWith(page.separator) ? folder : folder + page.separator);
};

// Everything but the label: what the numbers on the chips count.
function passesFields(r, words) {
  return inFolder(r, filter.folder) && EVIDENCE[filter.evidence][1](r) && REVIEW[filter.review][1](r) &&
    words.every((word) => haystack(r).includes(word));
}

function applyFilters() {
  const words = filter.search.toLowerCase().split(/\s+/).filter(Boolean);
  const candidates = records.filter((r) => passesFields(r, words));
  for (const chip of byId("label-chips").querySelectorAll("button")) {
    const name = chip.dataset.chip;
    chip.setAttribute("aria-pressed", String(name === filter.label));
    chip.querySelector(".number").textContent = number(candidates.filter(CHIPS[name][1]).length);
  }
  matches = candidates.filter(CHIPS[filter.label][1]).sort(SORTS[filter.sort][1]);
}

// Folders as deep as a list of 300 allows, each with its number of files below.
function folderChoices() {
  const counts = new Map();
  for (const r of records) counts.set(r.folder, (counts.get(r.folder) ?? 0) + 1);
  const split = [...counts].map(([folder, count]) => [folder.split(/(?<=[/\\])/), count]);
  let best = new Map();
  for (let depth = 1; depth < 64; depth++) {
    const level = new Map(best);
    let grew = false;
    for (const [parts, count] of split) {
      if (parts.length < depth) continue;
      grew = true;
      const folder = parts.slice(0, depth).join("").replace(/(?<=.)[/\\]$/, "");
      level.set(folder, (level.get(folder) ?? 0) + count);
    }
    if (!grew || level.size > 300) break;
    best = level;
  }
  best.delete("");
  return [...best].filter(([, count]) => count < records.length).sort((a, b) => text(a[0], b[0]));
}

function buildFilters(changed) {
  for (const [name, [title, test]] of Object.entries(CHIPS)) {
    if (name !== "all" && !records.some(test)) continue;
    byId("label-chips").append(element("button", {
      type: "button", class: "chip", "data-chip": name, onclick: () => { filter.label = name; changed(); },
    }, title, element("span", { class: "number" })));
  }
  const fill = (id, entries, key) => {
    const select = byId(id);
    select.append(...entries.map(([value, title]) => element("option", { value }, title)));
    select.addEventListener("change", () => { filter[key] = select.value; changed(); });
  };
  const titles = (choices) => Object.entries(choices).map(([value, [title]]) => [value, title]);
  fill("evidence", titles(EVIDENCE), "evidence");
  fill("review", titles(REVIEW), "review");
  fill("sort", titles(SORTS), "sort");
  fill("folder", [["", "all"], ...folderChoices().map(([folder, count]) => [folder, `${shown(folder)} (${number(count)})`])], "folder");
  let pause;
  byId("search").addEventListener("input", (event) => {
    clearTimeout(pause);
    pause = setTimeout(() => { filter.search = event.target.value; changed(); }, 120);
  });
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  if (page.left_out) {
    byId("cut").textContent = `This page holds ${number(records.length)} of ${number(records.length + page.left_out)} records: flagged, unsure and failed ones first. The figures above cover all of them.`;
    byId("cut").hidden = false;
  }
}
