// How sure the model is of a caption and of its words; a model may not know.

const [unsure, sure] = ["unsure", "sure"].map((id) => document.getElementById(id));

// Say with the caption that hangs whether it is a guess, or how much of it is likely right.
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

// What else there is to know of an answer, such as further frames.
export const notes = ({ warnings }) => warnings.map((warning) => `Note: ${warning}.`).join(" ");

// What is read aloud.
export const spoken = ({ unsure, caption }) =>
  `${unsure ? "Low confidence" : "Caption"}: ${caption}.`;
