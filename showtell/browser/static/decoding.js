// Decoding: beam search over a model that scores the next word. The algorithm and the names are
// those of showtell/decoding.py, for one photograph.

const [PAD, START, END, UNK] = [0, 1, 2, 3];
const NEVER_SAID = [PAD, START, UNK];
const LENGTH_POWER = 0.7;
const MAX_SETS = 4;

// Find the best captions of a photograph by beam search: one to `beam` hypotheses, best first.
//
// `model` scores words: `step(state, words)` advances k hypotheses by their last words and resolves
// to { logprobs (k * V), alphas (k * L), betas (k), state }; `select(state, beams)` returns the state
// of the hypotheses `beams`. A hypothesis is { words, logprobs, alphas, betas }: the words without
// START and END, and the log-probability, attention and gate of each word and of END.
//
// `mention` contains up to four sets of word ids; every caption contains a word of each. The bits of
// a hypothesis's group are the sets that it satisfies; only hypotheses of the last group may end.
export async function beamSearch(model, state, options) {
  const { beam, maxLength, lengthPower = LENGTH_POWER, mention = [] } = options;
  requirePossible(mention, maxLength);
  const [held, last] = [heldBy(mention), 2 ** mention.length - 1];
  const done = [];
  let going = [{ words: [], logprobs: [], alphas: [], betas: [], total: 0, group: 0 }];
  for (let length = 0; length <= maxLength; length++) {
    const step = await model.step(state, going.map((hypothesis) => hypothesis.words.at(-1) ?? START));
    const found = candidates(going, step.logprobs, 2 * beam, { held, last, mustEnd: length === maxLength });
    const ended = found[last].slice(0, beam).filter(({ word }) => word === END);
    done.push(...ended.map((candidate) => grow(going, step, candidate)));
    const alive = found.flatMap((best) => best.filter(({ word }) => word !== END).slice(0, beam));
    if (isDone(done, last ? alive : [], beam) || !alive.length) break;
    going = alive.map((candidate) => grow(going, step, candidate));
    state = model.select(step.state, alive.map(({ parent }) => parent));
  }
  return done.sort((a, b) => score(b, lengthPower) - score(a, lengthPower)).slice(0, beam);
}

// Throw a RangeError unless a caption can satisfy the sets.
function requirePossible(mention, maxLength) {
  if (mention.length > MAX_SETS) throw new RangeError(`at most ${MAX_SETS} sets to mention`);
  const special = [...NEVER_SAID, END];
  if (mention.some((words) => !words.length || words.some((word) => special.includes(word)))) {
    throw new RangeError("a set to mention needs a word or more, special ids aside");
  }
  const fewest = fewestWords(mention);
  if (fewest > maxLength) throw new RangeError(`what must be mentioned takes ${fewest} words or more`);
}

// Return, for each word, a bit mask of the sets that contain it.
function heldBy(mention) {
  const held = new Map();
  mention.forEach((words, i) => words.forEach((word) => held.set(word, held.get(word) | (1 << i))));
  return held;
}

// Return the minimum number of words that mention all sets; a word may be in several.
function fewestWords(mention) {
  const held = [...heldBy(mention).values()];
  let groups = new Set([0]);
  let n = 0;
  for (; !groups.has(2 ** mention.length - 1); n++) {
    groups = new Set([...groups].flatMap((group) => held.map((bits) => group | bits)));
  }
  return n;
}

// Return whether `beam` hypotheses ended and none that is unfinished is more probable.
function isDone(done, rivals, beam) {
  const best = Math.max(...done.map(({ total }) => total));
  return done.length >= beam && rivals.every(({ score }) => best >= score);
}

export const sum = (values) => values.reduce((total, value) => total + value, 0);

// Length-normalised log-probability: power 0 ranks by probability, 1 by mean log-probability.
const score = ({ logprobs }, power) => sum(logprobs) / logprobs.length ** power;

// Return, for each group, the n best extensions that lead into it, best first; ties in order.
function candidates(going, logprobs, n, { held, last, mustEnd }) {
  const V = logprobs.length / going.length;
  const found = Array.from({ length: last + 1 }, () => []);
  going.forEach(({ total, group: before }, parent) => {
    for (let word = 0; word < V; word++) {
      if (NEVER_SAID.includes(word) || (mustEnd && word !== END)) continue;
      if (word === END && before !== last) continue;
      const group = before | held.get(word);
      const score = total + logprobs[parent * V + word];
      const best = found[group];
      if (score > (best[n - 1]?.score ?? -Infinity)) insert(best, { score, parent, word, group }, n);
    }
  });
  return found;
}

// Insert a candidate into a sorted list of at most n.
function insert(best, candidate, n) {
  let at = best.length;
  while (at > 0 && best[at - 1].score < candidate.score) at--;
  best.splice(at, 0, candidate);
  if (best.length > n) best.pop();
}

// Extend a hypothesis by a word.
function grow(going, { logprobs, alphas, betas }, { score, parent, word, group }) {
  const old = going[parent];
  const [V, L] = [logprobs, alphas].map((values) => values.length / going.length);
  return {
    words: word === END ? old.words : [...old.words, word],
    logprobs: [...old.logprobs, logprobs[parent * V + word]],
    alphas: [...old.alphas, alphas.slice(parent * L, (parent + 1) * L)],
    betas: [...old.betas, betas[parent]],
    total: score,
    group,
  };
}
