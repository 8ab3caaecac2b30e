// Reads a photograph as input of the model, as showtell/image.py does: upright, on white, resized to
// a square.

// The browser first reduces larger photographs to this multiple of the model's size, which limits
// the time for large ones.
const ENOUGH = 4;

// Read a Blob, or a region of it (left, top, right and bottom in pixels of the upright photograph),
// as RGB (size * size * 3 bytes). Throws an Error if it cannot be read.
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

// Resize RGBA to RGB with the filter of Pillow's bicubic resampling. Browsers have other filters,
// which differ so much that the captions would often change. (Pillow may resize the height first,
// so results can differ where values are clipped.)
export const squash = (rgba, width, height, size) =>
  squeeze(squeeze(rgba, 4, width, height, size), 3, height, size, size);

// Resample each line to `size` pixels, keep three of the `channels`, and transpose the result.
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

// Return, for each of `to` output pixels, the first of the `from` input pixels and the weights.
function filter(from, to) {
  const scale = from / to;
  const blur = Math.max(scale, 1); // when reducing, the filter covers all input pixels
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
