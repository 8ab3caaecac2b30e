// The figure of one caption: the photograph under its light, the words, and a panel for each.

import { LAYERS, between, lightOf, paintHeat, whereabouts } from "./attention.js";

const GLIDE = 220; // milliseconds in which the light moves from word to word
const PANEL = 320; // pixels of a panel's width
const HINT = "Point at a word, or tap it: the light falls where the model looked as it said it.";
const KEYS = " ← and → walk along, Esc lights everything.";

const [plate, photo, caption, reading, panels, template, strength, ownGrid] =
  ["plate", "photo", "caption", "reading", "panels", "panel", "strength", "own-grid"].map((id) =>
    document.getElementById(id),
  );
const layers = [...plate.querySelectorAll("canvas")]; // those of LAYERS, then the heat-map
const still = matchMedia("(prefers-reduced-motion: reduce)");
const keyless = matchMedia("(hover: none)");

let told = { words: [] }; // the caption, as the server answers it
let lights = []; // one a word
let held = -1; // the word whose light stays when the pointer leaves; -1 is the whole photograph
let lit = -1; // the word whose light falls now
let seen; // that light, at this moment
let frame; // of the animation

export const length = () => told.words.length;
export const looked = () => lit;

// ---- The photograph ------------------------------------------------------------------------

// Show a photograph before anything is known of it; settles once it can be seen or never will.
export async function hang(photograph) {
  clear();
  URL.revokeObjectURL(photo.src);
  const source = (photo.src = URL.createObjectURL(photograph));
  await photo.decode().catch(() => {}); // some formats the server reads and the browser does not
  if (photo.src !== source) return;
  plate.style.setProperty("--ratio", photo.naturalWidth / photo.naturalHeight || 1);
  plate.hidden = photo.hidden = !photo.naturalWidth;
}

export function clear() {
  plate.hidden = true;
  told = { words: [] };
  look(-1);
  caption.replaceChildren();
  panels.replaceChildren();
}

// ---- The caption ---------------------------------------------------------------------------

// Show a caption of the photograph that hangs.
export function tell(answer) {
  told = answer;
  caption.replaceChildren(...sentence(told.caption, told.words));
  plate.hidden = false;
  plate.style.setProperty("--rows", told.grid[0]);
  plate.style.setProperty("--cols", told.grid[1]);
  light();
}

// Make the caption's words buttons, and leave what stands between them as it is.
function sentence(text, words) {
  let at = 0;
  return words.flatMap((word, i) => {
    const start = Math.max(text.indexOf(word, at), at);
    const between = text.slice(at, start);
    at = start + word.length;
    const button = document.createElement("button");
    Object.assign(button, { type: "button", textContent: word, tabIndex: i ? -1 : 0 });
    button.dataset.word = i;
    button.ariaPressed = "false";
    button.setAttribute("aria-describedby", `panel-${i}`);
    return [between, button];
  });
}

// Make the light of each word and draw the panels: after a new caption, or for another grid.
function light() {
  lights = told.attention.map((map) => lightOf(map, told.grid, ownGrid.checked));
  plate.classList.toggle("own-grid", ownGrid.checked);
  const thumbnail = reduce();
  panels.replaceChildren(...told.words.map((word, i) => panel(word, i, thumbnail)));
  hold(-1);
}

function panel(word, i, thumbnail) {
  const item = template.content.cloneNode(true).firstElementChild;
  const [canvas, name, numbers] = item.children;
  item.dataset.word = i;
  canvas.id = `panel-${i}`;
  canvas.ariaLabel = describe(i);
  canvas.width = thumbnail.width;
  canvas.height = thumbnail.height;
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = !ownGrid.checked;
  context.drawImage(thumbnail, 0, 0);
  for (const [paint, mode] of LAYERS) {
    const layer = paint(document.createElement("canvas"), lights[i]);
    context.globalCompositeOperation = mode;
    context.drawImage(layer, 0, 0, canvas.width, canvas.height);
  }
  name.textContent = word;
  numbers.textContent = figures(i, "p", "β");
  return item;
}

