// The figure of one caption: the photograph under its light, the words, and a panel for each.

import { everywhere, paint, upsample, whereabouts } from "./attention.js";

const GLIDE = 220; // milliseconds in which the light moves from word to word
const PANEL = 320; // pixels of a panel's width

const [plate, photo, caption, hint, panels] = ["plate", "photo", "caption", "hint", "panels"].map(
  (id) => document.getElementById(id),
);
const shades = plate.querySelectorAll("canvas"); // one takes the colour away, one the light
const still = matchMedia("(prefers-reduced-motion: reduce)");

let grid; // rows and columns of the maps
let lights = []; // one a word
let held = -1; // the word whose light stays when the pointer leaves; -1 is the whole photograph
let seen; // the light on the photograph at this moment
let frame; // of the animation

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
  plate.hidden = hint.hidden = true;
  caption.replaceChildren();
  panels.replaceChildren();
  cancelAnimationFrame(frame);
  for (const shade of shades) shade.width = shade.height = 1; // which wipes it
  lights = [];
  held = -1;
}

// ---- The caption ---------------------------------------------------------------------------

// Show what the server answered of the photograph that hangs.
export function tell(answer) {
  grid = answer.grid;
  lights = answer.attention.map((map) => upsample(map, grid));
  seen = everywhere(grid);
  caption.replaceChildren(...sentence(answer.caption, answer.words));
  const thumbnail = reduce();
  panels.replaceChildren(...answer.words.map((word, i) => panel(word, i, answer, thumbnail)));
  plate.hidden = hint.hidden = false;
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
    return [between, button];
  });
}

function panel(word, i, { attention }, thumbnail) {
  const item = document.createElement("li");
  item.dataset.word = i;
  const canvas = document.createElement("canvas");
  canvas.role = "img";
  canvas.ariaLabel = `“${word}”: brightest at the ${whereabouts(attention[i], grid)}`;
  canvas.width = thumbnail.width;
  canvas.height = thumbnail.height;
  const context = canvas.getContext("2d");
  context.drawImage(thumbnail, 0, 0);
  const shade = paint(document.createElement("canvas"), lights[i], grid);
  for (const mode of ["saturation", "source-over"]) {
    context.globalCompositeOperation = mode;
    context.drawImage(shade, 0, 0, canvas.width, canvas.height);
  }
  item.append(canvas, word);
  return item;
}

// Draw the photograph as large as a panel, once for all of them.
function reduce() {
  const canvas = document.createElement("canvas");
  canvas.width = PANEL;
  canvas.height = Math.round(PANEL / plate.style.getPropertyValue("--ratio"));
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.fillStyle = "#fff"; // as the server sees what is transparent
  context.fillRect(0, 0, canvas.width, canvas.height);
  if (photo.naturalWidth) context.drawImage(photo, 0, 0, canvas.width, canvas.height);
  return canvas;
}

// ---- The light -----------------------------------------------------------------------------

// Move the light to a word, or to the whole photograph.
function look(word) {
  if (!lights.length) return;
  for (const element of document.querySelectorAll("[data-word]")) {
    element.classList.toggle("lit", Number(element.dataset.word) === word);
  }
  const from = seen;
  const to = lights[word] ?? everywhere(grid);
  const start = performance.now();
  const step = (now) => {
    const t = still.matches ? 1 : Math.min(1, Math.max(0, (now - start) / GLIDE));
    seen = from.map((value, i) => value + (to[i] - value) * t * (2 - t));
    for (const shade of shades) paint(shade, seen, grid);
    if (t < 1) frame = requestAnimationFrame(step);
  };
  cancelAnimationFrame(frame);
  frame = requestAnimationFrame(step);
}

// Keep the light on a word after the pointer has gone.
function hold(word) {
  held = word;
  for (const [i, button] of [...caption.children].entries()) {
    button.ariaPressed = String(i === held);
    button.tabIndex = i === Math.max(held, 0) ? 0 : -1;
  }
  look(held);
}

const wordAt = (event) => Number(event.target.closest("[data-word]")?.dataset.word ?? -1);

for (const area of [caption, panels]) {
  area.addEventListener("pointerover", (event) => {
    if (event.pointerType === "mouse" && wordAt(event) >= 0) look(wordAt(event));
  });
  area.addEventListener("pointerleave", () => look(held));
  area.addEventListener("click", (event) => {
    const word = wordAt(event);
    if (word >= 0) hold(word === held ? -1 : word);
  });
}

caption.addEventListener("focusin", (event) => {
  if (event.target.matches(":focus-visible")) hold(wordAt(event));
});

caption.addEventListener("keydown", (event) => {
  const last = lights.length - 1;
  const word = wordAt(event);
  const next = { ArrowLeft: Math.max(word - 1, 0), ArrowRight: Math.min(word + 1, last), Home: 0,
    End: last }[event.key];
  if (next === undefined) return;
  event.preventDefault();
  caption.children[next].focus();
  hold(next);
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") hold(-1);
});

plate.addEventListener("click", () => hold(-1));
