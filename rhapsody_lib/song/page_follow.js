/* What follows the time. */
let following = true;
let scrubbing = false;
let currentLine = -1;
let currentSyllable = -2;
let currentSection = -1;
const setFollow = (on) => { following = on; byId("follow").setAttribute("aria-pressed", String(on)); };
const lastAtOrBefore = (list, time) => {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle].start <= time + 0.01) low = middle + 1;
    else high = middle;
  }
  return low - 1;
};
const showLine = (index) => {
  if (index === currentLine) return;
  if (lines[currentLine]) { lines[currentLine].element.classList.remove("now"); lines[currentLine].element.removeAttribute("aria-current"); }
  currentLine = index;
  if (!lines[index]) return;
  lines[index].element.classList.add("now");
  lines[index].element.setAttribute("aria-current", "true");
  if (following && player.playing) {
    lines[index].element.scrollIntoView({ block: "center", behavior: reduced.matches ? "auto" : "smooth" });
  }
};
const showSyllable = (index, time) => {
  const at = syllables[index];
  if (index !== currentSyllable) {
    currentSyllable = index;
    syllables.forEach((syllable, other) => {
      const here = at && syllable.line === at.line;
      syllable.element.classList.toggle("done", Boolean(here && other < index));
      syllable.element.classList.toggle("now", Boolean(here && other === index));
    });
  }
  if (at) at.element.style.setProperty("--part", `${Math.min(100, ((time - at.start) / Math.max(0.05, at.end - at.start)) * 100)}%`);
};
/* The notes of the sheet that are sung now. */
const elementsOf = new Map();
document.querySelectorAll('.sheet-page [id^="n"]').forEach((element) => {
  const named = /^n(\d+)(?:-\d+)?$/.exec(element.id);
  if (!named) return;
  const index = Number(named[1]);
  elementsOf.set(index, [...(elementsOf.get(index) || []), element]);
});
const sheetNotes = song.sheet.map(([start, end], index) => ({ start, end, elements: elementsOf.get(index) || [] }));
let currentNote = -1;
const showNote = (time) => {
  const last = lastAtOrBefore(sheetNotes, time);
  const index = last >= 0 && time < sheetNotes[last].end ? last : -1;
  if (index === currentNote) return;
  if (currentNote >= 0) sheetNotes[currentNote].elements.forEach((element) => element.classList.remove("sounding"));
  if (index >= 0) sheetNotes[index].elements.forEach((element) => element.classList.add("sounding"));
  currentNote = index;
};
const show = () => {
  keepInLoop();
  const time = player.time;
  showNote(time);
  const line = lastAtOrBefore(lines, time);
  const inside = line >= 0 && time < lines[line].end;
  showLine(inside ? line : -1);
  showSyllable(inside ? lastAtOrBefore(syllables, time) : -1, time);
  const section = lastAtOrBefore(song.sections, time);
  if (section !== currentSection) {
    currentSection = section;
    [...byId("form").children].forEach((button, index) => {
      button.classList.toggle("now", index === section);
      if (index === section) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
    });
  }
  byId("now").textContent = clock(time);
  if (!scrubbing) byId("seek").value = String(time);
  byId("seek").setAttribute("aria-valuetext", `${clock(time)}${song.sections[section] ? `, ${song.sections[section].name}` : ""}`);
  draw();
};
let frame = 0;
const tick = () => {
  frame = 0;
  show();
  if (player.playing) frame = requestAnimationFrame(tick);
  else changed();
};
const changed = () => {
  const on = player.playing;
  byId("play").classList.toggle("on", on);
  byId("play").setAttribute("aria-label", on ? "Pause" : "Play");
  if (!frame && on) frame = requestAnimationFrame(tick);
};
const seek = (seconds) => {
  player.time = Math.max(0, Math.min(song.duration - 0.05, seconds));
  show();
};
const toggle = () => (player.playing ? player.pause() : player.play());

