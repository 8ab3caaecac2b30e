// One photograph: captioning it, showing the caption, and downloading it.

import * as api from "./api.js";
import { copy } from "./clipboard.js";
import * as corrections from "./corrections.js";
import { notes, spoken } from "./doubt.js";
import * as figure from "./figure.js";
import * as mention from "./mention.js";
import * as part from "./part.js";
import * as player from "./player.js";
import { save, saveJson, stem } from "./save.js";
import { options } from "./settings.js";
import { complain, enter, say } from "./state.js";

const [section, alternatives, template, copyButton, take] =
  ["one", "alternatives", "alternative", "copy", "take"].map((id) => document.getElementById(id));
const warnings = document.getElementById("warnings");
const still = matchMedia("(prefers-reduced-motion: reduce)");

// What is shown: { photograph, region: the captioned region, or null, words: to mention, asked: the
// options, sentences: the caption and its alternatives, whole: for a region, what was shown for the
// whole photograph, or null }
let shown = null;
let asking = new AbortController();

// Show a photograph or a region of it, and its caption when the server returns it. The caption
// mentions `words`. If the server returns an error, show the previous photograph again, and throw
// the error.
export async function open(photograph, region = null, words = []) {
  const whole = region && (shown.whole ?? shown);
  close();
  const { signal } = asking;
  const asked = { ...options(), ...(region && { region }) };
  if (words.length) asked.mention = words.join();
  enter("busy");
  say("Captioning…");
  const hung = figure.hang(photograph.blob, region);
  try {
    const parameters = { ...asked, alternatives: true, proof: true, things: true };
    const answer = await api.caption(photograph.blob, parameters, signal);
    await hung;
    if (signal.aborted) return;
    shown = { photograph, region, words, asked, sentences: unfold(answer), whole };
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
  await figure.hang(shown.photograph.blob, shown.region);
  if (!signal.aborted) tell();
}

// Caption again, after a change of the settings or with other words to mention.
export const again = (words = shown.words) => open(shown.photograph, shown.region, words);

// Caption the region that the visitor selected.
export async function point(at) {
  const { photograph, region } = shown;
  const inside = await part.regionOf(photograph.blob, at, region);
  if (shown?.photograph === photograph) await open(photograph, inside);
}

// Show the whole photograph again, instead of a region.
export async function widen() {
  shown = shown.whole;
  close();
  await restore();
}

export const isShown = () => shown !== null;

// Hide the photograph; with `forget`, it cannot be shown again.
export function close({ forget = false } = {}) {
  asking.abort();
  asking = new AbortController();
  if (forget) shown = null;
  player.stop();
  figure.clear();
  part.reset();
  warnings.textContent = "";
  say("");
}

// Return the captions of a response: the best one and its alternatives, in the same format.
function unfold({ alternatives, ...best }) {
  const others = alternatives.map((sentence) => ({ ...best, proof: undefined, ...sentence }));
  return [best, ...others];
}

function tell() {
  const [best] = shown.sentences;
  alternatives.replaceChildren(alternatives.firstElementChild, ...shown.sentences.map(line));
  enter("told");
  say(spoken(best));
  figure.tell(best);
  part.reset(shown.whole?.sentences[0].caption);
  corrections.offer(shown, best.caption);
  mention.tell(best.things, shown.words);
  warnings.textContent = notes(best);
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
  corrections.offer(shown, sentence.caption);
  say(spoken(sentence));
});

// ---- Downloading and copying ---------------------------------------------------------------

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
    say(`Downloaded ${name}.`);
  } catch (error) {
    if (error.name !== "AbortError") complain(error.message);
  }
  button.ariaBusy = "false";
}

copyButton.addEventListener("click", () => {
  const text = shown.sentences[chosen()].caption;
  copy(text, copyButton, `Copied: ${text}.`);
});
