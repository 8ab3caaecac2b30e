// Plays a caption word by word, with the attention map of each word.

import * as figure from "./figure.js";
import { pause } from "./state.js";

const PACE = 550; // milliseconds per word
const [button, speed] = ["play", "speed"].map((id) => document.getElementById(id));

let playing = null; // an AbortController while it plays

// Play from a word on; with `writing`, the words that follow are faint.
export async function play({ from = 0, writing = false } = {}) {
  stop();
  const { signal } = (playing = new AbortController());
  button.textContent = "Pause";
  document.body.dataset.playing = writing ? "writing" : "reading";
  for (let word = from; word < figure.length() && !signal.aborted; word++) {
    figure.look(word);
    await pause(PACE / speed.value, signal);
  }
  if (signal.aborted) return;
  stop();
  figure.hold(-1);
}

export function stop() {
  playing?.abort();
  playing = null;
  button.textContent = "Play";
  delete document.body.dataset.playing;
}

button.addEventListener("click", () => {
  const word = figure.litWord();
  if (!playing) return play({ from: word === figure.length() - 1 ? 0 : Math.max(word, 0) });
  stop();
  figure.hold(word);
});

document.addEventListener("hold", stop); // the visitor selected a word
