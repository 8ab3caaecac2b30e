// Photographs in, captions out: what showtell/captioner.py does, told as its to_dict tells it.

import { beamSearch, sum } from "./decoding.js";

// Six decimals, as the server tells them.
const rounded = (values) => Array.from(values, (value) => Math.round(value * 1e6) / 1e6);

export class Captioner {
  // `runtime` runs the graphs of a bundle, of which `manifest` and `vocabulary` are told.
  constructor(runtime, manifest, vocabulary) {
    Object.assign(this, { runtime, manifest, vocabulary });
  }

  // The caption of a photograph, RGB (size * size * 3 bytes); options as for `decode`.
  async caption(pixels, options) {
    return this.decode(await this.runtime.encode(pixels), options);
  }

  // The caption of an encoded photograph, and what else the beam search found. `beam` is the width
  // of the search, `maxLength` words are the most.
  async decode(state, { beam, maxLength }) {
    const found = await beamSearch(this.runtime, state, { beam, maxLength });
    const [best, ...alternatives] = found.map((hypothesis) => this.#sentence(hypothesis));
    const { grid, name: model } = this.manifest;
    return { image: null, ...best, grid, model, warnings: [], alternatives };
  }

  #sentence({ words: ids, logprobs, alphas, betas }) {
    const words = ids.map((id) => this.vocabulary[id]);
    const n = words.length; // what belongs to the end is not told
    return {
      caption: words.join(" ").replace(/ (?='|n't\b)/g, ""),
      words,
      logprob: sum(logprobs),
      confidence: Math.exp(sum(logprobs) / logprobs.length),
      probabilities: rounded(logprobs.slice(0, n).map(Math.exp)),
      gates: rounded(betas.slice(0, n)),
      attention: alphas.slice(0, n).map(rounded),
    };
  }
}
