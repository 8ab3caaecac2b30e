// How captions are asked for.

const details = document.getElementById("settings");
const fields = [...details.querySelectorAll("input")]; // with the limits and defaults of a search

// The parameters of the server's interface; an invalid one has its default.
export const options = () =>
  Object.fromEntries(
    fields.map((field) => [field.name, field.validity.valid ? field.value : field.defaultValue]),
  );

export function listen(changed) {
  fields[0].form.addEventListener("submit", (event) => event.preventDefault());
  for (const field of fields) {
    field.addEventListener("change", () => field.reportValidity() && changed());
  }
}

// Beside a photograph they lie over the page: a click elsewhere or Esc closes them.
document.addEventListener("pointerdown", ({ target }) => {
  if (!details.contains(target) && document.body.dataset.state !== "empty") details.open = false;
});

document.addEventListener(
  "keydown",
  (event) => {
    if (event.key !== "Escape" || !details.open) return;
    details.open = false;
    details.firstElementChild.focus();
    event.preventDefault();
  },
  { capture: true },
);
