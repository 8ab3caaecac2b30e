// A photograph as the input of a model, as showtell/image.py reads it: upright, on white, squashed.

// The browser may bring a photograph to this many sizes of the model before we squash it: what
// large ones cost is bounded so.
const ENOUGH = 4;

// Read a Blob, or a part of it (left, top, right and bottom in pixels of the upright photograph), as
// RGB (size * size * 3 bytes); an Error says what is wrong with it.
export async function read(photograph, size, region) {
  if (!photograph.size) throw new Error("This file is empty.");
  const bitmap = await createImageBitmap(photograph).catch(() => {
    throw new Error(
      "Your browser cannot read this file as a photograph. Most browsers read JPEG, PNG, WebP, GIF, " +
        "AVIF and BMP; save other formats as JPEG first. The file may also be damaged or too large.",
    );
  });
  const [left, top, right, bottom] = region ?? [0, 0, bitmap.width, bitmap.height];
  const width = Math.min(right - left, ENOUGH * size);
  const height = Math.min(bottom - top, ENOUGH * size);
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  context.fillStyle = "#fff";
  context.fillRect(0, 0, width, height);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, left, top, right - left, bottom - top, 0, 0, width, height);
  bitmap.close();
  const { data } = context.getImageData(0, 0, width, height);
  return squash(data, width, height, size);
}

// Squash RGBA to RGB by the filter of Pillow's bicubic resampling. Browsers' own filters differ
// from it, and from each other, so much that the captions would often be others. (Pillow may begin
// with the height, which shows where values are cut off at black and white.)
export const squash = (rgba, width, height, size) =>
  squeeze(squeeze(rgba, 4, width, height, size), 3, height, size, size);

// Resample lines to `size` pixels each, of `channels` the first three, and turn lines to columns.
function squeeze(data, channels, width, height, size) {
  const turned = new Uint8ClampedArray(size * height * 3);
  filter(width, size).forEach(({ first, weights }, x) => {
    for (let y = 0; y < height; y++) {
      const from = (y * width + first) * channels;
      for (let channel = 0; channel < 3; channel++) {
        let value = 0;
        for (let i = 0; i < weights.length; i++) {
          value += weights[i] * data[from + i * channels + channel];
        }
        turned[(x * height + y) * 3 + channel] = value;
      }
    }
  });
  return turned;
}

// For each of `to` pixels, which of `from` it is made of: from the first on, with these weights.
function filter(from, to) {
  const scale = from / to;
  const blur = Math.max(scale, 1); // so that nothing is left out of a picture that gets smaller
  return Array.from({ length: to }, (_, pixel) => {
    const centre = (pixel + 0.5) * scale;
    const first = Math.max(0, Math.floor(centre - 2 * blur + 0.5));
    const end = Math.min(from, Math.floor(centre + 2 * blur + 0.5));
    const at = Array.from({ length: end - first }, (_, i) => first + i + 0.5 - centre);
    const weights = at.map((distance) => cubic(Math.abs(distance) / blur));
    const sum = weights.reduce((a, b) => a + b);
    return { first, weights: weights.map((weight) => weight / sum) };
  });
}

// The cubic kernel with a = -1/2 (Keys, 1981).
function cubic(x) {
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
}
