// Decodes photographs as the server does: upright, on white, only the first frame.

import { drawing } from "./api.js";

// Decode a photograph, or its `region`, to a canvas with at most `side` pixels on the longer side.
// If the browser cannot decode it, ask the server; return null if neither can.
export async function decode(photograph, side, region) {
  const bitmap = await createImageBitmap(photograph)
    .catch(async () => createImageBitmap(await drawing("previews", photograph)))
    .catch(() => null); // the request for the caption reports the reason
  if (!bitmap) return null;
  const [left, top, right, bottom] = region ?? [0, 0, bitmap.width, bitmap.height];
  const [width, height] = [right - left, bottom - top];
  const scale = Math.min(1, side / Math.max(width, height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(scale * width));
  canvas.height = Math.max(1, Math.round(scale * height));
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, left, top, width, height, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return canvas;
}
