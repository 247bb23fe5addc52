// Small comforts of the admin; everything works without them.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const summary = document.querySelector("[data-focus]");
  if (summary) summary.focus();

  // an account panel or a filter closes on Escape and gives the focus back; a filter closes when one goes on elsewhere, too
  const panels = "details.account[open], #changelist-filter details[open]";
  document.addEventListener("click", (event) => {
    for (const open of document.querySelectorAll("#changelist-filter details[open]")) if (!open.contains(event.target)) open.open = false;
  });
  document.addEventListener("keydown", (event) => {
    const open = document.querySelector(panels);
    if (event.key === "Escape" && open) {
      open.open = false;
      open.querySelector("summary").focus();
    }
  });

  // what is typed and not saved yet is not lost by pressing the button of an act: the first press says so, the second one goes on
  const written = document.querySelector("#content-main form[method=post]");
  const acts = document.querySelector(".acts");
  if (written && acts) {
    let unsaved = false;
    written.addEventListener("input", () => { unsaved = true; });
    written.addEventListener("change", () => { unsaved = true; });
    acts.addEventListener("click", (event) => {
      if (!unsaved || !event.target.closest("a")) return;
      event.preventDefault();
      unsaved = false;
      const told = document.createElement("p");
      told.className = "notice acts-unsaved";
      told.setAttribute("role", "alert");
      told.textContent = "What you typed below is not saved, and this would act on what was saved before. Save it first; press the button again to go on without it.";
      acts.append(told);
    });
  }

  // on a phone a list stands row by row, each value below the name of its column; without this it scrolls within its box
  const list = document.getElementById("result_list");
  if (list) {
    const heads = [...list.tHead.rows[0].cells].map((cell) => (cell.querySelector(".text") || cell).innerText.trim());
    for (const row of list.tBodies[0].rows) {
      [...row.cells].forEach((cell, place) => { if (cell.tagName === "TD" && heads[place]) cell.dataset.head = heads[place]; });
    }
    list.classList.add("stacks");
  }

  // of several words with commas, the words in use are offered for the one at hand
  for (const field of document.querySelectorAll("input[data-several]")) {
    const words = [...field.list.options].map((option) => option.value);
    const offer = () => {
      const before = field.value.slice(0, field.value.lastIndexOf(",") + 1).trim();
      const said = before.split(",").map((word) => word.trim());
      const left = words.filter((word) => !said.includes(word));
      field.list.replaceChildren(...left.map((word) => new Option("", before ? `${before} ${word}` : word)));
    };
    field.addEventListener("focus", offer);
    field.addEventListener("input", offer);
  }

  // the check list of a draft follows what is typed; without this it is renewed at every save
  const checks = document.querySelector("[data-checks]");
  const form = checks && checks.closest("form");
  if (form) {
    let waiting = 0;
    const list = () => checks.querySelector("details");
    if (list() && matchMedia("(max-width:48rem)").matches) list().open = false; // on a phone it is one line that opens
    form.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(async () => {
        const typed = new FormData(form);
        if (!typed.get("service")) typed.set("service", checks.dataset.service || "");
        typed.delete("csrfmiddlewaretoken");
        const answer = await fetch(checks.dataset.checks + "?" + new URLSearchParams(typed), {credentials: "same-origin"});
        if (!answer.ok) return;
        const open = !list() || list().open;
        checks.innerHTML = await answer.text();
        if (list()) list().open = open;
      }, 400);
    });
  }
});
