// How captions are asked for.

const fields = ["beam", "max_length"].map((id) => document.getElementById(id));

// The parameters of the server's interface; what cannot be used is left at its default.
export const options = () =>
  Object.fromEntries(
    fields.filter((field) => field.validity.valid).map((field) => [field.name, field.value]),
  );

export function listen(changed) {
  fields[0].form.addEventListener("submit", (event) => event.preventDefault());
  for (const field of fields) {
    field.addEventListener("change", () => field.reportValidity() && changed());
  }
}
