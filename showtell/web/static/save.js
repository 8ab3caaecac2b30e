// Files that the visitor takes away.

// Offer a Blob as a download.
export function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // some browsers fetch it late
}

export const saveJson = (value, name) =>
  save(new Blob([JSON.stringify(value, null, 2) + "\n"], { type: "application/json" }), name);

// Save rows (objects) as CSV by RFC 4180: these columns, text in quotes, and at the start the mark
// by which Excel knows UTF-8.
export function saveCsv(rows, columns, name) {
  const lines = [columns, ...rows.map((row) => columns.map((column) => row[column]))];
  const text = lines.map((line) => line.map(cell).join(",") + "\r\n").join("");
  save(new Blob(["\ufeff", text], { type: "text/csv" }), name);
}

// Text that a spreadsheet would take for a formula gets an apostrophe, so that a file's name can do
// nothing there; in JSON it stays as it is.
export const forSpreadsheet = (text) => text.replace(/^[=+\-@\t\r]/, "'$&");

const cell = (value) =>
  typeof value === "string" ? `"${forSpreadsheet(value).replaceAll('"', '""')}"` : (value ?? "");

// The name of a file without its folders and its extension.
export const stem = (name) => name.replace(/^.*\//, "").replace(/(.)\.[^.]*$/, "$1");
