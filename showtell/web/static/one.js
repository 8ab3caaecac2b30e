// One photograph: asked for, told, and taken away.

import * as api from "./api.js";
import * as corrections from "./corrections.js";
import * as figure from "./figure.js";
import * as player from "./player.js";
import { save, saveJson, stem } from "./save.js";
import { options } from "./settings.js";
import { complain, enter, say } from "./state.js";

const [section, alternatives, template, copy, take] =
  ["one", "alternatives", "alternative", "copy", "take"].map((id) => document.getElementById(id));
const warnings = document.getElementById("warnings");
const still = matchMedia("(prefers-reduced-motion: reduce)");

let shown = null; // { photograph, asked: the options, sentences: the caption and its alternatives }
let asking = new AbortController();

// Show a photograph, and its caption as soon as the server has found it. When it refuses, what was
// shown before comes back, and the refusal is thrown.
export async function open(photograph) {
  close();
  const { signal } = asking;
  const asked = options();
  enter("busy");
  say("Looking at the photograph…");
  const hung = figure.hang(photograph.blob);
  try {
    const parameters = { ...asked, alternatives: true };
    const answer = await api.caption(photograph.blob, parameters, signal);
    await hung;
    if (signal.aborted) return;
    shown = { photograph, asked, sentences: unfold(answer) };
    tell();
    if (!still.matches) player.play({ writing: true });
  } catch (error) {
    if (signal.aborted) return;
    close();
    await restore();
    throw error;
  }
}

async function restore() {
  if (!shown) return;
  const { signal } = asking;
  await figure.hang(shown.photograph.blob);
  if (!signal.aborted) tell();
}

// Ask again, with settings that have changed.
export const again = () => open(shown.photograph);

export const isShown = () => shown !== null;

// Take the photograph down, for a moment; or `forget` it.
export function close({ forget = false } = {}) {
  asking.abort();
  asking = new AbortController();
  if (forget) shown = null;
  player.stop();
  figure.clear();
  warnings.textContent = "";
  say("");
}

// The answer's captions, each with all that belongs to it.
function unfold({ alternatives, ...best }) {
  return [best, ...alternatives.map((sentence) => ({ ...best, ...sentence }))];
}

function tell() {
  const [best] = shown.sentences;
  alternatives.replaceChildren(alternatives.firstElementChild, ...shown.sentences.map(line));
  enter("told");
  say(`Caption: ${best.caption}.`);
  figure.tell(best);
  corrections.offer(shown.photograph, best.caption);
  warnings.textContent = best.warnings.map((warning) => `Note: ${warning}.`).join(" ");
  if (document.activeElement === document.body) section.focus({ preventScroll: true });
}

function line({ caption }, i) {
  const label = template.content.cloneNode(true).firstElementChild;
  const [radio, text] = label.children;
  Object.assign(radio, { value: i, checked: i === 0 });
  text.textContent = caption;
  return label;
}

const chosen = () => Number(alternatives.querySelector(":checked").value);

alternatives.addEventListener("change", () => {
  player.stop();
  const sentence = shown.sentences[chosen()];
  figure.tell(sentence);
  corrections.offer(shown.photograph, sentence.caption);
  say(`Caption: ${sentence.caption}.`);
});

// ---- Take it away --------------------------------------------------------------------------

const DRAWINGS = { png: "figures", gif: "animations" };

take.addEventListener("click", async ({ target }) => {
  const form = target.dataset.save;
  if (!form || target.ariaBusy === "true") return;
  const { photograph, sentences } = shown;
  const name = `${stem(photograph.name)}.${form}`;
  complain("");
  if (form === "json") saveJson({ ...sentences[chosen()], image: photograph.name }, name);
  else await draw(target, DRAWINGS[form], name);
});

async function draw(button, kind, name) {
  const { photograph, asked } = shown;
  button.ariaBusy = "true";
  say("Drawing…");
  try {
    const parameters = { ...asked, alternative: chosen() };
    save(await api.drawing(kind, photograph.blob, parameters, asking.signal), name);
    say(`Saved ${name}.`);
  } catch (error) {
    if (error.name !== "AbortError") complain(error.message);
  }
  button.ariaBusy = "false";
}

copy.addEventListener("click", async () => {
  const text = shown.sentences[chosen()].caption;
  // Browsers keep the clipboard to https and to localhost, and may refuse; the old way is left.
  await write(text).catch(() => copyByHand(text));
  say(`Copied: ${text}.`);
  copy.textContent = "Copied";
  setTimeout(() => (copy.textContent = "Copy"), 1500);
});

const write = async (text) => navigator.clipboard.writeText(text);

function copyByHand(text) {
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}
