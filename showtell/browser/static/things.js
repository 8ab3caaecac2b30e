// The things that the CNN's classifier recognises, as in showtell/things.py.

const LEAST_LOG = 1e-4; // lower bound of a probability before its logarithm is taken

export class Things {
  // `names` has { name, words } for each of T things. At most `most` things with a probability of at
  // least `least` are reported.
  constructor(names, { least, most }) {
    Object.assign(this, { names, least, most });
    this.index = new Map(names.flatMap(({ words }, i) => words.map((word) => [word, i])));
  }

  // Return the things in a photograph, most probable first, each with its map.
  seen(probabilities, places) {
    return Array.from(probabilities, (probability, i) => ({ probability, i }))
      .sort((a, b) => b.probability - a.probability)
      .slice(0, this.most)
      .filter(({ probability }) => probability >= this.least)
      .map(({ probability, i }) => ({
        name: this.names[i].name,
        probability,
        attention: mapOf(places, i, probabilities.length),
      }));
  }

  // Return the classifier's evidence for the words of a caption, three numbers per word.
  evidence(words, probabilities) {
    const mentioned = words.map((word) => this.index.get(word));
    const others = probabilities.filter((_, i) => !mentioned.includes(i));
    const most = Math.max(0, ...others);
    return mentioned.map((i) =>
      i === undefined ? [0, 0, most] : [1, Math.log(Math.max(probabilities[i], LEAST_LOG)), most],
    );
  }
}

// Return the map of a thing: its probability in each cell, normalised to a sum of 1.
function mapOf(places, thing, T) {
  const values = Array.from(places).filter((_, i) => i % T === thing);
  const total = values.reduce((a, b) => a + b, 0);
  return values.map((value) => (total > 0 ? value / total : 1 / values.length));
}
