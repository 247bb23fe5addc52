/* The progress of work on many entries, live. Without scripts a link looks again. */
(() => {
  "use strict";
  const every = 2000;
  const look = async () => {
    const before = document.querySelector("#batch");
    if (!before || before.dataset.progress !== "running") return;
    try {
      const answer = await fetch(location.href, { headers: { "X-Fragment": "progress" }, credentials: "same-origin" });
      if (answer.ok && !answer.redirected) {
        const focused = before.contains(document.activeElement) ? document.activeElement.textContent : "";
        before.outerHTML = await answer.text();
        const after = document.querySelector("#batch");
        if (focused) [...after.querySelectorAll("a, button")].find((each) => each.textContent === focused)?.focus();
        const told = document.querySelector("#told");
        if (after.dataset.progress !== "running" && told) told.textContent = after.querySelector("h1").textContent;
      }
    } catch { /* the next look may reach the server again */ }
    setTimeout(look, every);
  };
  setTimeout(look, every);
})();
