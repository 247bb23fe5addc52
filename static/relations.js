/* Matrix and graph beyond plain pages: arrow keys between cells, lines of the box under the pointer. Without it every cell still reads and submits. */
(() => {
  "use strict";
  const grid = document.querySelector("[data-grid]");
  if (grid) {
    const rows = [...grid.tBodies[0].rows].map((row) => [...row.cells].slice(1));
    const spot = (cell) => cell?.querySelector("input, b");
    const filled = rows.flat().filter(spot);
    const become = (cell) => { for (const one of filled) spot(one).tabIndex = one === cell ? 0 : -1; spot(cell).focus(); };
    if (filled.length) { for (const one of filled) spot(one).tabIndex = -1; spot(filled[0]).tabIndex = 0; }
    const beyond = (row, column, down, right) => {
      for (let r = row + down, c = column + right; rows[r]?.[c]; r += down, c += right) if (spot(rows[r][c])) return rows[r][c];
      return null;
    };
    grid.addEventListener("keydown", (event) => {
      const step = { ArrowDown: [1, 0], ArrowUp: [-1, 0], ArrowRight: [0, 1], ArrowLeft: [0, -1] }[event.key];
      const cell = event.target.closest("tbody td");
      if (!cell || event.ctrlKey || event.metaKey || event.altKey) return;
      const row = rows.findIndex((one) => one.includes(cell)), column = rows[row].indexOf(cell);
      const next = step ? beyond(row, column, ...step)
        : event.key === "Home" ? rows[row].find(spot)
        : event.key === "End" ? rows[row].findLast(spot) : null;
      if (!step && event.key !== "Home" && event.key !== "End") return;
      event.preventDefault();
      if (next) become(next);
    });
  }
  const graph = document.querySelector("[data-graph] svg");
  if (graph) { // the lines of the box under the pointer, or with the focus, stand out
    const lines = [...graph.querySelectorAll("[data-ends]")];
    const show = (key) => {
      graph.classList.toggle("is-followed", key !== null);
      for (const one of lines) one.classList.toggle("edge--followed", key !== null && one.dataset.ends.split(" ").includes(key));
    };
    const keyed = (event) => event.target.closest?.("[data-key]")?.dataset.key ?? event.target.querySelector?.(":scope > [data-key]")?.dataset.key ?? null;
    for (const name of ["pointerover", "focusin"]) graph.addEventListener(name, (event) => show(keyed(event)));
    for (const name of ["pointerleave", "focusout"]) graph.addEventListener(name, () => show(null));
  }
  const start = graph?.querySelector(".node--start");
  if (start) { // the one asked about is in view from the beginning
    const box = start.getBBox(), frame = graph.parentElement;
    frame.scrollLeft = Math.max(0, box.x - frame.clientWidth / 2);
    frame.scrollTop = Math.max(0, box.y - frame.clientHeight / 2);
  }
})();
