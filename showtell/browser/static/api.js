// In the place of the server's interface: a worker on this machine that captions.

import { complain, say } from "./state.js";

const [progress, took] = ["loading", "took"].map((id) => document.getElementById(id));
const worker = new Worker("worker.js", { type: "module" });
const waiting = new Map(); // from the number of a question to those who settle its promise

// Fetched at once, as there may be no network later.
const samples = new Map(
  Array.from(document.querySelectorAll("[data-sample]"), ({ dataset }) => [
    dataset.sample,
    fetch(dataset.sample).then((response) => response.blob()).catch(() => null),
  ]),
);

let questions = 0;
let failure = null; // why there is no model

// The caption of a photograph, a Blob, or of a region of it, as the server's interface would tell it;
// the options are parameters of that interface.
export function caption(photograph, { beam, max_length: maxLength, region, mention }, signal) {
  const id = ++questions;
  return new Promise((resolve, reject) => {
    if (failure) return reject(failure);
    signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
    waiting.set(id, { resolve, reject });
    const words = mention ? mention.split(",") : [];
    const options = { beam: Number(beam), maxLength: Number(maxLength), mention: words };
    worker.postMessage({ id, photograph, region, options });
  });
}

// Nobody draws here; the server's interface does.
export const drawing = async () => {
  throw new Error("Figures and animations need a server.");
};

// One of the pictures that the page offers, a Blob.
export async function sample(address) {
  const blob = await samples.get(address);
  if (!blob) throw new Error("This sample could not be loaded. Reload the page.");
  return blob;
}

worker.addEventListener("message", ({ data }) => {
  if (data.loaded) progress.firstElementChild.value = data.loaded;
  else if (data.ready) arrive();
  else if (data.failed) fail(data.failed);
  else settle(data);
});
// As when a module of the worker's did not come.
worker.addEventListener("error", ({ message }) => fail(message || "a file is missing"));

function arrive() {
  progress.hidden = true;
  say("Model loaded.");
}

function fail(reason) {
  progress.hidden = true;
  failure = new Error(`The model could not be loaded: ${reason}. Reload the page.`);
  for (const { reject } of waiting.values()) reject(failure);
  waiting.clear();
  complain(failure.message);
}

function settle({ id, answer, refusal }) {
  if (failure) return; // of which everyone was told
  const { resolve, reject } = waiting.get(id);
  waiting.delete(id);
  if (refusal) return reject(new Error(refusal));
  const { seconds, ...caption } = answer;
  took.textContent = `Captioned in ${seconds.toFixed(2)} s on this device.`;
  resolve(caption);
}
