// Several photographs: a table of captions that can be edited, copied and downloaded.

import * as api from "./api.js";
import { copy } from "./clipboard.js";
import { areKept } from "./corrections.js";
import { inTable, notes } from "./doubt.js";
import { timeLeft } from "./pace.js";
import { decode } from "./picture.js";
import { forSpreadsheet, saveCsv, saveJson } from "./save.js";
import { options } from "./settings.js";
import { enter, say } from "./state.js";
import { undoWithin } from "./undo.js";

const AT_ONCE = 2; // maximum number of concurrent requests
const THUMBNAIL = 320; // pixels of a thumbnail's longer side
const COLUMNS = ["image", "caption", "edited", "confidence", "unsure", "warning", "model", "error"];

const [body, template, progress, left, go, keep, copyButton, clear, head, title] =
  ["rows", "row", "progress", "left", "go", "keep", "copy-all", "clear", "many-head",
    "many-title"].map((id) => document.getElementById(id));

let rows = []; // { photograph, element, answer, error, waiting, edited, unkept }
let asking = new AbortController();
let workers = 0;
let began; // when the workers started
let finished = 0; // rows finished since then
let unsaved = false; // whether there are edited captions that were not downloaded or saved
let outdated = false; // whether the settings have changed since
let opened = null; // the row whose photograph is shown alone

export const any = () => rows.length > 0;

// Add photographs to the table, and caption them.
export function add(photographs) {
  const added = photographs.map(makeRow);
  rows.push(...added);
  body.append(...added.map((row) => row.element));
  work();
}

function makeRow(photograph) {
  const element = template.content.cloneNode(true).firstElementChild;
  const row = { photograph, element, waiting: true };
  element.querySelector("span").textContent = photograph.name;
  element.querySelector("textarea").ariaLabel = `Caption of ${photograph.name}`;
  element.querySelector("textarea").addEventListener("input", ({ target }) => {
    unsaved = row.unkept = true;
    row.edited = target.value !== row.answer.caption;
    show();
  });
  element.querySelector("button").addEventListener("click", () => {
    opened = element;
    document.dispatchEvent(new CustomEvent("closer", { detail: photograph }));
  });
  return row;
}

// Return to the table, with the focus on the row that was shown alone.
export function comeBack() {
  opened?.querySelector("button").focus();
  opened = null;
}

// ---- Captioning ----------------------------------------------------------------------------

function work() {
  if (!workers) [began, finished] = [performance.now(), 0];
  while (workers < AT_ONCE && workers < rows.filter((row) => row.waiting).length) {
    workers++;
    captionNext(asking.signal).finally(() => {
      workers--;
      show();
      if (!workers && any()) say(`${summary()}.`);
    });
  }
  show();
}

async function captionNext(signal) {
  for (;;) {
    const row = rows.find((row) => row.waiting);
    if (!row || signal.aborted) return;
    row.waiting = false;
    await Promise.all([drawThumbnail(row), ask(row, signal)]);
    fill(row);
    finished++;
    show();
  }
}

async function ask(row, signal) {
  const parameters = { ...options(), attention: false };
  try {
    row.answer = await api.caption(row.photograph.blob, parameters, signal);
    row.error = undefined;
  } catch (error) {
    row.waiting = signal.aborted; // stopped by the visitor, so not an error
    row.error = signal.aborted ? undefined : error;
  }
}

// Show the result of a row; text that the visitor has entered meanwhile is kept.
function fill({ element, answer, error, edited }) {
  const text = element.querySelector("textarea");
  text.disabled = !answer;
  if (answer && !edited) text.value = answer.caption;
  const below = element.querySelector("p");
  below.textContent = error?.message ?? (answer ? notes(answer) : "");
  below.classList.toggle("wrong", Boolean(error));
  element.lastElementChild.textContent = answer ? inTable(answer) : "";
}

