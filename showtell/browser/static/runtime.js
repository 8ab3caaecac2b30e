// Runs a bundle's two graphs, the encoder and the decoder, on ONNX Runtime.

import { InferenceSession, Tensor, env } from "./ort/onnxruntime.js";

// "evidence" is the output of a word detector, in bundles that have one.
const STATE = ["annotations", "projected", "h", "c", "evidence"];
const THINGS = ["things", "places"];
// The tensors that differ by hypothesis, (1, k, n), and change with each word.
const CHANGING = ["h", "c", "evidence"];

export class Runtime {
  #encoder;
  #decoder;

  // Create a runtime from the bytes of ONNX Runtime's WebAssembly and of the two graphs.
  static async load(wasm, encoder, decoder) {
    env.wasm.wasmBinary = wasm;
    env.wasm.numThreads = 1; // more threads require headers that static servers do not send
    const options = { executionProviders: ["wasm"], logSeverityLevel: 3 };
    const runtime = new Runtime();
    runtime.#encoder = await InferenceSession.create(new Uint8Array(encoder), options);
    runtime.#decoder = await InferenceSession.create(new Uint8Array(decoder), options);
    return runtime;
  }

  // Encode a photograph, RGB (size * size * 3 bytes). Returns { state: before the first word, things:
  // the probability of each of T things, places: the same for each cell (L * T) }. Without a
  // classifier, things and places are undefined.
  async encode(pixels) {
    const size = Math.sqrt(pixels.length / 3);
    const images = new Tensor("uint8", pixels, [1, size, size, 3]);
    const given = new Set(this.#encoder.outputNames);
    const wanted = [...STATE, ...THINGS].filter((name) => given.has(name));
    const found = await this.#encoder.run({ images }, wanted);
    const { things, places, ...state } = found;
    return { state, things: things?.data, places: places?.data };
  }

  // Advance k hypotheses by their last words.
  async step(state, words) {
    const ids = BigInt64Array.from(words, BigInt);
    const feeds = { ...state, words: new Tensor("int64", ids, [1, words.length]) };
    const said = await this.#decoder.run(feeds);
    const [logprobs, alphas, betas] = [said.logprobs.data, said.alphas.data, said.betas.data];
    return { logprobs, alphas, betas, state: change(state, (_, name) => said[`next_${name}`]) };
  }

  // Return the state of the hypotheses `beams`.
  select(state, beams) {
    return change(state, (part) => rows(part, beams));
  }
}

// Return a state with `how` applied to the tensors that differ by hypothesis.
function change(state, how) {
  const there = CHANGING.filter((name) => name in state);
  return { ...state, ...Object.fromEntries(there.map((name) => [name, how(state[name], name)])) };
}

// Return some rows of a tensor (1, k, n).
function rows({ data, dims: [, , n] }, which) {
  const taken = new Float32Array(which.length * n);
  which.forEach((row, i) => taken.set(data.subarray(row * n, (row + 1) * n), i * n));
  return new Tensor("float32", taken, [1, which.length, n]);
}
