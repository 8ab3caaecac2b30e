// Where photographs come from: chosen, dropped, pasted, or one of the samples.
//
// A photograph is { name, blob }; of a dropped folder the name says where in it.

import { sample } from "./api.js";
import { complain } from "./state.js";

const file = document.getElementById("file");
const endings = file.accept.split(",").slice(1); // behind image/*, those of the server's list

const named = (blob) => ({ name: blob.name, blob });

let turns = 0; // times that photographs were on their way

// Call `receive` with a list of photographs whenever some come in.
export function listen(receive) {
  // What takes a while to come is dropped when something else comes meanwhile.
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

// Files are ours, and links, of which we say that they are not; words dragged in a text are not.
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

// The photographs in an entry of a drop; what else lies in a folder is passed over.
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

// A folder tells its entries a hundred or so at a time.
async function list(folder) {
  const reader = folder.createReader();
  const entries = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
    entries.push(...some);
  }
}
