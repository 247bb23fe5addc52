/* Calendars by keyboard, and the day's card. Without it every cell is a plain link to its day. */
(() => {
  "use strict";
  const table = document.querySelector("table[data-calendar]");
  if (!table) return;
  const html = document.documentElement;
  const rows = [...table.tBodies].flatMap((body) => [...body.rows]).map((row) => [...row.querySelectorAll("a.day")]).filter((row) => row.length);
  const all = rows.flat();
  const month = table.classList.contains("month");
  const wide = matchMedia("(min-width: 68.8125em)");
  const tell = (words) => { const told = document.querySelector("#told"); if (told) told.textContent = words; };
  if (!all.length) return;

  // ---- one roving tab stop; the newest day of the first row has it at first
  let stop = null;
  const rove = (cell) => {
    if (stop) stop.tabIndex = -1;
    stop = cell;
    stop.tabIndex = 0;
  };
  for (const cell of all) cell.tabIndex = -1;
  rove(month ? table.querySelector("td.newest a.day") || rows.at(-1).at(-1) : rows[0].at(-1));
  const go = (cell) => { if (cell) { rove(cell); cell.focus(); } };
  const place = (cell) => { const row = rows.findIndex((one) => one.includes(cell)); return [row, rows[row].indexOf(cell)]; };
  const beside = (cell, down, right) => {
    if (month) return all[all.indexOf(cell) + 7 * down + right];
    const [row, column] = place(cell);
    const line = rows[Math.max(0, Math.min(rows.length - 1, row + down))];
    return line[Math.max(0, Math.min(line.length - 1, column + right))];
  };
  const end = (cell, last, whole) => (whole ? rows.at(last ? -1 : 0) : rows[place(cell)[0]]).at(last ? -1 : 0);
  const page = (rel) => document.querySelector(`.calendar-tools a[rel=${rel}]`)?.click();
  const failure = (cell) => {
    const at = all.indexOf(cell);
    const found = [...all.slice(at + 1), ...all.slice(0, at + 1)].find((one) => one.matches(".day--failed, .day--missed"));
    if (found) go(found); else tell("No failed or missed day here.");
  };
  const moves = {
    ArrowLeft: (cell) => go(beside(cell, 0, -1)),
    ArrowRight: (cell) => go(beside(cell, 0, 1)),
    ArrowUp: (cell) => go(beside(cell, -1, 0)),
    ArrowDown: (cell) => go(beside(cell, 1, 0)),
    Home: (cell, event) => go(end(cell, false, event.ctrlKey)),
    End: (cell, event) => go(end(cell, true, event.ctrlKey)),
    PageUp: (cell) => { if (month) page("prev"); else go(beside(cell, 0, -7)); },
    PageDown: (cell) => { if (month) page("next"); else go(beside(cell, 0, 7)); },
  };
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { if (!card.hidden) { hide(); event.stopPropagation(); } return; }
    const cell = event.target.closest("a.day");
    const plain = !event.altKey && !event.metaKey && !event.shiftKey;
    const letter = html.dataset.letterKeys !== "off" && plain && !event.ctrlKey && !event.target.closest("input, textarea, select, [contenteditable], dialog[open]");
    if (cell && moves[event.key] && plain) moves[event.key](cell, event);
    else if (cell && letter && event.key === "e") explain(cell);
    else if (letter && event.key === "f") failure(cell || stop);
    else return;
    event.preventDefault();
  }, true);

  // ---- the card: the summary of the day's own page, on hover and focus
  const card = document.querySelector("#day-card");
  const known = new Map();
  let shown = null, waiting = 0;
  const summary = (cell) => {
    if (!known.has(cell.href)) known.set(cell.href, fetch(cell.href, { headers: { "X-Fragment": "card" }, credentials: "same-origin" }).then((answer) => {
      if (!answer.ok || answer.redirected) throw new Error(String(answer.status));
      return answer.text();
    }));
    return known.get(cell.href);
  };
  const show = async (cell) => {
    shown = cell;
    let text;
    try { text = await summary(cell); } catch { known.delete(cell.href); hide(); return; } // the cell is still a link
    if (shown !== cell) return;
    card.innerHTML = text;
    card.hidden = false;
    const at = cell.getBoundingClientRect(), size = card.getBoundingClientRect();
    const left = Math.max(8, Math.min(at.left - size.width / 2, document.documentElement.clientWidth - size.width - 8));
    const under = at.bottom + 8 + size.height < innerHeight || at.top < size.height + 8;
    card.style.left = `${left + scrollX}px`;
    card.style.top = `${(under ? at.bottom + 8 : at.top - size.height - 8) + scrollY}px`;
  };
  const hide = () => { clearTimeout(waiting); shown = null; card.hidden = true; };
  const later = (act, ms) => { clearTimeout(waiting); waiting = setTimeout(act, ms); };
  const explain = async (cell) => {
    await show(cell);
    const link = card.querySelector("a[data-explain]");
    if (link) link.click(); else if (!card.hidden) tell("Nothing was judged by then."); else location.assign(cell.href);
  };
  table.addEventListener("focusin", (event) => {
    const cell = event.target.closest("a.day");
    if (!cell) return;
    rove(cell);
    if (wide.matches && cell.matches(":focus-visible")) later(() => show(cell), 250);
  });
  table.addEventListener("pointerover", (event) => {
    const cell = event.target.closest("a.day");
    if (cell && wide.matches && event.pointerType === "mouse" && cell !== shown) later(() => show(cell), 300);
  });
  for (const part of [table, card]) part.addEventListener("pointerleave", () => { if (document.activeElement !== shown) later(hide, 300); });
  card.addEventListener("pointerenter", () => clearTimeout(waiting));
  table.addEventListener("focusout", (event) => { if (!card.contains(event.relatedTarget) && !event.relatedTarget?.matches("a.day")) hide(); });
  card.addEventListener("focusout", (event) => { if (!card.contains(event.relatedTarget)) hide(); });
  card.addEventListener("click", (event) => { if (event.target.closest("a[data-explain]")) { const cell = shown; cell?.focus(); clearTimeout(waiting); card.hidden = true; } });
})();
