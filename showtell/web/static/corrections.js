// The form to correct captions. A server that was started with --corrections saves them.

import * as api from "./api.js";
import { complain, say } from "./state.js";

const [form, text] = ["correction", "better"].map((id) => document.getElementById(id));
const button = form.querySelector("button");

export const areKept = !form.hidden;

let shown; // the photograph
let offered; // the caption that was put into the form

// Put a caption into the form, unless it is that of a region. Text that the visitor has already
// entered for this photograph is kept.
export function offer({ photograph, region }, caption) {
  form.hidden = !areKept || region !== null;
  if (region) return;
  if (photograph !== shown || text.value === offered) text.value = caption;
  [shown, offered] = [photograph, caption];
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  complain("");
  try {
    const { caption } = await api.correct(shown.blob, text.value);
    say(`Saved: ${caption}.`);
    button.textContent = "Saved";
    setTimeout(() => (button.textContent = "Save correction"), 1500);
  } catch (error) {
    complain(error.message);
  }
});
