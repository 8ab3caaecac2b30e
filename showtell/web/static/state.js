// The state of the page, and its messages.

const [status, problem] = ["status", "problem"].map((id) => document.getElementById(id));

// Enter a state, which page.css refers to: empty, busy, told (one photograph with its caption) or
// many (a table).
export function enter(state) {
  document.body.dataset.state = state;
  complain("");
}

export const say = (text) => (status.textContent = text);

export const complain = (text) => (problem.textContent = text);

// Resolve after `time` milliseconds, or when the signal is aborted.
export const pause = (time, signal) =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, time);
    signal?.addEventListener("abort", () => resolve(clearTimeout(timer)), { once: true });
  });
