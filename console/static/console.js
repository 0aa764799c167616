// What the pages do beyond links and forms; without it they work all the same, but stand still and show UTC.
"use strict";

// Times in the zone of whoever looks.
function localTimes(root) {
  const form = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
  for (const time of root.querySelectorAll("time[datetime]")) {
    const moment = new Date(time.dateTime);
    if (!isNaN(moment)) {
      time.title = time.textContent;
      time.textContent = form.format(moment);
    }
  }
}

// Live parts: the page is fetched again every data-live seconds, and each element with data-part takes the place of the
// one with the same id. One that holds the focus of a field, or an opened dialog, is left alone.
function isBusy(part) {
  const active = document.activeElement;
  return part.querySelector("dialog[open]") !== null || (part.contains(active) && active.matches("input, select, textarea"));
}

function replaceParts(fresh) {
  for (const part of document.querySelectorAll("[data-part]")) {
    const other = fresh.getElementById(part.id);
    if (other === null || isBusy(part)) continue;
    localTimes(other);
    const open = new Set([...part.querySelectorAll("details[open]")].map((one) => one.id));
    for (const one of other.querySelectorAll("details")) if (open.has(one.id)) one.open = true;
    const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
    if (part.innerHTML !== other.innerHTML) part.replaceChildren(...other.childNodes);
    if (focused) document.getElementById(focused)?.focus();
  }
}

function live(seconds) {
  const away = document.getElementById("away");
  let since = null;
  async function look() {
    if (!document.hidden) {
      try {
        const answer = await fetch(location.href, { headers: { "x-live": "1" }, redirect: "error" });
        if (answer.status === 401) return location.reload();
        if (answer.ok) replaceParts(new DOMParser().parseFromString(await answer.text(), "text/html"));
        since = null;
      } catch {
        since ??= new Date();
        away.textContent = `The console has not answered since ${since.toLocaleTimeString()}; this page goes on asking.`;
      }
      away.hidden = since === null;
    }
    setTimeout(look, seconds * 1000);
  }
  setTimeout(look, seconds * 1000);
}

// Keys: an element with data-key is what that key does; ? lists them where the page says so.
function keys(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select, textarea")) return;
  const target = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
  if (target === null) return;
  event.preventDefault();
  if (target.matches("input, select, textarea")) target.focus();
  else target.click();
}

// Dialogs that ask before something is done: a button with data-dialog opens the one with that id.
function dialogs(event) {
  const opener = event.target.closest("[data-dialog]");
  if (opener !== null) document.getElementById(opener.dataset.dialog).showModal();
  if (event.target.closest("[data-close]") !== null) event.target.closest("dialog").close();
}

// A text field of JSON says at once whether it is JSON.
function checkJson(field) {
  let fault = "";
  try {
    if (field.value.trim()) JSON.parse(field.value);
  } catch (error) {
    fault = `This is not JSON: ${error.message}`;
  }
  field.setCustomValidity(fault);
  document.getElementById(field.getAttribute("aria-describedby")).textContent = fault;
}

localTimes(document);
const every = Number(document.body.dataset.live);
if (every > 0) live(every);
document.addEventListener("keydown", keys);
document.addEventListener("click", dialogs);
document.addEventListener("input", (event) => event.target.matches("[data-json]") && checkJson(event.target));
document.addEventListener("change", (event) => event.target.matches("[data-submit]") && event.target.form.requestSubmit());
