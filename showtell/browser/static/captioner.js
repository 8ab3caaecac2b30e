// Captions photographs, as showtell/captioner.py does; captions have the format of their to_dict.

import { Calibration } from "./calibration.js";
import { beamSearch, sum } from "./decoding.js";
import { asked, missing } from "./constraints.js";
import { Things } from "./things.js";

// Round to six decimals, as the server does.
const round = (value) => Math.round(value * 1e6) / 1e6;
const rounded = (values) => Array.from(values, round);

export class Captioner {
  // `runtime` runs the graphs of a bundle, `manifest` and `vocabulary` are from the bundle, and
  // `constants` are those of showtell/browser/build.py.
  constructor(runtime, manifest, vocabulary, constants) {
    Object.assign(this, { runtime, manifest, vocabulary, constants });
    const { doubt, things, function_words: joining } = constants;
    this.ids = new Map(vocabulary.map((word, id) => [word, id]));
    this.calibration = doubt && new Calibration(doubt, joining);
    this.things = things && new Things(things, constants);
  }

  // Return the caption of a photograph, RGB (size * size * 3 bytes); options as for `decode`.
  async caption(pixels, options) {
    return this.decode(await this.runtime.encode(pixels), options);
  }

  // Return the caption of an encoded photograph, with its alternatives. Options: `beam`, the beam
  // width; `maxLength`, the maximum number of words; `mention`, the words to mention.
  async decode(encoded, options) {
    const found = await this.#search(encoded, options);
    const sentences = found.map((hypothesis) => this.#sentence(encoded, hypothesis));
    const [best, ...alternatives] = sentences;
    const { grid, name: model } = this.manifest;
    const doubt = this.#doubt(encoded, best);
    return { image: null, ...best, grid, model, ...doubt, things: this.#seen(encoded), alternatives };
  }

  // Return the hypotheses, best first. Without words to mention, the search runs again if the
  // classifier is certain of a thing that the best caption does not mention.
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

  #sentence(encoded, hypothesis) {
    const { logprobs, alphas, betas } = hypothesis;
    const words = this.#words(hypothesis);
    const n = words.length; // without the end-of-sentence token
    const [probabilities, gates] = [logprobs.slice(0, n).map(Math.exp), betas.slice(0, n)];
    const logprob = sum(logprobs);
    let [confidences, confidence] = [probabilities, Math.exp(logprob / logprobs.length)];
    if (this.calibration) {
      const evidence = this.#evidence(encoded, words);
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

  // Return the evidence of the classifier and the word detector for each word, four numbers per word;
  // 0 where the bundle has none.
  #evidence({ state, things: seen }, words) {
    const none = words.map(() => [0, 0, 0]);
    const classified = this.things && seen ? this.things.evidence(words, seen) : none;
    const detected = state.evidence?.data;
    return words.map((word, i) => [...classified[i], detected?.[this.ids.get(word)] ?? 0]);
  }

  // Return whether the caption is probably wrong, and a warning if it is.
  #doubt({ state }, { confidence }) {
    if (!this.calibration) return { unsure: null, warnings: [] };
    const { warnings } = this.constants;
    const unusual = this.calibration.isOutOfDistribution(state.annotations.data);
    const unsure = unusual || confidence < this.calibration.least;
    return { unsure, warnings: unsure ? [unusual ? warnings.unusual : warnings.unsure] : [] };
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
