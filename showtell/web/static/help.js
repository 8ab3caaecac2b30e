// The list of keyboard shortcuts, opened by the key "?" or by the button at the end of the page.

const [dialog, button] = ["keys", "keys-open"].map((id) => document.getElementById(id));

const isWriting = (target) =>
  target.matches("textarea, input:not([type=range], [type=radio], [type=checkbox])");

button.hidden = false;
button.addEventListener("click", () => dialog.showModal());

document.addEventListener("keydown", (event) => {
  if (event.key !== "?" || isWriting(event.target) || document.querySelector("dialog[open]")) return;
  event.preventDefault();
  dialog.showModal();
});

// Esc closes only the list, and does not affect the photograph behind it.
dialog.addEventListener("keydown", (event) => {
  if (event.key === "Escape") event.stopPropagation();
});
