// The grid of pictures, one page of it at a time, and the place in it where the reviewer is.

let cursor = 0; // index into `matches`
const pageSize = () => Number(byId("page-size").value);
const pageOf = (position) => Math.floor(position / pageSize());
const lastPage = () => Math.max(0, pageOf(matches.length - 1));
const current = () => matches[cursor] ?? null;

function gauge(record) {
  if (record.probability == null) return null;
  const fill = element("span", { class: "fill" });
  fill.style.setProperty("--at", `${record.probability * 100}%`);
  const threshold = record.threshold ?? page.threshold;
  const tick = threshold == null ? null : element("span", { class: "tick" });
  tick?.style.setProperty("--at", `${threshold * 100}%`);
  return element("span", { class: "gauge", "aria-hidden": "true" }, fill, tick);
}

function frame(record, withHeat = false) {
  const picture = pictureOf(record);
  const box = element("span", { class: "frame" });
  if (!picture.src) {
    const why = record.status !== "scanned" ? record.error?.reason ?? record.status : picture.why ?? "no thumbnail: beyond the page's limit";
    box.append(element("span", { class: "none" }, shown(why)));
    return box;
  }
  box.append(element("img", { src: picture.src, alt: "", loading: "lazy", decoding: "async" }));
  if (withHeat && picture.heat) box.append(element("img", { class: "heat", src: picture.heat, alt: "" }));
  return box;
}

function badges(record) {
  const list = [];
  if (record.declared) list.push(element("span", { class: `badge ${record.declared}` }, `declared ${DECLARED[record.declared] ?? shown(record.declared)}`));
  else if (record.evidence.length) list.push(element("span", { class: "badge" }, `${record.evidence.length} evidence`));
  if (record.conflict) list.push(element("span", { class: "badge conflict" }, "conflict"));
  if (record.generator_hint) list.push(element("span", { class: "badge" }, shown(record.generator_hint)));
  return list.length ? element("span", { class: "badges" }, list) : null;
}

function marks(record, tabbable) {
  const chosen = decisionOf(record)?.decision;
  return element("div", { class: "marks", role: "group", "aria-label": "Your decision" },
    Object.entries(MARKS).map(([mark, title]) => element("button", {
      type: "button", "data-mark": mark, "aria-pressed": String(mark === chosen), disabled: !record.sha256,
      tabindex: tabbable ? null : "-1", title: `Mark as ${title} (${mark[0]})`, "aria-keyshortcuts": mark[0],
    }, title)));
}

function spoken(record) {
  const parts = [shown(record.name), LABELS[record.tone] ?? record.tone];
  if (record.probability != null) parts.push(percent(record.probability));
  if (record.flagged) parts.push("flagged");
  if (record.declared) parts.push(`declared ${DECLARED[record.declared]}`);
  const decision = decisionOf(record);
  if (decision) parts.push(`marked ${MARKS[decision.decision]}`);
  return parts.join(", ");
}

function card(record, position) {
  const open = element("button", { type: "button", class: `open ${record.tone}`, "aria-label": spoken(record), tabindex: position === cursor ? "0" : "-1" },
    frame(record),
    record.flagged && element("span", { class: "flag" }, "Flagged"),
    element("span", { class: "verdict" },
      element("span", {}, LABELS[record.tone] ?? record.tone),
      record.probability != null && element("span", { class: "percent" }, percent(record.probability))),
    gauge(record),
    element("span", { class: "name", title: shown(record.path) }, shown(middle(record.name, 30))),
    record.folder && element("span", { class: "place" }, shown(tail(record.folder, 34))),
    badges(record));
  return element("li", { class: position === cursor ? "card current" : "card", "data-position": position }, open, marks(record, false));
}

// Shortened by whole signs, so that no surrogate pair is torn; the end of a name tells more than its middle.
const middle = (name, most) => {
  const signs = [...name];
  return signs.length <= most ? name : signs.slice(0, most - 13).join("") + "…" + signs.slice(-12).join("");
};
const tail = (folder, most) => {
  const signs = [...folder];
  return signs.length <= most ? folder : "…" + signs.slice(1 - most).join("");
};

function drawCards(printing = false) {
  const first = printing ? 0 : pageOf(cursor) * pageSize();
  const shownHere = matches.slice(first, printing ? 500 : first + pageSize());
  const nodes = shownHere.map((record, offset) => card(record, first + offset));
  byId("cards").replaceChildren(...(nodes.length ? nodes : [element("li", { class: "empty" }, records.length ? "No picture matches these filters." : "Nothing was found to scan.")]));
  const cut = printing && matches.length > 500 ? `, the first ${shownHere.length} printed` : "";
  byId("matches").textContent = `${number(matches.length)} of ${number(records.length)}${cut}`;
  byId("page-number").textContent = `${number(pageOf(cursor) + 1)} / ${number(lastPage() + 1)}`;
  for (const id of ["previous", "previous-bottom"]) byId(id).disabled = pageOf(cursor) === 0;
  for (const id of ["next", "next-bottom"]) byId(id).disabled = pageOf(cursor) >= lastPage();
  document.querySelector(".pager.bottom").hidden = lastPage() === 0;
}

const cardAt = (position) => byId("cards").querySelector(`[data-position="${position}"]`);

function redrawCard(position) {
  const old = cardAt(position);
  if (!old) return;
  const hadFocus = old.contains(document.activeElement);
  const fresh = card(matches[position], position);
  old.replaceWith(fresh);
  if (hadFocus) fresh.querySelector(".open").focus();
}

// Goes to a picture; draws its page where another one is shown.
function moveTo(position, focus = true) {
  if (!matches.length) return;
  const before = cursor;
  cursor = Math.max(0, Math.min(matches.length - 1, position));
  if (pageOf(before) !== pageOf(cursor) || !cardAt(cursor)) drawCards();
  else for (const at of [before, cursor]) {
    cardAt(at)?.classList.toggle("current", at === cursor);
    cardAt(at)?.querySelector(".open").setAttribute("tabindex", at === cursor ? "0" : "-1");
  }
  if (focus) {
    const node = cardAt(cursor);
    node.querySelector(".open").focus({ preventScroll: true });
    node.scrollIntoView({ block: "nearest" });
  }
}

// How many cards lie in a row, read from the grid that the browser laid out.
function columns() {
  return getComputedStyle(byId("cards")).gridTemplateColumns.split(" ").length;
}
