// Selecting a region of the photograph: a frame drawn with the mouse, a finger or the keyboard.
//
// A part is { left, top, right, bottom }, each from 0 to 1, relative to what the plate shows.

import * as figure from "./figure.js";
import { say } from "./state.js";

const STEP = 0.05; // by which an arrow key moves or resizes the frame
const SLIP = 8; // pixels; a smaller movement of the pointer is a click
const MIDDLE = { left: 0.25, top: 0.25, right: 0.75, bottom: 0.75 };

const [plate, frame, button, whole] =
  ["plate", "frame", "point", "whole"].map((id) => document.getElementById(id));
const [sentence, back] = whole.children;

let part = null; // the part inside the frame
let start = null; // where the pointer was pressed, { x, y, id }

const within = (value) => Math.min(Math.max(value, 0), 1);

function enclose(now) {
  part = now;
  frame.hidden = !part;
  for (const side in part) frame.style.setProperty(`--${side}`, part[side]);
}

// Turn on or off the selection by keyboard or touch, with the frame in the middle.
function aim(on) {
  plate.classList.toggle("aimed", on);
  button.ariaPressed = String(on);
  enclose(on ? MIDDLE : null);
  start = null;
  if (on) frame.focus();
}

// Call `tell` with each selected part, and `widen` to return to the whole photograph.
export function listen(tell, widen) {
  function done() {
    const chosen = part;
    aim(false);
    tell(chosen);
  }

  button.addEventListener("click", () => aim(!plate.classList.contains("aimed")));

  plate.addEventListener("pointerdown", (event) => {
    const drawing = event.pointerType === "mouse" || plate.classList.contains("aimed");
    if (!drawing || event.button || document.body.dataset.state !== "told") return;
    start = { x: event.clientX, y: event.clientY, id: event.pointerId };
    event.preventDefault();
  });

  plate.addEventListener("pointermove", (event) => {
    if (start?.id !== event.pointerId) return;
    const [across, down] = [Math.abs(event.clientX - start.x), Math.abs(event.clientY - start.y)];
    if (Math.min(across, down) < SLIP) return;
    plate.setPointerCapture(start.id); // so that drawing continues beyond the edge
    if (!part) figure.look(figure.heldWord());
    enclose(between(start, event));
  });

  plate.addEventListener("pointerup", ({ pointerId }) => {
    const drawn = start?.id === pointerId && plate.hasPointerCapture(pointerId);
    start = null;
    if (drawn) done();
  });
  plate.addEventListener("pointercancel", () => aim(false));

  frame.addEventListener("keydown", (event) => {
    if (event.key === "Enter") done();
    else if (event.key.startsWith("Arrow")) {
      enclose(moved(event.key, event.shiftKey));
      say(`Region: ${percent("left", "right")} across, ${percent("top", "bottom")} down.`);
    } else return;
    event.preventDefault();
  });

  document.addEventListener(
    "keydown",
    (event) => {
      if (event.key !== "Escape" || !part) return;
      aim(false);
      button.focus();
      event.preventDefault();
    },
    { capture: true },
  );

  back.addEventListener("click", widen);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !event.defaultPrevented && !whole.hidden) widen();
  });
}

// Hide the frame. For a region, `caption` is the caption of the whole photograph, which is shown
// with a button to return to it.
export function reset(caption = "") {
  aim(false);
  whole.hidden = !caption;
  sentence.textContent = caption;
}

// Return the part between where the pointer was pressed and where it is now.
function between({ x, y }, { clientX, clientY }) {
  const box = plate.getBoundingClientRect();
  const [a, b] = [x, clientX].map((at) => within((at - box.left) / box.width)).sort(ascending);
  const [c, d] = [y, clientY].map((at) => within((at - box.top) / box.height)).sort(ascending);
  return { left: a, top: c, right: b, bottom: d };
}

const ascending = (a, b) => a - b;

// Return the part after an arrow key: moved, or with `sizing` resized at its right or bottom edge.
function moved(key, sizing) {
  const across = key === "ArrowLeft" || key === "ArrowRight";
  const [near, far] = across ? ["left", "right"] : ["top", "bottom"];
  const step = key === "ArrowRight" || key === "ArrowDown" ? STEP : -STEP;
  if (sizing) return { ...part, [far]: Math.max(within(part[far] + step), part[near] + STEP) };
  const least = Math.min(Math.max(part[near] + step, 0), 1 - (part[far] - part[near]));
  return { ...part, [near]: least, [far]: least + part[far] - part[near] };
}

const percent = (near, far) =>
  [near, far].map((side) => Math.round(100 * part[side])).join(" to ") + "%";

// Convert a part to a region in the server's format: left, top, right and bottom in pixels of the
// whole photograph. `inside` is the region that the plate shows, null for the whole photograph.
export async function regionOf(photograph, { left, top, right, bottom }, inside) {
  const { width, height } = await sizeOf(photograph);
  const [x, y, x2, y2] = inside ?? [0, 0, width, height];
  const at = (from, to, share) => Math.round(from + (to - from) * share);
  return [at(x, x2, left), at(y, y2, top), at(x, x2, right), at(y, y2, bottom)];
}

async function sizeOf(photograph) {
  const bitmap = await createImageBitmap(photograph).catch(() => {
    throw new Error("This browser cannot read this format, so no region can be selected. Save the photograph as JPEG.");
  });
  const { width, height } = bitmap;
  bitmap.close();
  return { width, height };
}
