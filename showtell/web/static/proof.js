// Shows whether a word comes from the photograph or from the language model.

// Return whether word i of a caption comes from the language model; false if not measured.
export const unseen = ({ proof }, i) => proof?.seen[i] === false;

// Describe the probability of word i with the three quarters of the cells masked that it attended
// to most, and with as many random cells masked.
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
