// How much longer many photographs take.

const LEAST = 5; // photographs from which the time that the others take is estimated

// Return the time left, such as "about 2 minutes left", from the milliseconds in which `done`
// photographs were captioned; "" when it is too early to tell.
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
