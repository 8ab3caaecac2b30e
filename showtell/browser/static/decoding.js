// Decoding: from a model that scores the next word to whole captions. The algorithm and the names
// are those of showtell/decoding.py, for one photograph.

const [PAD, START, END, UNK] = [0, 1, 2, 3];
const NEVER_SAID = [PAD, START, UNK];
const LENGTH_POWER = 0.7;

// Find the captions of a photograph by beam search: one to `beam` hypotheses, the best first.
//
// `model` scores: `step(state, words)` advances k hypotheses by their last words and resolves to
// { logprobs (k * V), alphas (k * L), betas (k), state }; `select(state, beams)` returns the state
// of some of them. A hypothesis is { words, logprobs, alphas, betas }: the words without START and
// END, and of each word, and of END, its log-probability, the attention and the gate.
export async function beamSearch(model, state, { beam, maxLength, lengthPower = LENGTH_POWER }) {
  const done = [];
  let going = [{ words: [], logprobs: [], alphas: [], betas: [], total: 0 }];
  for (let length = 0; length <= maxLength; length++) {
    const step = await model.step(state, going.map((hypothesis) => hypothesis.words.at(-1) ?? START));
    const found = candidates(going, step.logprobs, 2 * beam, length === maxLength);
    const ended = found.slice(0, beam).filter(({ word }) => word === END);
    done.push(...ended.map((candidate) => grow(going, step, candidate)));
    const alive = found.filter(({ word }) => word !== END).slice(0, beam);
    if (done.length >= beam || !alive.length) break;
    going = alive.map((candidate) => grow(going, step, candidate));
    state = model.select(step.state, alive.map(({ parent }) => parent));
  }
  return done.sort((a, b) => score(b, lengthPower) - score(a, lengthPower)).slice(0, beam);
}

export const sum = (values) => values.reduce((total, value) => total + value, 0);

// Log-probability over length to a power: 0 ranks by probability, 1 by its mean.
const score = ({ logprobs }, power) => sum(logprobs) / logprobs.length ** power;

// The n best words behind all hypotheses, the best first; of equals, the first.
function candidates(going, logprobs, n, mustEnd) {
  const V = logprobs.length / going.length;
  const best = [];
  going.forEach(({ total }, parent) => {
    for (let word = 0; word < V; word++) {
      if (NEVER_SAID.includes(word) || (mustEnd && word !== END)) continue;
      const score = total + logprobs[parent * V + word];
      if (score > (best[n - 1]?.score ?? -Infinity)) insert(best, { score, parent, word }, n);
    }
  });
  return best;
}

// Put a candidate where it belongs in a list of n at most.
function insert(best, candidate, n) {
  let at = best.length;
  while (at > 0 && best[at - 1].score < candidate.score) at--;
  best.splice(at, 0, candidate);
  if (best.length > n) best.pop();
}

// Continue a hypothesis with a word.
function grow(going, { logprobs, alphas, betas }, { score, parent, word }) {
  const old = going[parent];
  const [V, L] = [logprobs, alphas].map((values) => values.length / going.length);
  return {
    words: word === END ? old.words : [...old.words, word],
    logprobs: [...old.logprobs, logprobs[parent * V + word]],
    alphas: [...old.alphas, alphas.slice(parent * L, (parent + 1) * L)],
    betas: [...old.betas, betas[parent]],
    total: score,
  };
}
