// For pages with a password or a slow form: a control that shows what is typed, and the mark of a form on its way.
// A form that is sent twice does no harm without this: it is one order, one request, one account.
const LONGEST_BUSY_MS = 10000;
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
  busy.set(form, { button, words, timer: setTimeout(() => letGo(form), LONGEST_BUSY_MS) });
});

// Back from the next page, kept as it was left.
addEventListener("pageshow", () => [...busy.keys()].forEach(letGo));

function hide(field) {
  field.type = "password";
  field.removeAttribute("data-shown");
  document.querySelector(`[data-reveals="${field.id}"]`).textContent = "Show password";
}

document.addEventListener("click", (event) => {
  const control = event.target.closest("[data-reveals]");
  if (!control) return;
  const field = document.getElementById(control.dataset.reveals);
  if (field.type === "text") return hide(field);
  field.type = "text";
  field.setAttribute("data-shown", "");
  control.textContent = "Hide password";
});

document.documentElement.dataset.scripts = "on";
