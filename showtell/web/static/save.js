// Downloads of files.

// Offer a Blob as a download.
export function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // some browsers read it late
}

export const saveJson = (value, name) =>
  save(new Blob([JSON.stringify(value, null, 2) + "\n"], { type: "application/json" }), name);

// Save rows (objects) as CSV (RFC 4180) with these columns. All text is quoted, and a byte order
// mark lets Excel recognise UTF-8.
export function saveCsv(rows, columns, name) {
  const lines = [columns, ...rows.map((row) => columns.map((column) => row[column]))];
  const text = lines.map((line) => line.map(cell).join(",") + "\r\n").join("");
  save(new Blob(["\ufeff", text], { type: "text/csv" }), name);
}

// Put an apostrophe before text that a spreadsheet would read as a formula, as file names may
// contain anything.
export const forSpreadsheet = (text) => text.replace(/^[=+\-@\t\r]/, "'$&");

const cell = (value) =>
  typeof value === "string" ? `"${forSpreadsheet(value).replaceAll('"', '""')}"` : (value ?? "");

// Return the name of a file without its folders and its extension.
export const stem = (name) => name.replace(/^.*\//, "").replace(/(.)\.[^.]*$/, "$1");
