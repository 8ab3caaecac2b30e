// The settings: the options of the search.

const details = document.getElementById("settings");
const fields = [...details.querySelectorAll("input")]; // with the limits and defaults of Search

// Return the parameters for the API; an invalid field has its default.
export const options = () =>
  Object.fromEntries(
    fields.map((field) => [field.name, field.validity.valid ? field.value : field.defaultValue]),
  );

// The page's address contains the settings that differ from the defaults, so that a link restores
// them.
const linked = new URLSearchParams(location.search);
for (const field of fields) {
  field.value = linked.get(field.name) ?? field.defaultValue;
  if (!field.validity.valid) field.value = field.defaultValue;
}

function link() {
  const changed = fields.filter((field) => field.value !== field.defaultValue);
  const query = String(new URLSearchParams(changed.map(({ name, value }) => [name, value])));
  history.replaceState(history.state, "", query ? `?${query}` : location.pathname);
}

addEventListener("popstate", link); // the entry may have the address from before a change

export function listen(changed) {
  fields[0].form.addEventListener("submit", (event) => event.preventDefault());
  for (const field of fields) {
    field.addEventListener("change", () => {
      if (!field.reportValidity()) return;
      link();
      changed();
    });
  }
}

// While photographs are shown, the settings cover part of the page: a click elsewhere or Esc closes
// them.
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
