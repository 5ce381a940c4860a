// The person's edge: a list such as ["shrink:2", "sharp"] as two sliders.

const STEPS = 5;

/** {position: -5 (shrink) to 5 (grow), sharp: 0 to 5} of the list; steps of one kind add up. */
export function edgeParts(texts) {
  const sums = {shrink: 0, grow: 0, sharp: 0};
  for (const text of texts || []) {
    const [word, steps] = String(text).split(":");
    if (word in sums) sums[word] += steps === undefined ? 1 : Number(steps) || 0;
  }
  const within = (value, least) => Math.min(STEPS, Math.max(least, value));
  return {position: within(sums.grow - sums.shrink, -STEPS), sharp: within(sums.sharp, 0)};
}

export function edgeTexts({position, sharp}) {
  const texts = [];
  if (position < 0) texts.push(`shrink:${-position}`);
  if (position > 0) texts.push(`grow:${position}`);
  if (sharp > 0) texts.push(`sharp:${sharp}`);
  return texts;
}

export function positionText(value) {
  return value === 0 ? "unchanged" : value < 0 ? `${-value} in` : `${value} out`;
}
