// The keys of the page, shown by the key "?" or by the button at its end.

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

// Esc closes the list alone; it does nothing to the photograph behind it.
dialog.addEventListener("keydown", (event) => {
  if (event.key === "Escape") event.stopPropagation();
});
