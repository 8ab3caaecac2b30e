// Input of photographs: chosen, dropped, pasted, or one of the samples.
//
// A photograph is { name, blob }. In a dropped folder, the name includes the path.

import { sample } from "./api.js";
import { complain } from "./state.js";

const file = document.getElementById("file");
const endings = file.accept.split(",").slice(1); // the extensions follow image/*

const named = (blob) => ({ name: blob.name, blob });

let turns = 0; // number of inputs so far

// Call `receive` with a list of photographs for each input.
export function listen(receive) {
  // Only the latest input counts; an earlier one that is still loading is dropped.
  async function take(coming) {
    const turn = ++turns;
    try {
      const photographs = await coming;
      if (turn === turns && photographs.length) receive(photographs);
    } catch (error) {
      if (turn === turns) complain(`This could not be opened. ${error.message}`);
    }
  }

  file.addEventListener("change", () => {
    const chosen = [...file.files].map(named);
    file.value = ""; // so that the same file can be chosen again
    take(chosen);
  });

  document.addEventListener("paste", ({ clipboardData }) => {
    if (clipboardData.files.length) take([...clipboardData.files].map(named));
  });

  document.addEventListener("dragover", (event) => {
    if (!isOurs(event)) return;
    event.preventDefault();
    document.body.classList.add("dropping");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) document.body.classList.remove("dropping");
  });
  document.addEventListener("drop", (event) => {
    document.body.classList.remove("dropping");
    if (!isOurs(event)) return;
    event.preventDefault();
    take(unpack(event.dataTransfer));
  });

  document.getElementById("samples").addEventListener("click", ({ target }) => {
    const address = target.closest("[data-sample]")?.dataset.sample;
    if (address) take(fetchSample(address));
  });
}

// Return whether to handle a drag: files, and links, for which there is an error message. Text that
// is dragged within a text field is left to the browser.
function isOurs({ dataTransfer, target }) {
  const { types } = dataTransfer;
  return types.includes("Files") || (types.includes("text/uri-list") && !target.closest("textarea"));
}

async function fetchSample(address) {
  return [{ name: address.replace(/^.*\//, ""), blob: await sample(address) }];
}

// ---- Dropped folders -----------------------------------------------------------------------

async function unpack({ files, items }) {
  if (!files.length) throw new Error("Drop the file itself, not a link to it.");
  const entries = [...items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) return [...files].map(named);
  const found = (await Promise.all(entries.map(walk))).flat();
  if (!found.length) throw new Error("This folder contains no photographs.");
  return found;
}

// Return the photographs in a dropped entry; other files in folders are skipped.
async function walk(entry) {
  if (entry.isFile) {
    const blob = await new Promise((resolve, reject) => entry.file(resolve, reject));
    return [{ name: entry.fullPath.slice(1), blob }];
  }
  const found = [];
  for (const inside of await list(entry)) {
    if (inside.isDirectory || isReadable(inside.name)) found.push(...(await walk(inside)));
  }
  return found;
}

function isReadable(name) {
  return !name.startsWith(".") && endings.some((ending) => name.toLowerCase().endsWith(ending));
}

// List a folder, which returns its entries in parts of about a hundred.
async function list(folder) {
  const reader = folder.createReader();
  const entries = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
    entries.push(...some);
  }
}
