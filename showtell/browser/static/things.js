// What the CNN's classifier sees: what showtell/things.py does.

const LEAST_LOG = 1e-4; // probability below which all are alike

export class Things {
  // `names` holds { name, words } of each of T things; what is reported of a photograph has a
  // probability of `least`, and is `most` things.
  constructor(names, { least, most }) {
    Object.assign(this, { names, least, most });
    this.index = new Map(names.flatMap(({ words }, i) => words.map((word) => [word, i])));
  }

  // The things of a photograph, the likeliest first, each with its map.
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

  // What the classifier says for and against each of the words of a caption: three numbers.
  evidence(words, probabilities) {
    const mentioned = words.map((word) => this.index.get(word));
    const others = probabilities.filter((_, i) => !mentioned.includes(i));
    const most = Math.max(0, ...others);
    return mentioned.map((i) =>
      i === undefined ? [0, 0, most] : [1, Math.log(Math.max(probabilities[i], LEAST_LOG)), most],
    );
  }
}

// Where a thing is seen: its probabilities in the cells, which sum to 1 then.
function mapOf(places, thing, T) {
  const values = Array.from(places).filter((_, i) => i % T === thing);
  const total = values.reduce((a, b) => a + b, 0);
  return values.map((value) => (total > 0 ? value / total : 1 / values.length));
}
