// Small comforts of the admin; everything works without them.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const summary = document.querySelector("[data-focus]");
  if (summary) summary.focus();

  // an account panel closes on Escape and gives the focus back
  document.addEventListener("keydown", (event) => {
    const open = document.querySelector("details.account[open]");
    if (event.key === "Escape" && open) {
      open.open = false;
      open.querySelector("summary").focus();
    }
  });

  // the check list of a draft follows what is typed; without this it is renewed at every save
  const checks = document.querySelector("[data-checks]");
  const form = checks && checks.closest("form");
  if (form) {
    let waiting = 0;
    form.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(async () => {
        const typed = new FormData(form);
        if (!typed.get("service")) typed.set("service", checks.dataset.service || "");
        typed.delete("csrfmiddlewaretoken");
        const answer = await fetch(checks.dataset.checks + "?" + new URLSearchParams(typed), {credentials: "same-origin"});
        if (answer.ok) checks.innerHTML = await answer.text();
      }, 400);
    });
  }
});
