// From the model's small grid of attention to light on a photograph.

const DETAIL = 8; // pixels of light along each side of a cell of the grid
const BLUR = 20 / 224; // of the side: the Gaussian of the paper's figures

// Weights, one row for each of n * DETAIL pixels, of the n cells along one side.
function weights(n) {
  const sigma = Math.max(BLUR * n, 0.5); // or the cells of coarse grids would show as blocks
  return Array.from({ length: n * DETAIL }, (_, pixel) => {
    const at = (pixel + 0.5) / DETAIL - 0.5;
    const row = Array.from({ length: n }, (_, cell) => Math.exp(-(((at - cell) / sigma) ** 2) / 2));
    const sum = row.reduce((a, b) => a + b);
    return row.map((weight) => weight / sum);
  });
}

const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);

// On its own scale, so that the brightest place of every map is 1.
function normalised(values) {
  const peak = Math.max(...values);
  return values.map((value) => value / peak);
}

// A map of attention (rows * cols weights) as light that falls softly.
function upsample(map, [rows, cols]) {
  const across = weights(cols);
  const lines = Array.from({ length: rows }, (_, r) => {
    const line = map.slice(r * cols, (r + 1) * cols);
    return across.map((row) => dot(row, line));
  });
  const values = weights(rows).flatMap((row) =>
    across.map((_, x) => row.reduce((sum, weight, r) => sum + weight * lines[r][x], 0)),
  );
  return { values: normalised(values), width: cols * DETAIL, height: rows * DETAIL };
}

// The light of a map: upsampled, or cell by cell on the grid that the model itself has.
export function lightOf(map, grid, ownGrid) {
  if (!ownGrid) return upsample(map, grid);
  return { values: normalised(map), width: grid[1], height: grid[0] };
}

// The light on its way from one map to another, t from 0 to 1.
export function between(from, to, t) {
  if (from.width !== to.width) return to;
  return { ...to, values: to.values.map((value, i) => from.values[i] + (value - from.values[i]) * t) };
}

// Paint a canvas, made as small as the light is: `colour` gives red, green, blue and opacity.
function paint(canvas, { values, width, height }, colour) {
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(width, height);
  values.forEach((value, i) => pixels.data.set(colour(value), 4 * i));
  context.putImageData(pixels, 0, 0);
  return canvas;
}

// What `attention.overlay` does in Python, as two layers over a photograph. The first, blended by
// its saturation, takes the colour away where there is no light.
const paintGrey = (canvas, light) =>
  paint(canvas, light, (value) => [128, 128, 128, (255 * 0.16 * (1 - value)) / (0.2 + 0.55 * value)]);

// The second leaves a fifth of the brightness there, and brings what is in the light a little
// nearer to white than it was, so that it shows on dark photographs as well.
const paintDusk = (canvas, light) =>
  paint(canvas, light, (value) => {
    const opacity = 0.8 - 0.55 * value;
    const grey = (63.75 * value) / opacity;
    return [grey, grey, grey, 255 * opacity];
  });

// The layers over a photograph, from below, with the way in which each is blended.
export const LAYERS = [
  [paintGrey, "saturation"],
  [paintDusk, "source-over"],
];

// The light as a heat-map: black, red, amber, white.
export const paintHeat = (canvas, light) =>
  paint(canvas, light, (v) => [510 * v, 510 * v - 128, 510 * v - 255, 255]);

// Say in words where a light is brightest, for those who cannot see it.
export function whereabouts({ values, width, height }) {
  const brightest = values.indexOf(1); // of normalised values, the peak
  const third = (i, n) => Math.floor((3 * (i + 0.5)) / n);
  const down = ["top", "middle", "bottom"][third(Math.floor(brightest / width), height)];
  const across = ["left", "centre", "right"][third(brightest % width, width)];
  return `${down} ${across}`.replace("middle centre", "centre");
}
