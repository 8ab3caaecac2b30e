// Shows the confidence of a caption and of its words. Not all models report it.

const [unsure, sure] = ["unsure", "sure"].map((id) => document.getElementById(id));

// Show the confidence of the caption, or a notice that it is low.
export function tell(answer) {
  unsure.hidden = !answer.unsure;
  const share = (100 * answer.confidence).toFixed(0);
  sure.textContent =
    answer.unsure === false
      ? `Confidence ${share}%: the expected share of correct content words.`
      : "";
}

export function clear() {
  unsure.hidden = true;
  sure.textContent = "";
}

export const ofWord = (answer, i) =>
  answer.unsure === false ? `, confidence ${answer.confidences[i].toFixed(2)}` : "";

export const inTable = ({ unsure, confidence }) => (unsure ? "low" : confidence.toFixed(2));

// The warnings of an answer, such as that the file has several frames.
export const notes = ({ warnings }) => warnings.map((warning) => `Note: ${warning}.`).join(" ");

// Return the text for screen readers.
export const spoken = ({ unsure, caption }) =>
  `${unsure ? "Low confidence" : "Caption"}: ${caption}.`;
