// Order form: a quick amount fills the quantity in place. Without this script its button reloads the form, filled.
document.addEventListener("click", (event) => {
  const button = event.target.closest("button[name='fill']");
  const quantity = document.getElementById("quantity");
  if (!button || !quantity) return;
  event.preventDefault();
  quantity.value = button.value;
  // The price line listens for what is typed.
  quantity.dispatchEvent(new Event("input", { bubbles: true }));
});