async function drawThumbnail({ element, photograph }) {
  const canvas = element.querySelector("canvas");
  const picture = await decode(photograph.blob, THUMBNAIL);
  if (!picture) return;
  [canvas.width, canvas.height] = [picture.width, picture.height];
  canvas.getContext("2d").drawImage(picture, 0, 0);
}

// ---- Progress ------------------------------------------------------------------------------

const again = (row) => row.waiting || row.error?.passing || (outdated && !row.edited);

function summary() {
  const done = rows.filter((row) => row.answer).length;
  const failed = rows.filter((row) => row.error && !row.answer).length;
  return `${done} of ${rows.length} captioned` + (failed ? `, ${failed} failed` : "");
}

function show() {
  title.textContent = summary();
  progress.max = rows.length;
  progress.value = rows.filter((row) => row.answer || row.error).length;
  progress.hidden = !workers;
  const waiting = rows.filter((row) => row.waiting).length;
  left.textContent = workers ? timeLeft(performance.now() - began, finished, waiting) : "";
  go.hidden = !workers && !rows.some(again);
  go.textContent = workers ? "Stop" : outdated ? "Caption again" : "Resume";
  keep.hidden = !areKept || !rows.some((row) => row.unkept);
}

// After a change of the settings, offer to caption again the rows that were not edited.
export function outdate() {
  outdated = any();
  show();
}

go.addEventListener("click", () => {
  if (workers) return asking.abort();
  asking = new AbortController();
  for (const row of rows) row.waiting = again(row);
  outdated = false;
  work();
});

// ---- Downloading and copying ---------------------------------------------------------------

function told({ photograph, element, answer, error, edited = false }) {
  if (!answer) return { image: photograph.name, error: error?.message ?? "not captioned yet" };
  const { confidence, unsure, model } = answer;
  const warning = answer.warnings.join("; "); // as in `showtell caption --out`
  const caption = element.querySelector("textarea").value;
  return { image: photograph.name, caption, edited, confidence, unsure, warning, model };
}

head.addEventListener("click", ({ target }) => {
  if (target.dataset.table === "csv") saveCsv(rows.map(told), COLUMNS, "captions.csv");
  else if (target.dataset.table === "json") saveJson(rows.map(told), "captions.json");
  else return;
  unsaved = false;
});

// One line per caption: the photograph's name, a tab and the caption, ready for a spreadsheet.
copyButton.addEventListener("click", () => {
  const captions = rows.filter((row) => row.answer).map(told);
  const lines = captions.map(({ image, caption }) =>
    [image, caption].map((text) => forSpreadsheet(text.replace(/\s+/g, " "))).join("\t"),
  );
  copy(lines.join("\n"), copyButton, `Copied ${captions.length} captions.`);
});

undoWithin(body);

// ---- Saving corrections on the server ------------------------------------------------------

keep.addEventListener("click", async () => {
  const edited = rows.filter((row) => row.unkept);
  for (const row of edited) await keepRow(row);
  const kept = edited.filter((row) => !row.unkept).length;
  unsaved &&= rows.some((row) => row.unkept);
  show();
  say(`${kept} of ${edited.length} edited captions saved.`);
});

async function keepRow(row) {
  const problem = row.element.querySelector("p");
  row.unkept = false; // edits from now on are saved the next time
  try {
    await api.correct(row.photograph.blob, row.element.querySelector("textarea").value);
    problem.textContent = "";
  } catch (error) {
    row.unkept = true;
    problem.textContent = error.message;
    problem.classList.add("wrong");
  }
}

clear.addEventListener("click", () => {
  if (unsaved && !confirm("Discard your edited captions?")) return;
  asking.abort();
  asking = new AbortController();
  rows = [];
  unsaved = outdated = false;
  body.replaceChildren();
  enter("empty");
  document.getElementById("file").focus();
});

addEventListener("beforeunload", (event) => {
  if (unsaved) event.preventDefault();
});
