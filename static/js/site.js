// For pages with forms or something to copy: show/hide password, a busy state while a form is being submitted, copy buttons.
// All of it works without this script: the server accepts a form once.

const MAX_BUSY_MS = 10000;
const busy = new Map();

function letGo(form) {
  const { button, words, timer } = busy.get(form);
  clearTimeout(timer);
  busy.delete(form);
  button.removeAttribute("aria-disabled");
  button.textContent = words;
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  for (const field of form.querySelectorAll("[data-shown]")) hide(field);
  const button = event.submitter;
  if (!button?.dataset.busy) return;
  if (busy.has(form)) return event.preventDefault();
  const words = button.textContent;
  button.style.minInlineSize = `${button.offsetWidth}px`;
  button.textContent = button.dataset.busy;
  button.setAttribute("aria-disabled", "true");
  busy.set(form, { button, words, timer: setTimeout(() => letGo(form), MAX_BUSY_MS) });
});

// Restored from the back/forward cache.
addEventListener("pageshow", () => [...busy.keys()].forEach(letGo));

function hide(field) {
  field.type = "password";
  field.removeAttribute("data-shown");
  const control = document.querySelector(`[data-reveals="${field.id}"]`);
  control.textContent = control.textContent.replace("Hide", "Show");
}

document.addEventListener("click", (event) => {
  const control = event.target.closest("[data-reveals]");
  if (!control) return;
  const field = document.getElementById(control.dataset.reveals);
  if (field.type === "text") return hide(field);
  field.type = "text";
  field.setAttribute("data-shown", "");
  control.textContent = control.textContent.replace("Show", "Hide");
});

// Files that are too many or too large are refused before they are sent: the server stops reading a form that is far too
// large, and what was typed beside them would be lost.
document.addEventListener("change", ({ target: field }) => {
  const { maxFiles, maxBytes } = field.dataset;
  if (!maxBytes) return;
  const large = [...field.files].find((file) => file.size > maxBytes);
  let reason = large ? `${large.name} is larger than ${maxBytes / 2 ** 20} MB. Choose a smaller image.` : "";
  if (field.files.length > maxFiles) reason = `You chose ${field.files.length} images. A message takes at most ${maxFiles}.`;
  field.setCustomValidity(reason);
  field.reportValidity();
});

// Code that is worth copying gets its button here.
for (const code of document.querySelectorAll("[data-copied]")) {
  const button = document.createElement("button");
  button.className = "code__copy";
  button.type = "button";
  button.dataset.copies = "";
  button.textContent = "Copy";
  button.setAttribute("aria-label", `Copy ${code.parentElement.getAttribute("aria-label")}`);
  code.before(button);
}

// A copy button says that it has copied, then goes back to its name.
const COPIED_SHOWN_MS = 2000;

document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("[data-copies]");
  if (!button) return;
  await navigator.clipboard.writeText(button.dataset.copies || button.parentElement.querySelector("pre").textContent);
  const words = button.textContent;
  if (words === "Copied") return;
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = words; }, COPIED_SHOWN_MS);
});
