/* Slower and faster at the same pitch: overlapping windows of the parts, each moved to where the sum of all parts goes on
   most alike (WSOLA: Verhelst and Roelands 1993). All parts move alike, so they stay together. At the song's own tempo
   the windows add up to the recording, sample by sample. */
const RATE = 32000;
const HOP = 1024;
const SEARCH = 384;
const fade = Float32Array.from({ length: HOP }, (_, i) => 0.5 - 0.5 * Math.cos((Math.PI * (i + 0.5)) / HOP));
/* Where, near `wanted`, the sum goes on as it does at `natural`. */
const bestPlace = (sum, natural, wanted) => {
  if (Math.abs(natural - wanted) <= 1) return natural;
  const alike = (place, step) => {
    let dot = 0;
    let energy = 1e-9;
    for (let i = 0; i < HOP; i += step) {
      const there = sum[place + i] || 0;
      dot += there * (sum[natural + i] || 0);
      energy += there * there;
    }
    return dot / Math.sqrt(energy);
  };
  const search = (middle, reach, stride, step) => {
    let best = middle;
    let most = -Infinity;
    for (let place = middle - reach; place <= middle + reach; place += stride) {
      const found = place < 0 ? -Infinity : alike(place, step);
      if (found > most) [best, most] = [place, found];
    }
    return best;
  };
  return search(search(Math.max(0, wanted), SEARCH, 8, 8), 8, 1, 4);
};
/* Makes one hop after the other: `next(position)` gives HOP frames of each part, heard from `position` on. */
const stretcher = (parts, sum) => {
  let natural = -1;
  return {
    next(position) {
      const place = natural < 0 ? position : bestPlace(sum, natural, position);
      const from = natural < 0 ? place : natural;
      natural = place + HOP;
      return parts.map((part) => {
        const out = new Float32Array(HOP);
        for (let i = 0; i < HOP; i += 1) out[i] = (part[from + i] || 0) * (1 - fade[i]) + (part[place + i] || 0) * fade[i];
        return out;
      });
    },
  };
};

