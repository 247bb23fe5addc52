// What was typed into a form and sent after the session had ended stands in the form again, once the same person has signed in.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const KEY = "unsent", who = document.documentElement.dataset.who || "";
  const store = { // a browser may keep its storage closed
    read() { try { return JSON.parse(sessionStorage.getItem(KEY) || "null"); } catch { return null; } },
    write(value) { try { sessionStorage.setItem(KEY, JSON.stringify(value)); } catch { /* kept out, or too much */ } },
    forget() { try { sessionStorage.removeItem(KEY); } catch { /* kept out */ } },
  };
  const isText = (field) => field.name && field.name !== "csrfmiddlewaretoken" && !["password", "file", "submit", "button"].includes(field.type);
  const valueOf = (field) => ["checkbox", "radio"].includes(field.type) ? field.checked
    : field.multiple ? [...field.selectedOptions].map((option) => option.value) : field.value;

  const placeOf = (form) => new URL(form.getAttribute("action") || location.href, location.href).pathname; // a field may be called "action"

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.getAttribute("method") !== "post" || !who) return;
    const fields = [...form.elements].filter(isText).map((field) => [field.name, field.type, valueOf(field)]);
    store.write({ who, page: location.pathname, action: placeOf(form), fields });
  }, true);

  const address = new URL(location.href);
  const kept = store.read();
  const isAsked = address.searchParams.has(KEY);
  if (who || !kept) store.forget(); // what is not asked for on the next page was sent
  if (!isAsked) return;
  address.searchParams.delete(KEY);
  history.replaceState(history.state, "", address);
  if (!kept || kept.who !== who || kept.page !== location.pathname) return;
  const form = [...document.querySelectorAll("form[method=post]")].find((one) => placeOf(one) === kept.action);
  if (!form) return;
  const waiting = [...form.elements].filter(isText);
  for (const [name, type, value] of kept.fields) {
    const at = waiting.findIndex((field) => field.name === name && field.type === type);
    if (at < 0) continue;
    const [field] = waiting.splice(at, 1);
    if (typeof value === "boolean") field.checked = value;
    else if (Array.isArray(value)) for (const option of field.options) option.selected = value.includes(option.value);
    else field.value = value;
  }
  form.dispatchEvent(new Event("input", { bubbles: true }));
  const told = document.createElement("p");
  told.className = "note note--told notice";
  told.setAttribute("role", "status");
  told.textContent = "Nothing was sent, because you were signed out. What you typed stands here again: look at it, and send it once more.";
  form.prepend(told);
  told.scrollIntoView({ block: "center" });
});
