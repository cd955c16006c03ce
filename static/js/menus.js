// On every page, alone where nothing else is needed. Without it, menus are `details`.
// They close on Escape, which gives the focus back, on a click outside, and when the focus leaves them.
const openMenus = () => [...document.querySelectorAll("details[data-menu][open]")];

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const menu = openMenus().findLast((each) => each.contains(document.activeElement));
  if (!openMenus().length) return;
  event.preventDefault();
  for (const each of menu ? [menu] : openMenus()) each.open = false;
  menu?.querySelector("summary").focus();
});

for (const type of ["click", "focusin"]) {
  document.addEventListener(type, (event) => {
    for (const menu of openMenus()) if (!menu.contains(event.target)) menu.open = false;
  });
}

document.documentElement.dataset.scripts = "on";
