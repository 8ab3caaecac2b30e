// Confidence of each word, and whether a photograph is out of distribution; the same as
// showtell/confidence.py.

const LEAST = 1e-6; // bound on probabilities p, so that log p and log(1 - p) are finite

const dot = (a, b) => a.reduce((total, value, i) => total + value * b[i], 0);
const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;

export class Calibration {
  // `weights` contains the manifest's `doubt`, and `familiar`: the mean of the training photographs'
  // mean annotations, and their principal components. `joining` are the function words.
  constructor(weights, joining) {
    Object.assign(this, weights, { joining: new Set(joining) });
  }

  // Return the confidence of each word; `seen` has four numbers per word, from the classifier and the
  // word detector. Older bundles have fewer weights.
  confidences({ words, probabilities, gates, logprob }, seen) {
    const average = logprob / (words.length + 1);
    return words.map((word, i) => {
      const p = Math.min(Math.max(probabilities[i], LEAST), 1 - LEAST);
      const said = [Math.log(p), -Math.log1p(-p), gates[i], average, 1];
      const weights = this.joining.has(word) ? this.function : this.visual;
      return 1 / (1 + Math.exp(-dot(weights, [...said, ...seen[i]])));
    });
  }

  // Return the mean confidence of the visual words, or of all words if none is visual.
  ofCaption(words, confidences) {
    if (!words.length) return 0;
    const visual = confidences.filter((_, i) => !this.joining.has(words[i]));
    return mean(visual.length ? visual : confidences);
  }

  // Return whether a photograph with these annotations (L * D) is out of distribution.
  isOutOfDistribution(annotations) {
    const [centre, ...directions] = this.familiar;
    const D = centre.length;
    const apart = centre.map((value, d) => {
      let total = 0;
      for (let i = d; i < annotations.length; i += D) total += annotations[i];
      return total / (annotations.length / D) - value;
    });
    const within = directions.map((direction) => dot(direction, apart));
    return dot(apart, apart) - dot(within, within) > this.limit;
  }
}
