// Web worker that runs the model, so that the page stays responsive.
//
// Posts { loaded } with the number of bytes so far, then { ready } or { failed }. Receives { id,
// photograph, region, options } and posts { id, answer } or { id, refusal } in response.

import { Captioner } from "./captioner.js";
import { read } from "./image.js";
import { Runtime } from "./runtime.js";

let loaded = 0;

async function bytes(path) {
  const response = await fetch(path);
  if (!response.ok) throw new Error(`${path}: HTTP status ${response.status}`);
  const counted = new TransformStream({
    transform(chunk, out) {
      postMessage({ loaded: (loaded += chunk.length) });
      out.enqueue(chunk);
    },
  });
  return new Response(response.body.pipeThrough(counted)).arrayBuffer();
}

const json = async (path) => JSON.parse(new TextDecoder().decode(await bytes(path)));

async function load() {
  const [manifest, vocabulary, constants, ...binaries] = await Promise.all([
    json("model/manifest.json"),
    json("model/vocab.json"),
    json("constants.json"),
    bytes("ort/onnxruntime.wasm"),
    bytes("model/encoder.onnx"),
    bytes("model/decoder.onnx"),
  ]);
  return new Captioner(await Runtime.load(...binaries), manifest, vocabulary, constants);
}

const loading = load();
loading.then(
  () => postMessage({ ready: true }),
  (error) => postMessage({ failed: error.message }),
);

async function caption(photograph, region, options) {
  const captioner = await loading;
  const start = performance.now();
  const pixels = await read(photograph, captioner.manifest.image_size, region);
  const answer = await captioner.caption(pixels, options);
  return { ...answer, ...(region && { region }), seconds: (performance.now() - start) / 1000 };
}

let turn = loading; // settles when the previous photographs are finished

addEventListener("message", ({ data: { id, photograph, region, options } }) => {
  turn = turn
    .then(() => caption(photograph, region, options))
    .then(
      (answer) => postMessage({ id, answer }),
      (error) => postMessage({ id, refusal: error.message }),
    );
});
