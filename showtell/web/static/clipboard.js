// Text that the visitor copies.

import { say } from "./state.js";

const THANKS = 1500; // milliseconds in which a button says that it has copied

// Copy a text, and say so: on the button, and as `spoken` to those who cannot see it.
export async function copy(text, button, spoken) {
  // Browsers keep the clipboard to https and to localhost, and may refuse; the old way is left.
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
