// The server's JSON interface, as far as the page needs it.

import { pause } from "./state.js";

const intake = document.getElementById("form");
const LIMIT = Number(intake.dataset.maxBytes);
const PATIENCE = 60; // times that a busy server is asked again

// A refusal in words; `passing` when the same question may be answered later.
export class Refusal extends Error {
  constructor(message, { passing = false } = {}) {
    super(message);
    this.passing = passing;
  }
}

// The caption of a photograph, a Blob; `options` are the parameters of the interface.
export const caption = (photograph, options, signal) =>
  post("captions", "json", photograph, options, signal);

// Its figure ("figures", a PNG), its animation ("animations", a GIF) or itself, smaller
// ("previews", a JPEG) as a Blob.
export const drawing = (kind, photograph, options, signal) =>
  post(kind, "blob", photograph, options, signal);

// Let the server keep what a person says of a photograph.
export const correct = (photograph, caption) =>
  post("corrections", "json", photograph, { caption });

// One of the pictures that the page offers, a Blob.
export async function sample(address) {
  const response = await fetch(address).catch(gone);
  if (!response.ok) throw await refusal(response);
  return response.blob();
}

async function post(kind, form, photograph, options, signal) {
  if (!photograph.size) throw new Refusal("This file is empty.");
  if (photograph.size > LIMIT) {
    throw new Refusal(`This file is larger than ${LIMIT / 2 ** 20} MB, the upload limit.`);
  }
  const url = new URL(kind, intake.action); // beside the one that the form itself posts to
  url.search = new URLSearchParams(options);
  for (let attempt = 1; ; attempt++) {
    const response = await fetch(url, { method: "POST", body: photograph, signal }).catch(gone);
    if (response.ok) return response[form]().catch(gone);
    const wait = response.headers.get("Retry-After");
    if (!wait || attempt === PATIENCE) throw await refusal(response);
    await pause(1000 * wait, signal);
  }
}

function gone(error) {
  if (error.name === "AbortError") throw error;
  throw new Refusal("The server is not responding. Check that showtell is running.", { passing: true });
}

async function refusal(response) {
  const problem = await response.json().catch(() => ({}));
  const message = problem.detail ?? `The server returned HTTP status ${response.status}.`;
  return new Refusal(message, { passing: response.status >= 500 });
}
