// Converts the words that a caption must mention to sets of ids, as showtell/mention.py does.

const AROUND = /^[^\p{L}\p{N}_]+|[^\p{L}\p{N}_]+$/gu; // punctuation around a word
const SPECIAL = 4; // number of special ids

// Quote a text as Python's repr() does.
const quoted = (text) => (text.includes("'") ? `"${text}"` : `'${text}'`);

// Return one set of ids for each of `words`, which are words or names of things. `ids` has the id of
// each word; `things` is null without a classifier. Throws an Error for an unknown word.
export const asked = (words, ids, things) => words.map((word) => idsOf(word, ids, things));

function idsOf(word, ids, things) {
  const lower = word.toLowerCase().normalize("NFC").replaceAll("’", "'").trim();
  const own = [lower, lower.replace(AROUND, "")].find((text) => ids.get(text) >= SPECIAL);
  if (own) return [ids.get(own)];
  const name = lower.split(/\s+/).join(" ");
  const thing = things?.names.find((one) => one.name === name);
  const synonyms = thing ? sayable(thing, ids) : [];
  if (synonyms.length) return synonyms;
  throw new Error(
    `'mention': ${quoted(word)} is not in the model's vocabulary of ` +
      `${ids.size.toLocaleString("en")} words; try another word.`,
  );
}

// Return the set of the most probable thing, if it is certain and the words of a caption lack it.
export function missing(probabilities, words, ids, { things, certain }) {
  const i = probabilities.indexOf(Math.max(...probabilities));
  const thing = things.names[i];
  if (probabilities[i] < certain || thing.words.some((word) => words.includes(word))) return [];
  const own = sayable(thing, ids);
  return own.length ? [own] : [];
}

const sayable = ({ words }, ids) => words.filter((word) => ids.has(word)).map((word) => ids.get(word));
