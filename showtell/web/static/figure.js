// The figure of a caption: the photograph with its attention map, the words, and a panel per word.

import { LAYERS, between, lightOf, paintHeat, whereabouts } from "./attention.js";
import * as doubt from "./doubt.js";
import { decode } from "./picture.js";
import { losses, unseen } from "./proof.js";

const GLIDE = 220; // milliseconds of the transition between two words
const PANEL = 320; // pixels of a panel's longer side
const HINT =
  "Hover over a word to see where the model looked, or over the photograph to see which word " +
  "attends there most. Drag on the photograph to caption a region.";
const TAP = "Tap a word to see where the model looked.";

const [plate, photo, caption, reading, panels, template] =
  ["plate", "photo", "caption", "reading", "panels", "panel"].map((id) =>
    document.getElementById(id),
  );
const layers = [...plate.querySelectorAll("canvas[aria-hidden]")]; // LAYERS, then the heat map
const painters = [...LAYERS.map(([paint]) => paint), paintHeat];
const still = matchMedia("(prefers-reduced-motion: reduce)");
const touched = matchMedia("(hover: none)");

let hung = 0; // number of photographs so far
let told = { words: [] }; // the caption, in the server's format
let ownGrid = false; // whether the maps are shown cell by cell
let lights = []; // one per word
let held = -1; // the selected word, shown when the pointer leaves; -1 is the whole photograph
let lit = -1; // the word that is shown now, or -1
let seen; // the light that is shown now, perhaps in transition
let frame; // the pending animation frame

export const length = () => told.words.length;
export const heldWord = () => held;
export const litWord = () => lit;

// ---- The photograph ------------------------------------------------------------------------

// Show a photograph, or its `region`, without a caption. Resolves when it is visible, or when it
// turns out that it cannot be decoded.
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

// Show a caption of the current photograph.
export function tell(answer) {
  told = answer;
  doubt.tell(told);
  caption.replaceChildren(...sentence(told.caption, told.words));
  plate.style.setProperty("--rows", told.grid[0]);
  plate.style.setProperty("--cols", told.grid[1]);
  show(ownGrid);
}

// Make the caption's words buttons, and keep the text between them.
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

// Compute the light of each word, upsampled or on the model's grid, and draw the panels.
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

// Draw the photograph at the size of a panel, once for all panels.
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

// Show the light of a word, or with -1 the whole photograph.
export function look(word) {
  const whole = touched.matches ? TAP : HINT;
  light(word, lights[word], word >= 0 ? describe(word) : whole);
}

// Show where the classifier recognises a thing.
export function lookAt({ name, probability, attention }) {
  const map = lightOf(attention, told.grid, ownGrid);
  const percent = (100 * probability).toFixed(0);
  light(-1, map, `“${name}”: detected at the ${whereabouts(map)} with ${percent}% probability.`);
}

// Show the light `to`, or none if it is undefined, with a description; highlight `word`, or none
// with -1.
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

// Select a word, which stays shown when the pointer leaves; -1 selects none.
export function hold(word) {
  held = word;
  for (const [i, button] of [...caption.children].entries()) {
    button.ariaPressed = String(i === held);
    button.tabIndex = i === Math.max(held, 0) ? 0 : -1;
  }
  look(held);
}

// Underline each word by its attention to a place, x and y from 0 to 1.
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
