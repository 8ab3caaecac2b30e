// The figure of one caption: the photograph under its light, the words, and a panel for each.

import { LAYERS, between, lightOf, paintHeat, whereabouts } from "./attention.js";
import * as doubt from "./doubt.js";
import { decode } from "./picture.js";
import { losses, unseen } from "./proof.js";

const GLIDE = 220; // milliseconds in which the light moves from word to word
const PANEL = 320; // pixels of a panel's longer side
const HINT =
  "Hover over a word to see where the model looked, or over the photograph to see which word " +
  "attends there most. Drag on the photograph to caption a region.";
const TAP = "Tap a word to see where the model looked.";

const [plate, photo, caption, reading, panels, template] =
  ["plate", "photo", "caption", "reading", "panels", "panel"].map((id) =>
    document.getElementById(id),
  );
const layers = [...plate.querySelectorAll("canvas[aria-hidden]")]; // LAYERS', then the heat-map
const painters = [...LAYERS.map(([paint]) => paint), paintHeat];
const still = matchMedia("(prefers-reduced-motion: reduce)");
const touched = matchMedia("(hover: none)");

let hung = 0; // photographs so far
let told = { words: [] }; // the caption, as the server answers it
let ownGrid = false; // whether the light is shown cell by cell
let lights = []; // one a word
let held = -1; // the word whose light stays when the pointer leaves; -1 is the whole photograph
let lit = -1; // the word whose light falls now
let seen; // that light, at this moment
let frame; // of the animation

export const length = () => told.words.length;
export const heldWord = () => held;
export const litWord = () => lit;

// ---- The photograph ------------------------------------------------------------------------

// Show a photograph, or its `region`, before anything is known of it; settles once it can be seen
// or never will.
export async function hang(photograph, region) {
  clear();
  const turn = ++hung;
  const picture = await decode(photograph, 1600, region);
  if (turn !== hung || !picture) return;
  [photo.width, photo.height] = [picture.width, picture.height];
  photo.getContext("2d").drawImage(picture, 0, 0);
  plate.style.setProperty("--ratio", picture.width / picture.height);
  plate.hidden = false;
}

export function clear() {
  hung++;
  plate.hidden = true;
  told = { words: [] };
  hold(-1);
  doubt.clear();
  caption.replaceChildren();
  panels.replaceChildren();
}

// ---- The caption ---------------------------------------------------------------------------

// Show a caption of the photograph that hangs.
export function tell(answer) {
  told = answer;
  doubt.tell(told);
  caption.replaceChildren(...sentence(told.caption, told.words));
  plate.style.setProperty("--rows", told.grid[0]);
  plate.style.setProperty("--cols", told.grid[1]);
  show(ownGrid);
}

// Make the caption's words buttons, and leave what stands between them as it is.
function sentence(text, words) {
  let at = 0;
  return words.flatMap((word, i) => {
    const start = Math.max(text.indexOf(word, at), at);
    const before = text.slice(at, start);
    at = start + word.length;
    const button = document.createElement("button");
    Object.assign(button, { type: "button", textContent: word, tabIndex: i ? -1 : 0 });
    button.dataset.word = i;
    button.classList.toggle("unseen", unseen(told, i));
    button.ariaPressed = "false";
    button.setAttribute("aria-describedby", `panel-${i}`);
    return [before, button];
  });
}

// Make the light of each word, soft or on the model's own grid, and draw the panels.
export function show(onOwnGrid) {
  ownGrid = onOwnGrid;
  plate.classList.toggle("own-grid", ownGrid);
  lights = told.attention.map((map) => lightOf(map, told.grid, ownGrid));
  const thumbnail = reduce();
  panels.replaceChildren(...told.words.map((word, i) => panel(word, i, thumbnail)));
  hold(-1);
}

function panel(word, i, thumbnail) {
  const item = template.content.cloneNode(true).firstElementChild;
  const [canvas, name, numbers] = item.children;
  item.dataset.word = i;
  item.classList.toggle("unseen", unseen(told, i));
  canvas.id = `panel-${i}`;
  canvas.ariaLabel = describe(i);
  canvas.width = thumbnail.width;
  canvas.height = thumbnail.height;
  const context = canvas.getContext("2d");
  context.drawImage(thumbnail, 0, 0);
  context.imageSmoothingEnabled = !ownGrid;
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
  const scale = PANEL / Math.max(photo.width, photo.height);
  canvas.width = Math.max(1, Math.round(scale * photo.width));
  canvas.height = Math.max(1, Math.round(scale * photo.height));
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(photo, 0, 0, canvas.width, canvas.height);
  return canvas;
}

const figures = (i, probability, gate) =>
  `${probability} ${told.probabilities[i].toFixed(2)}, ${gate} ${told.gates[i].toFixed(2)}`;

const describe = (i) =>
  `“${told.words[i]}”: attention is strongest at the ${whereabouts(lights[i])}. ` +
  figures(i, "Probability", "gate β") +
  `${doubt.ofWord(told, i)}.${losses(told, i)}`;

// ---- The light -----------------------------------------------------------------------------

// Move the light to a word, or to the whole photograph with -1.
export function look(word) {
  const whole = touched.matches ? TAP : HINT;
  light(word, lights[word], word >= 0 ? describe(word) : whole);
}

// Move the light to where the classifier sees a thing.
export function lookAt({ name, probability, attention }) {
  const map = lightOf(attention, told.grid, ownGrid);
  const percent = (100 * probability).toFixed(0);
  light(-1, map, `“${name}”: detected at the ${whereabouts(map)} with ${percent}% probability.`);
}

// Move the light, undefined for none, and say what it shows; of a caption's word, mark the word.
function light(word, to, text) {
  lit = word;
  plate.classList.toggle("lit", Boolean(to));
  for (const element of document.querySelectorAll("[data-word]")) {
    const i = Number(element.dataset.word);
    element.classList.toggle("lit", i === word);
    element.classList.toggle("said", i <= word);
  }
  for (const element of [plate, caption]) element.classList.remove("traced");
  reading.textContent = text;
  cancelAnimationFrame(frame);
  if (to) glide(seen ?? to, to);
  else seen = undefined;
}

function glide(from, to) {
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

// Underline each word as much as it looked at a place, x and y from 0 to 1.
export function trace(x, y) {
  const [rows, cols] = told.grid;
  const [row, col] = [Math.floor(y * rows), Math.floor(x * cols)];
  const shares = told.attention.map((map) => map[row * cols + col]);
  const most = Math.max(...shares);
  shares.forEach((share, i) => caption.children[i].style.setProperty("--share", share / most));
  plate.style.setProperty("--row", row);
  plate.style.setProperty("--col", col);
  for (const element of [plate, caption]) element.classList.add("traced");
  const word = told.words[shares.indexOf(most)];
  reading.textContent = `“${word}” attends here most: ${(100 * most).toFixed(0)}% of its attention.`;
}
