// From the model's small grid of attention to light on a photograph.

const DETAIL = 8; // pixels of light along each side of a cell of the grid
const SHADE = 0.8; // how dark a place is where the model did not look
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

// Scale a map (rows * cols numbers) up to a light (rows * cols * DETAIL² numbers, 0..1).
export function upsample(map, [rows, cols]) {
  const down = weights(rows);
  const across = weights(cols);
  const lines = Array.from({ length: rows }, (_, r) => {
    const line = map.slice(r * cols, (r + 1) * cols);
    return across.map((row) => dot(row, line));
  });
  const light = down.flatMap((row) =>
    across.map((_, x) => row.reduce((sum, weight, r) => sum + weight * lines[r][x], 0)),
  );
  const peak = Math.max(...light);
  return light.map((value) => value / peak);
}

// The light that falls on all of a photograph.
export const everywhere = ([rows, cols]) => new Array(rows * cols * DETAIL ** 2).fill(1);

// Shade a canvas, made as small as the light is, where there is no light.
export function paint(canvas, light, [rows, cols]) {
  canvas.width = cols * DETAIL;
  canvas.height = rows * DETAIL;
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(canvas.width, canvas.height);
  light.forEach((value, i) => {
    pixels.data[4 * i + 3] = 255 * SHADE * (1 - value);
  });
  context.putImageData(pixels, 0, 0);
  return canvas;
}

// Say in words where a map is brightest, for those who cannot see it.
export function whereabouts(map, [rows, cols]) {
  const brightest = map.indexOf(Math.max(...map));
  const third = (i, n) => Math.floor((3 * (i + 0.5)) / n);
  const down = ["top", "middle", "bottom"][third(Math.floor(brightest / cols), rows)];
  const across = ["left", "centre", "right"][third(brightest % cols, cols)];
  return `${down} ${across}`;
}
