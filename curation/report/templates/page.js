"use strict";
const all = (selector) => Array.from(document.querySelectorAll(selector));

// The corpus is called as its folder; the file itself does not know where it lies.
const place = location.pathname.match(/([^/]+)\/stats\/report\.html$/);
if (place) {
  let name = place[1];
  try { name = decodeURIComponent(name); } catch { /* a lone % is no escape */ }
  document.getElementById("name").textContent = name;
  document.title = name + " · Rushes";
}

// What is said of one rule set is shown while that set is chosen.
const choose = (set) => all("[data-sets]").forEach((e) => { e.hidden = !e.dataset.sets.split(" ").includes(set); });
all(".switch input").forEach((input) => {
  input.addEventListener("change", () => choose(input.value));
  if (input.checked) choose(input.value);
});

// Tables sort by the column whose head is pressed: the first time from the greatest, then the other way round.
const value = (row, index) => {
  const cell = row.cells[index];
  return cell.dataset.v === undefined ? cell.textContent.trim() : Number(cell.dataset.v);
};
const compare = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b)));
const sort = (head) => {
  const body = head.closest("table").tBodies[0];
  const index = head.cellIndex;
  const upward = head.getAttribute("aria-sort") === "descending";
  const rows = Array.from(body.rows).sort((a, b) => compare(value(a, index), value(b, index)) * (upward ? 1 : -1));
  Array.from(head.parentNode.cells).forEach((cell) => cell.removeAttribute("aria-sort"));
  head.setAttribute("aria-sort", upward ? "ascending" : "descending");
  body.append(...rows);
};
all("table.sortable th").forEach((head) => {
  const button = document.createElement("button");
  button.type = "button";
  button.append(...head.childNodes);
  button.addEventListener("click", () => sort(head));
  head.append(button);
});

// Bars and cells of charts say their numbers.
const tip = document.getElementById("tip");
document.addEventListener("pointermove", (event) => {
  const mark = event.target.closest ? event.target.closest("svg [aria-roledescription='bar'], svg [aria-roledescription='rect mark']") : null;
  tip.hidden = !mark;
  if (!mark) return;
  tip.textContent = mark.getAttribute("aria-label");
  tip.style.left = Math.max(4, Math.min(event.clientX + 12, innerWidth - tip.offsetWidth - 8)) + "px";
  tip.style.top = event.clientY + 16 + "px";
});
