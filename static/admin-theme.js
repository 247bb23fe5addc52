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
});
