// Where photographs come from: chosen, dropped, pasted, or one of the samples.
//
// A photograph is { name, blob }; of a dropped folder the name says where in it.

import { complain } from "./state.js";

const file = document.getElementById("file");
const readable = /\.(jpe?g|png|webp|gif|tiff?|bmp|avif|hei[cf]|ppm)$/i;

const named = (blob) => ({ name: blob.name, blob });

// Call `receive` with a list of photographs whenever some come in.
export function listen(receive) {
  file.addEventListener("change", () => {
    const chosen = [...file.files].map(named);
    file.value = ""; // so that the same file can be chosen again
    if (chosen.length) receive(chosen);
  });

  document.addEventListener("paste", ({ clipboardData }) => {
    if (clipboardData.files.length) receive([...clipboardData.files].map(named));
  });

  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    document.body.classList.add("dropping");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) document.body.classList.remove("dropping");
  });
  document.addEventListener("drop", async (event) => {
    event.preventDefault();
    document.body.classList.remove("dropping");
    const dropped = await unpack(event.dataTransfer);
    if (dropped.length) receive(dropped);
    else complain("There was no photograph in that: drop the file itself, or a folder.");
  });

  document.getElementById("samples").addEventListener("click", async ({ target }) => {
    const address = target.closest("[data-sample]")?.dataset.sample;
    if (!address) return;
    const response = await fetch(address).catch(() => null);
    if (!response?.ok) complain("The server does not answer. Is showtell still running?");
    else receive([{ name: address.replace(/^.*\//, ""), blob: await response.blob() }]);
  });
}

// ---- Dropped folders -----------------------------------------------------------------------

async function unpack({ files, items }) {
  const entries = [...items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) return [...files].map(named);
  const found = await Promise.all(entries.map(walk));
  return found.flat();
}

// The photographs in an entry of a drop; what else lies in a folder is passed over.
async function walk(entry) {
  if (entry.isFile) {
    const blob = await new Promise((resolve, reject) => entry.file(resolve, reject));
    return [{ name: entry.fullPath.slice(1), blob }];
  }
  const found = [];
  for (const inside of await list(entry)) {
    if (inside.isDirectory || readable.test(inside.name)) found.push(...(await walk(inside)));
  }
  return found;
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
