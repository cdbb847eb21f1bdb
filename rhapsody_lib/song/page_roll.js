/* The piano roll. */
const canvas = byId("roll");
const pen = canvas.getContext("2d");
const AHEAD = 0.22;
const pixelsPerSecond = () => (canvas.clientWidth < 600 ? 62 : 92);
const pitches = song.parts.filter((part) => part.name !== "drums").flatMap((part) => part.notes.map((note) => note[2]));
const lowest = Math.min(48, ...pitches) - 1;
const highest = Math.max(72, ...pitches) + 2;
const colour = (name) => getComputedStyle(root).getPropertyValue(name);
let ink = {};
const readColours = () => { ink = { accent: colour("--accent"), rule: colour("--rule"), soft: colour("--soft") }; };
const sizeCanvas = () => {
  const scale = devicePixelRatio || 1;
  canvas.width = Math.round(canvas.clientWidth * scale);
  canvas.height = Math.round(canvas.clientHeight * scale);
  pen.setTransform(scale, 0, 0, scale, 0, 0);
};
const drawNotes = (part, time, from, until, place) => {
  const drums = part.name === "drums";
  pen.fillStyle = part.colour;
  for (const [start, length, pitch] of part.notes) {
    if (start > until) break;
    if (start + length < from) continue;
    const sounding = start <= time && time < start + Math.max(length, 0.12);
    pen.globalAlpha = !isHeard(part.name) ? 0.12 : sounding ? 1 : part.name === "melody" ? 0.9 : 0.5;
    const [x, y, height] = place(start, pitch, drums);
    const width = drums ? 3 : Math.max(2, length * pixelsPerSecond() - 1.5);
    const swell = sounding ? 1 : 0;
    pen.beginPath();
    pen.roundRect(x, y - swell, width, height + 2 * swell, 2);
    pen.fill();
  }
  pen.globalAlpha = 1;
};
const drawGrid = (time, from, until, x0, height) => {
  const scale = pixelsPerSecond();
  pen.fillStyle = ink.rule;
  song.bars.forEach((bar) => { if (bar >= from && bar <= until) pen.fillRect(x0 + (bar - time) * scale, 0, 1, height); });
  pen.font = "600 11px system-ui, sans-serif";
  song.sections.forEach((section) => {
    const x = x0 + (section.start - time) * scale;
    if (section.end < from || section.start > until) return;
    pen.fillStyle = ink.soft;
    pen.fillRect(x, 0, 1, height);
    const left = Math.max(x, 0) + 7;
    // The name of a section that is nearly past would lie under the next one's.
    if (left + pen.measureText(section.name).width < x0 + (section.end - time) * scale) pen.fillText(section.name, left, 16);
  });
};
const draw = () => {
  const time = player.time;
  const width = canvas.clientWidth;
  const height = canvas.clientHeight;
  const x0 = width * AHEAD;
  const scale = pixelsPerSecond();
  const [from, until] = [time - x0 / scale, time + (width - x0) / scale];
  const floor = height * 0.82;
  const step = (floor - 22) / (highest - lowest);
  const place = (start, pitch, drums) => drums
    ? [x0 + (start - time) * scale, floor + 5 + ((60 - Math.min(60, Math.max(35, pitch))) / 25) * (height - floor - 11), 3]
    : [x0 + (start - time) * scale, floor - (pitch - lowest) * step, Math.max(3, step - 0.5)];
  pen.clearRect(0, 0, width, height);
  drawGrid(time, from, until, x0, height);
  song.parts.forEach((part) => drawNotes(part, time, from, until, place));
  pen.fillStyle = ink.accent;
  pen.fillRect(x0 - 1, 0, 2, height);
};

