/* What the portal does beyond plain pages. Everything here has a plain way: links are pages, forms submit, the slider is a date field. */
(() => {
  "use strict";
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const html = document.documentElement;
  const tell = (words) => { const told = $("#told"); if (told) told.textContent = words; };
  const remember = (name, value) => { document.cookie = `${name}=${value};path=/;max-age=31536000;samesite=lax`; };
  const letterKeys = () => html.dataset.letterKeys !== "off";
  const past = Boolean($(".rail--past"));

  // ---- durations, as the server writes them
  const words = (seconds) => {
    const whole = Math.max(0, Math.floor(seconds));
    const days = whole > 172800 ? Math.floor(whole / 86400) : 0;
    const hours = Math.floor((whole - days * 86400) / 3600);
    const minutes = Math.floor(whole % 3600 / 60);
    const pair = days ? [[days, "d"], [hours, "h"]] : hours ? [[hours, "h"], [minutes, "min"]] : whole >= 60 ? [[minutes, "min"]] : [[whole, "s"]];
    return pair.filter(([value], index) => value || !index);
  };
  const tile = (seconds) => {
    const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds % 3600 / 60)];
    return hours >= 1 && hours <= 48 ? `${hours} h ${String(minutes).padStart(2, "0")}` : join(words(seconds));
  };
  const join = (pairs) => pairs.map(([value, unit]) => `${value} ${unit}`).join(" ");

  // ---- exposure counts on, silently; passing the promise is told
  const count = () => {
    for (const place of $$("[data-captured]")) {
      const age = (Date.now() - Date.parse(place.dataset.captured)) / 1000;
      const promise = Number(place.dataset.promiseS) || 0;
      const target = $("[data-age]", place);
      if (target) target.textContent = join(words(age));
      else if ("figure" in place.dataset) place.replaceChildren(...words(age).flatMap(([value, unit]) => {
        const small = document.createElement("small");
        small.textContent = ` ${unit} `;
        return [String(value), small];
      }));
      else place.textContent = tile(age) + (promise ? ` / ${join(words(promise))}` : "");
      const before = Number(place.dataset.seenS ?? age);
      if (promise && before <= promise && age > promise) {
        const name = place.closest("[data-name]")?.dataset.name;
        if (name) tell(`${name}: the newest restorable copy is now older than promised.`);
      }
      place.dataset.seenS = age;
    }
  };
  if (!past && $("[data-captured]")) { count(); setInterval(count, 60000); }

  // ---- the explain drawer: the explain page's own fragment, with its own address
  const drawer = $("#drawer");
  const roomy = matchMedia("(min-width: 56.3125em)");
  let opener = null, depth = 0;
  const fetchInto = async (address, options = {}) => {
    const answer = await fetch(address, { ...options, headers: { "X-Fragment": "drawer" }, credentials: "same-origin" });
    if (!answer.ok || answer.redirected) throw new Error(String(answer.status));
    drawer.innerHTML = await answer.text();
    drawer.hidden = false;
    drawer.scrollTop = 0; // a result of "Run again" stands at the top, whoever pressed at the bottom
    place();
    ($("[data-result]", drawer) || $("#explain-title", drawer) || drawer).focus({ preventScroll: true });
  };
  const place = () => { // below masthead and rail, and at the top once they are scrolled away
    const above = $(".rail") || $(".masthead");
    drawer.style.setProperty("--drawer-top", `${Math.max(0, above.getBoundingClientRect().bottom)}px`);
  };
  const openDrawer = async (link) => {
    if (drawer.hidden) { opener = document.activeElement === document.body ? link : document.activeElement; depth = 0; }
    try { await fetchInto(link.href); } catch { location.assign(link.href); return; }
    history.pushState({ drawer: link.href }, "", link.href);
    depth += 1;
  };
  const closeDrawer = () => {
    drawer.hidden = true;
    drawer.replaceChildren();
    opener?.focus();
  };
  const leaveDrawer = () => { if (drawer && !drawer.hidden) { if (depth) history.go(-depth); else closeDrawer(); } };
  addEventListener("scroll", () => { if (drawer && !drawer.hidden) place(); }, { passive: true });
  addEventListener("popstate", (event) => {
    if (!drawer) return;
    if (event.state?.drawer) fetchInto(event.state.drawer).catch(() => location.reload());
    else if (!drawer.hidden) { depth = 0; closeDrawer(); }
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-explain]");
    if (link && drawer && roomy.matches && !(event.ctrlKey || event.metaKey || event.shiftKey || event.button)) {
      event.preventDefault();
      openDrawer(link);
    }
    if (event.target.closest("[data-close]")) leaveDrawer();
    if (event.target.closest("[data-print]")) print();
    const cite = event.target.closest("[data-cite]");
    if (cite) {
      event.preventDefault();
      const line = $("[data-cited]", cite.closest("[data-explanation]"));
      line.hidden = false;
      const field = $("input", line);
      field.value = cite.href;
      field.select();
      navigator.clipboard?.writeText(cite.href).then(() => tell("The address is copied."), () => tell("The address is selected."));
    }
  });
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.matches("[data-again]") && drawer?.contains(form)) {
      event.preventDefault();
      fetchInto(form.action, { method: "POST", body: new FormData(form) }).catch(() => form.submit());
    }
    if (form.matches("[data-display]") && event.submitter) {
      event.preventDefault();
      const { name, value } = event.submitter;
      remember(name, value);
      if (name === "theme") { if (value) html.dataset.theme = value; else delete html.dataset.theme; }
      else if (value === "off") html.dataset.letterKeys = "off"; else delete html.dataset.letterKeys;
      for (const button of $$(`button[name=${name}]`, form)) button.setAttribute("aria-pressed", String(button === event.submitter));
      showKeys();
    }
  });

  // ---- menu on small screens, sections in view, keys shown, print
  const menu = $("#menu"), menuButton = $(".menu-button");
  menuButton?.setAttribute("aria-expanded", "false");
  menuButton?.setAttribute("role", "button");
  menuButton?.addEventListener("click", (event) => {
    event.preventDefault();
    const open = menu.toggleAttribute("data-open");
    menuButton.setAttribute("aria-expanded", String(open));
  });
  const showKeys = () => { for (const hint of $$("[data-with-keys]")) hint.hidden = !letterKeys(); };
  showKeys();
  for (const button of $$("[data-print]")) button.hidden = false;
  $("[data-focus], .field--wrong [aria-invalid]")?.focus();
  const sections = $$("a[data-section]");
  if (sections.length) {
    const mark = (id) => sections.forEach((link) => link.hash === `#${id}` ? link.setAttribute("aria-current", "true") : link.removeAttribute("aria-current"));
    mark(location.hash.slice(1) || sections[0].hash.slice(1));
    const watch = new IntersectionObserver((seen) => { const top = seen.find((one) => one.isIntersecting); if (top) mark(top.target.id); }, { rootMargin: "0px 0px -70% 0px" });
    for (const link of sections) { const section = $(link.hash); if (section) watch.observe(section); }
  }

  // ---- as of: a slider of days; Enter opens the date field
  const asOf = $("form[data-asof]");
  if (asOf) {
    const [range, button, field, submit] = ["input[type=range]", ".asof-words", "input[type=date]", "button[type=submit]"].map((one) => $(one, asOf));
    const back = Number(asOf.dataset.daysBack);
    const showDate = (shown) => { field.hidden = submit.hidden = !shown; if (shown) field.focus(); };
    const dayOf = (value) => new Date(Date.now() + value * 864e5).toLocaleDateString("sv-SE");
    range.min = String(Math.min(-90, -back));
    range.value = String(-back);
    range.hidden = button.hidden = false;
    showDate(false);
    const keepFocus = () => { try { if (document.activeElement === range) sessionStorage.setItem("as-of-focus", "1"); } catch { /* kept out */ } };
    try { // each step loads a page; whoever steps by keyboard stays on the slider
      if (sessionStorage.getItem("as-of-focus")) range.focus({ preventScroll: true });
      sessionStorage.removeItem("as-of-focus");
    } catch { /* a browser may keep its storage closed */ }
    let waiting = 0;
    range.addEventListener("input", () => { button.textContent = range.value === "0" ? "Now" : dayOf(Number(range.value)); });
    range.addEventListener("change", () => {
      clearTimeout(waiting);
      waiting = setTimeout(() => {
        if (range.value === "0") { const now = $(".rail--past a"); if (now) { keepFocus(); location.assign(now.href); } return; }
        field.value = dayOf(Number(range.value));
        keepFocus();
        asOf.requestSubmit();
      }, 700);
    });
    range.addEventListener("keydown", (event) => {
      const jump = { PageUp: 30, PageDown: -30 }[event.key];
      if (jump) {
        event.preventDefault();
        range.value = String(Number(range.value) + jump);
        range.dispatchEvent(new Event("input"));
        range.dispatchEvent(new Event("change"));
      }
      if (event.key === "Enter") { event.preventDefault(); clearTimeout(waiting); showDate(true); }
    });
    button.addEventListener("click", () => showDate(field.hidden));
  }

  // ---- keys; never in fields, never with a modifier, and letters can be switched off
  let going = 0;
  const step = (by) => {
    const rows = $$("[data-row]");
    const at = rows.findIndex((row) => row.contains(document.activeElement));
    const row = rows[Math.max(0, Math.min(rows.length - 1, at + by))];
    $("a, button", row)?.focus();
  };
  const act = {
    "/": () => { menu?.setAttribute("data-open", ""); $("#find")?.focus(); },
    "?": () => $("#keys")?.showModal(),
    g: () => { going = Date.now(); },
    j: () => step(1),
    k: () => step(-1),
    x: () => $("input[type=checkbox]", document.activeElement?.closest("[data-row]") || document.createElement("i"))?.click(),
    e: () => ($("a[data-explain]", document.activeElement?.closest("[data-row]") || document.createElement("i")) || $("a[data-explain]"))?.click(),
  };
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      leaveDrawer();
      $$("details.account[open]").forEach((panel) => { panel.open = false; $("summary", panel).focus(); });
    }
    if (!letterKeys() || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (event.target.closest("input:not([type=checkbox]), textarea, select, [contenteditable], dialog[open]")) return;
    const link = Date.now() - going < 1500 && $(`.nav a[data-key="${CSS.escape(event.key)}"]`);
    const hot = !past && $(`[data-hotkey="${CSS.escape(event.key)}"]`);
    const section = /^[1-5]$/.test(event.key) && sections[Number(event.key) - 1];
    if (link) { going = 0; link.click(); }
    else if (section) section.click();
    else if (act[event.key]) act[event.key]();
    else if (hot) { if (hot.matches("input, textarea, select")) hot.focus(); else hot.click(); }
    else return;
    event.preventDefault();
  });
})();
