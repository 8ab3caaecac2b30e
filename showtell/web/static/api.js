// Client of the server's HTTP API.

import { pause } from "./state.js";

const intake = document.getElementById("form");
const LIMIT = Number(intake.dataset.maxBytes);
const PATIENCE = 60; // maximum number of attempts while the server is busy

// An error with a message for the visitor; `passing` if the same request may succeed later.
export class Refusal extends Error {
  constructor(message, { passing = false } = {}) {
    super(message);
    this.passing = passing;
  }
}

// Return the caption of a photograph, a Blob; `options` are the parameters of the API.
export const caption = (photograph, options, signal) =>
  post("captions", "json", photograph, options, signal);

// Return a drawing of a photograph as a Blob: its figure ("figures", a PNG), its animation
// ("animations", a GIF) or a smaller copy ("previews", a JPEG).
export const drawing = (kind, photograph, options, signal) =>
  post(kind, "blob", photograph, options, signal);

// Save a corrected caption on the server.
export const correct = (photograph, caption) =>
  post("corrections", "json", photograph, { caption });

// Return a sample photograph as a Blob.
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
  const url = new URL(kind, intake.action); // relative to the form's own address
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
