// Replaces the client of the HTTP API: a web worker captions the photographs.

import { complain, say } from "./state.js";

const [progress, took] = ["loading", "took"].map((id) => document.getElementById(id));
const worker = new Worker("worker.js", { type: "module" });
const waiting = new Map(); // request id -> { resolve, reject }

// Loaded at the start, as there may be no network later.
const samples = new Map(
  Array.from(document.querySelectorAll("[data-sample]"), ({ dataset }) => [
    dataset.sample,
    fetch(dataset.sample).then((response) => response.blob()).catch(() => null),
  ]),
);

let questions = 0;
let failure = null; // error of loading the model

// Return the caption of a photograph, a Blob, or of a region of it, in the format of the HTTP API.
// The options are parameters of the API.
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

// Only a server can draw figures and animations.
export const drawing = async () => {
  throw new Error("Figures and animations need a server.");
};

// Return a sample photograph as a Blob.
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
// For example, a module of the worker could not be loaded.
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
  if (failure) return; // all requests were rejected
  const { resolve, reject } = waiting.get(id);
  waiting.delete(id);
  if (refusal) return reject(new Error(refusal));
  const { seconds, ...caption } = answer;
  took.textContent = `Captioned in ${seconds.toFixed(2)} s on this device.`;
  resolve(caption);
}
