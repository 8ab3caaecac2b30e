// Draws attention maps over a photograph. A "light" is an upsampled map: the photograph is bright
// where the attention is high.

const DETAIL = 8; // pixels of the light per side of a cell
const BLUR = 20 / 224; // standard deviation of the paper's Gaussian, relative to the side

// Return the weights of the n cells along one side, one row for each of n * DETAIL pixels.
function weights(n) {
  const sigma = Math.max(BLUR * n, 0.5); // otherwise the cells of coarse grids show as blocks
  return Array.from({ length: n * DETAIL }, (_, pixel) => {
    const at = (pixel + 0.5) / DETAIL - 0.5;
    const row = Array.from({ length: n }, (_, cell) => Math.exp(-(((at - cell) / sigma) ** 2) / 2));
    const sum = row.reduce((a, b) => a + b);
    return row.map((weight) => weight / sum);
  });
}

const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);

// Scale values so that their maximum is 1.
function normalised(values) {
  const peak = Math.max(...values);
  return values.map((value) => value / peak);
}

// Upsample a map (rows * cols weights) with a Gaussian.
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

// Return the light of a map: upsampled, or with `ownGrid` one value per cell of the grid.
export function lightOf(map, grid, ownGrid) {
  if (!ownGrid) return upsample(map, grid);
  return { values: normalised(map), width: grid[1], height: grid[0] };
}

// Interpolate between two lights, t from 0 to 1.
export function between(from, to, t) {
  if (from.width !== to.width) return to;
  return { ...to, values: to.values.map((value, i) => from.values[i] + (value - from.values[i]) * t) };
}

// Paint a canvas of the light's size; `colour` returns red, green, blue and opacity for a value.
function paint(canvas, { values, width, height }, colour) {
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(width, height);
  values.forEach((value, i) => pixels.data.set(colour(value), 4 * i));
  context.putImageData(pixels, 0, 0);
  return canvas;
}

// The overlay of showtell/attention.py, as two layers over a photograph. The first is blended with
// the mode "saturation" and removes the colour where the light is low.
const paintGrey = (canvas, light) =>
  paint(canvas, light, (value) => [128, 128, 128, (255 * 0.16 * (1 - value)) / (0.2 + 0.55 * value)]);

// The second reduces the brightness to a fifth there. Where the light is high, it makes the
// photograph slightly brighter, so that the map is visible on dark photographs too.
const paintDusk = (canvas, light) =>
  paint(canvas, light, (value) => {
    const opacity = 0.8 - 0.55 * value;
    const grey = (63.75 * value) / opacity;
    return [grey, grey, grey, 255 * opacity];
  });

// The layers over a photograph, from bottom to top, with their blend modes.
export const LAYERS = [
  [paintGrey, "saturation"],
  [paintDusk, "source-over"],
];

// Paint the light as a heat map: black, red, amber, white.
export const paintHeat = (canvas, light) =>
  paint(canvas, light, (v) => [510 * v, 510 * v - 128, 510 * v - 255, 255]);

// Describe where a light is brightest, for screen readers.
export function whereabouts({ values, width, height }) {
  const brightest = values.indexOf(1); // the maximum of normalised values
  const third = (i, n) => Math.floor((3 * (i + 0.5)) / n);
  const down = ["top", "middle", "bottom"][third(Math.floor(brightest / width), height)];
  const across = ["left", "centre", "right"][third(brightest % width, width)];
  return `${down} ${across}`.replace("middle centre", "centre");
}
