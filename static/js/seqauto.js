// Small helps; every page works without them.

// Copy buttons: data-copy holds the text, or data-copy-from names the element that does.
addEventListener("click", async (event) => {
  const button = event.target.closest?.("[data-copy], [data-copy-from]");
  if (!button) return;
  const from = button.dataset.copyFrom;
  const text = from
    ? [...document.querySelectorAll(from)].map((element) => element.textContent.trim()).join("\n")
    : button.dataset.copy;
  const worked = await copy(text);
  say(worked ? "Copied" : "Could not copy: select the text instead");
  const icon = button.querySelector(".bi");
  if (!icon || !worked) return;
  icon.classList.replace("bi-clipboard", "bi-check-lg");
  setTimeout(() => icon.classList.replace("bi-check-lg", "bi-clipboard"), 1500);
});

async function copy(text) {
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
