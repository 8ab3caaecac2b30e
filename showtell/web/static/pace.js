// Estimates the time left for the remaining photographs.

const LEAST = 5; // minimum number of finished photographs for an estimate

// Return the time left, such as "about 2 minutes left", or "" if it is too early for an estimate.
// `elapsed` is the time in milliseconds for the `done` photographs; `waiting` are left.
export function timeLeft(elapsed, done, waiting) {
  if (done < LEAST || !waiting) return "";
  const minutes = (elapsed / done) * waiting / 60_000;
  if (minutes < 1) return "less than a minute left";
  return minutes < 90 ? about(minutes, "minute") : about(minutes / 60, "hour");
}

function about(number, unit) {
  const whole = Math.round(number);
  return `about ${whole} ${unit}${whole === 1 ? "" : "s"} left`;
}
