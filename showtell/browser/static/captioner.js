// Photographs in, captions out: what showtell/captioner.py does, told as its to_dict tells it.

import { Calibration } from "./calibration.js";
import { beamSearch, sum } from "./decoding.js";
import { asked, missing } from "./constraints.js";
import { Things } from "./things.js";

// Six decimals, as the server tells them.
const round = (value) => Math.round(value * 1e6) / 1e6;
const rounded = (values) => Array.from(values, round);

export class Captioner {
  // `runtime` runs the graphs of a bundle, of which `manifest` and `vocabulary` are told, and as
  // `constants` what showtell/browser/build.py writes of it.
  constructor(runtime, manifest, vocabulary, constants) {
    Object.assign(this, { runtime, manifest, vocabulary, constants });
    const { doubt, things, function_words: joining } = constants;
    this.ids = new Map(vocabulary.map((word, id) => [word, id]));
    this.calibration = doubt && new Calibration(doubt, joining);
    this.things = things && new Things(things, constants);
  }

  // The caption of a photograph, RGB (size * size * 3 bytes); options as for `decode`.
  async caption(pixels, options) {
    return this.decode(await this.runtime.encode(pixels), options);
  }

  // The caption of an encoded photograph, and what else the beam search found. `beam` is the width
  // of the search, `maxLength` words are the most, and each word of `mention` is mentioned.
  async decode(encoded, options) {
    const found = await this.#search(encoded, options);
    const sentences = found.map((hypothesis) => this.#sentence(encoded, hypothesis));
    const [best, ...alternatives] = sentences;
    const { grid, name: model } = this.manifest;
    const doubt = this.#doubt(encoded, best);
    return { image: null, ...best, grid, model, ...doubt, things: this.#seen(encoded), alternatives };
  }

  // The hypotheses, the best first. Where nobody asked for words, a thing that is certain and that
  // the caption does not mention makes the search run once more, for captions that do.
  async #search({ state, things: seen }, { beam, maxLength, mention = [] }) {
    const { ids, things, constants: { certain, mentions } } = this;
    if (mention.length > mentions.most) throw new Error(mentions.refusal);
    const sets = asked(mention, ids, things);
    const found = await beamSearch(this.runtime, state, { beam, maxLength, mention: sets });
    if (sets.length || !things || !seen) return found;
    const lacks = missing(seen, this.#words(found[0]), ids, { things, certain });
    if (!lacks.length) return found;
    return beamSearch(this.runtime, state, { beam, maxLength, mention: lacks });
  }

  #words({ words }) {
    return words.map((id) => this.vocabulary[id]);
  }

  #sentence({ things: seen }, hypothesis) {
    const { logprobs, alphas, betas } = hypothesis;
    const words = this.#words(hypothesis);
    const n = words.length; // what belongs to the end is not told
    const [probabilities, gates] = [logprobs.slice(0, n).map(Math.exp), betas.slice(0, n)];
    const logprob = sum(logprobs);
    let [confidences, confidence] = [probabilities, Math.exp(logprob / logprobs.length)];
    if (this.calibration) {
      const evidence = this.things && seen ? this.things.evidence(words, seen) : null;
      confidences = this.calibration.confidences({ words, probabilities, gates, logprob }, evidence);
      confidence = this.calibration.ofCaption(words, confidences);
    }
    return {
      caption: words.join(" ").replace(/ (?='|n't\b)/g, ""),
      words,
      logprob,
      confidence,
      probabilities: rounded(probabilities),
      gates: rounded(gates),
      confidences: rounded(confidences),
      attention: alphas.slice(0, n).map(rounded),
    };
  }

  // Whether the caption is probably wrong, and a sentence that says so.
  #doubt({ state }, { confidence }) {
    if (!this.calibration) return { unsure: null, warnings: [] };
    const strange = this.calibration.isStrange(state.annotations.data);
    const unsure = strange || confidence < this.calibration.least;
    const { strange: unlike, unsure: unlikely } = this.constants.warnings;
    return { unsure, warnings: unsure ? [strange ? unlike : unlikely] : [] };
  }

  #seen({ things, places }) {
    if (!this.things || !things) return [];
    return this.things.seen(things, places).map(({ name, probability, attention }) => ({
      name,
      probability: round(probability),
      attention: rounded(attention),
    }));
  }
}