// Draw the photograph as large as a panel, once for all of them.
function reduce() {
  const canvas = document.createElement("canvas");
  canvas.width = PANEL;
  canvas.height = Math.round(PANEL / plate.style.getPropertyValue("--ratio")) || 1;
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.fillStyle = "#fff"; // as the server sees what is transparent
  context.fillRect(0, 0, canvas.width, canvas.height);
  if (photo.naturalWidth) context.drawImage(photo, 0, 0, canvas.width, canvas.height);
  return canvas;
}

const figures = (i, probability, gate) =>
  `${probability} ${told.probabilities[i].toFixed(2)}, ${gate} ${told.gates[i].toFixed(2)}`;

const describe = (i) =>
  `“${told.words[i]}”: brightest at the ${whereabouts(told.attention[i], told.grid)}; ` +
  figures(i, "probability", "gate β");

// ---- The light -----------------------------------------------------------------------------

// Move the light to a word, or to the whole photograph with -1.
export function look(word) {
  lit = word;
  plate.classList.toggle("lit", word >= 0);
  for (const element of document.querySelectorAll("[data-word]")) {
    const i = Number(element.dataset.word);
    element.classList.toggle("lit", i === word);
    element.classList.toggle("said", i <= word);
  }
  reading.textContent = word < 0 ? HINT + (keyless.matches ? "" : KEYS) : describe(word);
  cancelAnimationFrame(frame);
  if (word >= 0) glide(seen, lights[word]);
  else seen = undefined;
}

const painters = [...LAYERS.map(([paint]) => paint), paintHeat];

function glide(from = lights[lit], to) {
  const start = performance.now();
  const step = (now) => {
    const t = still.matches ? 1 : Math.min(1, Math.max(0, (now - start) / GLIDE));
    seen = between(from, to, t * (2 - t));
    painters.forEach((paint, i) => paint(layers[i], seen));
    if (t < 1) frame = requestAnimationFrame(step);
  };
  frame = requestAnimationFrame(step);
}

// Keep the light on a word after the pointer has gone.
export function hold(word) {
  held = word;
  for (const [i, button] of [...caption.children].entries()) {
    button.ariaPressed = String(i === held);
    button.tabIndex = i === Math.max(held, 0) ? 0 : -1;
  }
  look(held);
}

// ---- What the visitor does -----------------------------------------------------------------

const wordAt = (event) => Number(event.target.closest("[data-word]")?.dataset.word ?? -1);
const playing = () => "playing" in document.body.dataset;

function choose(word) {
  document.dispatchEvent(new Event("hold"));
  hold(word);
}

for (const area of [caption, panels]) {
  area.addEventListener("pointerover", (event) => {
    if (event.pointerType === "mouse" && wordAt(event) >= 0 && !playing()) look(wordAt(event));
  });
  area.addEventListener("pointerleave", () => !playing() && look(held));
  area.addEventListener("click", (event) => {
    const word = wordAt(event);
    if (word >= 0) choose(word === held ? -1 : word);
  });
}

caption.addEventListener("focusin", (event) => {
  if (event.target.matches(":focus-visible")) choose(wordAt(event));
});

caption.addEventListener("keydown", (event) => {
  const last = length() - 1;
  const word = wordAt(event);
  const next = { ArrowLeft: Math.max(word - 1, 0), ArrowRight: Math.min(word + 1, last), Home: 0,
    End: last }[event.key];
  if (next === undefined) return;
  event.preventDefault();
  caption.children[next].focus();
  choose(next);
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") choose(-1);
});

plate.addEventListener("click", () => choose(-1));

// The slider: the photograph at 0, the light on it half-way, the heat-map alone at 1.
function mix() {
  plate.style.setProperty("--shade", Math.min(1, 2 * strength.value));
  plate.style.setProperty("--heat", Math.max(0, 2 * strength.value - 1));
}
strength.addEventListener("input", mix);
mix();

ownGrid.addEventListener("change", () => {
  const word = held;
  light();
  choose(word);
});
