// One photograph: asked for, told, and taken away.

import * as api from "./api.js";
import * as figure from "./figure.js";
import * as player from "./player.js";
import { save, saveJson, stem } from "./save.js";
import { options } from "./settings.js";
import { complain, enter, say } from "./state.js";

const [others, other, copy, take] = ["others", "other", "copy", "take"].map((id) =>
  document.getElementById(id),
);
const still = matchMedia("(prefers-reduced-motion: reduce)");

let photograph; // { name, blob }
let asked; // the options that its captions were asked with
let sentences = []; // its caption, and what else the beam search found
let asking = new AbortController();

// Show a photograph, and its caption as soon as the server has found it; throws its refusal.
export async function open(next) {
  close();
  const { signal } = asking;
  photograph = next;
  asked = options();
  enter("busy");
  say("Looking at the photograph…");
  const hung = figure.hang(photograph.blob);
  try {
    const answer = await api.caption(photograph.blob, { ...asked, alternatives: true }, signal);
    await hung;
    if (!signal.aborted) tell(answer);
  } catch (error) {
    if (signal.aborted) return;
    close();
    throw error;
  }
}

export const shown = () => photograph;

// Take the photograph down.
export function close() {
  asking.abort();
  asking = new AbortController();
  player.stop();
  figure.clear();
  say("");
}

function tell({ alternatives, ...best }) {
  sentences = [best, ...alternatives.map((sentence) => ({ ...best, ...sentence }))];
  others.replaceChildren(others.firstElementChild, ...sentences.map(line));
  enter("told");
  say(`Caption: ${best.caption}.`);
  figure.tell(best);
  if (!still.matches) player.play({ writing: true });
}

function line({ caption }, i) {
  const label = other.content.cloneNode(true).firstElementChild;
  const [radio, text] = label.children;
  Object.assign(radio, { value: i, checked: i === 0 });
  text.textContent = caption;
  return label;
}

const chosen = () => Number(others.querySelector(":checked").value);

others.addEventListener("change", () => {
  player.stop();
  figure.tell(sentences[chosen()]);
  say(`Caption: ${sentences[chosen()].caption}.`);
});

// ---- Take it away --------------------------------------------------------------------------

const DRAWINGS = { png: "figures", gif: "animations" };

take.addEventListener("click", async ({ target }) => {
  const form = target.dataset.save;
  if (!form) return;
  const name = `${stem(photograph.name)}.${form}`;
  if (form === "json") return saveJson({ ...sentences[chosen()], image: photograph.name }, name);
  target.ariaBusy = "true";
  complain("");
  try {
    const parameters = { ...asked, alternative: chosen() };
    save(await api.drawing(DRAWINGS[form], photograph.blob, parameters, asking.signal), name);
  } catch (error) {
    if (error.name !== "AbortError") complain(error.message);
  }
  target.ariaBusy = "false";
});

copy.addEventListener("click", async () => {
  const text = sentences[chosen()].caption;
  await write(text);
  say(`Copied: ${text}.`);
  copy.textContent = "Copied";
  setTimeout(() => (copy.textContent = "Copy"), 1500);
});

// Browsers keep the clipboard to https and to localhost; elsewhere there is the old way.
async function write(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}
