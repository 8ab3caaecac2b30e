// A photograph as the server sees it: upright, on white, its first frame.

import { drawing } from "./api.js";

// Decode a photograph to a canvas whose longer side has `side` pixels at most, or to null; of its
// `region` that part alone. What the browser cannot decode, the server may.
export async function decode(photograph, side, region) {
  const bitmap = await createImageBitmap(photograph)
    .catch(async () => createImageBitmap(await drawing("previews", photograph)))
    .catch(() => null); // neither can, as whoever asks for the caption will hear
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
