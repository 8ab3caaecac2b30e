// The page: a photograph is chosen or dropped, shown at once, sent, and its caption told.

import * as figure from "./figure.js";

const [form, file, problem, status] = ["form", "file", "problem", "status"].map((id) =>
  document.getElementById(id),
);
const button = form.querySelector(".button");

let asking = new AbortController(); // of the question that is being answered

async function open(photograph) {
  asking.abort();
  asking = new AbortController();
  const { signal } = asking;
  enter("busy", { looking: "Looking at the photograph…" });
  const hung = figure.hang(photograph);
  try {
    const answer = await ask(photograph, signal);
    await hung;
    if (signal.aborted) return;
    figure.tell(answer);
    enter("done", { looking: `Caption: ${answer.caption}.` });
  } catch (error) {
    if (signal.aborted) return;
    figure.clear();
    enter("empty", { wrong: error.message });
  }
}

function enter(state, { looking = "", wrong = "" }) {
  document.body.dataset.state = state;
  status.textContent = looking;
  problem.textContent = wrong;
  button.textContent = state === "empty" ? "Choose a photograph" : "Choose another";
}

async function ask(photograph, signal) {
  const limit = Number(form.dataset.maxBytes);
  if (photograph.size > limit) {
    throw new Error(`This file is larger than ${limit / 2 ** 20} MB, which is the limit.`);
  }
  const request = { method: "POST", body: photograph, signal };
  const response = await fetch(form.action, request).catch(() => {
    throw new Error("The server does not answer. Is showtell still running?");
  });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.detail ?? `The server answered ${response.status}.`);
  return answer;
}

file.addEventListener("change", () => {
  if (file.files.length) open(file.files[0]);
  file.value = ""; // so that the same file can be chosen again
});

document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => {
  event.preventDefault();
  if (event.dataTransfer.files.length) open(event.dataTransfer.files[0]);
});
