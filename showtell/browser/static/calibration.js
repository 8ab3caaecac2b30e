// How likely each word is right, and whether a photograph is like those trained on: what
// showtell/confidence.py does.

const LEAST = 1e-6; // probability, so that its logarithm and that of the rest are finite

const dot = (a, b) => a.reduce((total, value, i) => total + value * b[i], 0);
const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;

export class Calibration {
  // `weights` holds what the manifest has as `doubt`, and `familiar`: the mean of the training
  // photographs' mean annotations, and the directions in which they differ most. `joining` are the
  // function words.
  constructor(weights, joining) {
    Object.assign(this, weights, { joining: new Set(joining) });
  }

  // For each word, how likely a person would say it of the photograph; `seen` holds three numbers a
  // word, from Things.evidence, or is null.
  confidences({ words, probabilities, gates, logprob }, seen) {
    const average = logprob / (words.length + 1);
    return words.map((word, i) => {
      const p = Math.min(Math.max(probabilities[i], LEAST), 1 - LEAST);
      const said = [Math.log(p), -Math.log1p(-p), gates[i], average, 1];
      const weights = this.joining.has(word) ? this.function : this.visual;
      return 1 / (1 + Math.exp(-dot(weights, [...said, ...(seen?.[i] ?? [0, 0, 0])])));
    });
  }

  // The mean of the words' confidences, over those that name what is seen if there are any.
  ofCaption(words, confidences) {
    if (!words.length) return 0;
    const visual = confidences.filter((_, i) => !this.joining.has(words[i]));
    return mean(visual.length ? visual : confidences);
  }

  // Whether a photograph, by its annotations (L * D), is unlike those that the model was trained on.
  isStrange(annotations) {
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
