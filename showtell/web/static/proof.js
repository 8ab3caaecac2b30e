// What the proof says of a word: whether it was seen, or merely said.

// Whether word i of a caption was said, not seen; false where nothing is known of it.
export const unseen = ({ proof }, i) => proof?.seen[i] === false;

// How likely it would be without the three quarters of the photograph that it looked at most, and
// without as much at random.
export function losses({ proof, probabilities }, i) {
  if (!proof) return "";
  const [attended, random] = [proof.attended, proof.random].map((falls) =>
    (probabilities[i] - falls[i]).toFixed(2),
  );
  return (
    ` With the attended cells masked, the probability is ${attended}; with random cells, ${random}. ` +
    `The word comes from the ${unseen({ proof }, i) ? "language model" : "photograph"}.`
  );
}
