// What the page shows at large, and what it says.

const [status, problem] = ["status", "problem"].map((id) => document.getElementById(id));

// Enter one of the states that page.css knows: empty, busy, told, many.
export function enter(state) {
  document.body.dataset.state = state;
  complain("");
}

export const say = (text) => (status.textContent = text);

export const complain = (text) => (problem.textContent = text);

// Settles after so many milliseconds, or at once when the signal is given.
export const pause = (time, signal) =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, time);
    signal?.addEventListener("abort", () => resolve(clearTimeout(timer)), { once: true });
  });
