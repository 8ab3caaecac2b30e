// Copies text to the clipboard.

import { say } from "./state.js";

const THANKS = 1500; // milliseconds for which the button shows "Copied"

// Copy a text. Confirm it on the button, and with `spoken` for screen readers.
export async function copy(text, button, spoken) {
  // The clipboard API is only available over https and on localhost, and may be denied.
  await write(text).catch(() => copyByHand(text));
  say(spoken);
  button.textContent = "Copied";
  setTimeout(() => (button.textContent = "Copy"), THANKS);
}

const write = async (text) => navigator.clipboard.writeText(text);

function copyByHand(text) {
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}
