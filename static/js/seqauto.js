// Small helps; every page works without them.

// Copy buttons: data-copy holds the text, data-copy-from names the elements that do, data-copy-url its address.
addEventListener("click", async (event) => {
  const button = event.target.closest?.("[data-copy], [data-copy-from], [data-copy-url]");
  if (!button) return;
  const worked = await copy(await textOf(button.dataset));
  say(worked ? "Copied" : "Could not copy: select the text instead");
  const icon = button.querySelector(".bi");
  if (!icon || !worked) return;
  icon.classList.replace("bi-clipboard", "bi-check-lg");
  setTimeout(() => icon.classList.replace("bi-check-lg", "bi-clipboard"), 1500);
});

async function textOf({ copy, copyFrom, copyUrl }) {
  if (copyUrl) return fetch(copyUrl).then((answer) => (answer.ok ? answer.text() : null), () => null);
  if (!copyFrom) return copy;
  return [...document.querySelectorAll(copyFrom)].map((element) => element.textContent.trim()).join("\n");
}

async function copy(text) {
  if (text === null) return false;
  // The clipboard is only given to pages served over https or from this machine; labs often use plain http.
  if (navigator.clipboard) {
    return navigator.clipboard.writeText(text).then(() => true, () => false);
  }
  const area = Object.assign(document.createElement("textarea"), { value: text });
  document.body.append(area);
  area.select();
  const worked = document.execCommand("copy");
  area.remove();
  return worked;
}

// Screen readers hear a text once, when it changes.
function say(text) {
  const said = document.getElementById("said");
  if (said.textContent !== text) said.textContent = text;
}

addEventListener("htmx:afterSettle", () => {
  const live = document.querySelector("[data-said]");
  if (live) say(live.dataset.said);
});

// A poll that ends at the login form means that the login has expired: show it as a page, not inside the panel.
addEventListener("htmx:beforeSwap", (event) => {
  const asked = event.detail.requestConfig?.path?.split("?")[0];
  const answered = new URL(event.detail.xhr.responseURL || location.href).pathname;
  if (asked && asked !== answered) {
    event.detail.shouldSwap = false;
    location.reload();
  }
});

// A button pressed twice in haste asks once.
addEventListener("submit", (event) => {
  const button = event.target.querySelector("button[data-once]");
  if (button) setTimeout(() => { button.disabled = true; });
});
addEventListener("pageshow", (event) => {
  if (event.persisted) document.querySelectorAll("button[data-once]").forEach((button) => { button.disabled = false; });
});

// A tab that nobody sees asks nothing; it asks again soon after it is seen.
addEventListener("htmx:beforeRequest", (event) => {
  const trigger = event.detail.elt.getAttribute("hx-trigger") || "";
  if (document.hidden && trigger.startsWith("every")) event.preventDefault();
});

// The key "/" leads to the search box, except where somebody is typing.
addEventListener("keydown", (event) => {
  const box = document.getElementById("menu-search");
  const isTyping = event.target.closest?.("input, textarea, select, [contenteditable]");
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || isTyping || !box) return;
  event.preventDefault();
  // In a narrow window the box lies in the folded menu.
  const menu = box.closest(".collapse");
  if (box.checkVisibility()) return box.select();
  menu.addEventListener("shown.bs.collapse", () => box.select(), { once: true });
  document.querySelector("[data-bs-target='#menu']").click();
});

// Lists: one tick chooses all rows of the page; a filter form leaves out of the address what is not filled in.
addEventListener("change", (event) => {
  const all = event.target.closest?.("[data-choose-all]");
  if (all) document.querySelectorAll("td.choose input").forEach((input) => { input.checked = all.checked; });
});
addEventListener("submit", (event) => {
  if (!event.target.matches("[data-sends-filled-only]")) return;
  const empty = [...event.target.elements].filter((field) => field.name && !field.value);
  empty.forEach((field) => { field.disabled = true; });
  setTimeout(() => empty.forEach((field) => { field.disabled = false; }));
});

// The page Today, left open in a tab that nobody saw for a while, is fetched anew when it is seen again.
let hiddenAt = Date.now();
document.addEventListener("visibilitychange", () => {
  if (document.hidden) hiddenAt = Date.now();
  else if (Date.now() - hiddenAt > 60_000) document.body.dispatchEvent(new CustomEvent("today-moved-on"));
});
