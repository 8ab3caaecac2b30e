// Interaction with the figure by mouse, touch, keyboard and slider.

import * as figure from "./figure.js";

const [plate, caption, panels, strength, ownGrid] =
  ["plate", "caption", "panels", "strength", "own-grid"].map((id) => document.getElementById(id));

const wordAt = (event) => Number(event.target.closest("[data-word]")?.dataset.word ?? -1);
const byMouse = (event) =>
  event.pointerType === "mouse" && !event.buttons && !("playing" in document.body.dataset);

// Select a word, -1 for the whole photograph, and stop the player.
function choose(word) {
  document.dispatchEvent(new Event("hold"));
  figure.hold(word);
}

// ---- Words ---------------------------------------------------------------------------------

for (const area of [caption, panels]) {
  area.addEventListener("pointerover", (event) => {
    if (byMouse(event) && wordAt(event) >= 0) figure.look(wordAt(event));
  });
  area.addEventListener("pointerleave", (event) => {
    if (byMouse(event)) figure.look(figure.heldWord());
  });
  area.addEventListener("click", (event) => {
    const word = wordAt(event);
    if (word >= 0) choose(word === figure.heldWord() ? -1 : word);
  });
}

caption.addEventListener("focusin", (event) => {
  if (event.target.matches(":focus-visible")) choose(wordAt(event));
});

caption.addEventListener("keydown", (event) => {
  const last = figure.length() - 1;
  const word = wordAt(event);
  const next = { ArrowLeft: Math.max(word - 1, 0), ArrowRight: Math.min(word + 1, last), Home: 0,
    End: last }[event.key];
  if (next === undefined) return;
  event.preventDefault();
  caption.children[next].focus();
  choose(next);
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !event.defaultPrevented) choose(-1);
});

// ---- The photograph ------------------------------------------------------------------------

plate.addEventListener("click", () => choose(-1));

plate.addEventListener("pointermove", (event) => {
  if (!byMouse(event) || figure.heldWord() >= 0 || !figure.length()) return;
  const { left, top, width, height } = plate.getBoundingClientRect();
  // The pointer can be a fraction of a pixel outside.
  const within = (value) => Math.min(Math.max(value, 0), 0.999);
  figure.trace(within((event.clientX - left) / width), within((event.clientY - top) / height));
});

plate.addEventListener("pointerleave", (event) => {
  if (byMouse(event)) figure.look(figure.heldWord());
});

// The slider: only the photograph at 0, the light over it at 0.5, only the heat map at 1.
function mix() {
  plate.style.setProperty("--shade", Math.min(1, 2 * strength.value));
  plate.style.setProperty("--heat", Math.max(0, 2 * strength.value - 1));
}
strength.addEventListener("input", mix);
mix();

ownGrid.addEventListener("change", () => {
  const word = figure.heldWord();
  figure.show(ownGrid.checked);
  choose(word);
});
