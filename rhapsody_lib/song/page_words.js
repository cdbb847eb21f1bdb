/* The words. */
const lines = [];
const syllables = [];
/* A chord wider than the words up to the next one needs room made for it. */
const makeRoom = (pieces, index, element) => {
  const next = pieces.findIndex((piece, other) => other > index && piece[3]);
  if (next < 0) return;
  const letters = pieces.slice(index, next).reduce((sum, piece) => sum + piece[2].length, 0);
  const needed = pieces[index][3].length * 0.62 + 0.5;
  if (letters * 0.62 > needed) return;
  element.classList.add("wide");
  element.style.setProperty("--room", `${needed}rem`);
};
const buildLine = (line, index, holder) => {
  const button = make("button", "line");
  button.type = "button";
  button.dir = "auto";
  let word = null;
  line.pieces.forEach(([start, end, text, chord], place) => {
    if (!word) {
      word = make("span", "word");
      button.append(word);
    }
    const syllable = make("span", "syl", text.trimEnd());
    if (chord) {
      syllable.dataset.chord = chord;
      button.classList.add("chorded");
      makeRoom(line.pieces, place, syllable);
    }
    word.append(syllable);
    if (word.textContent.length > 22) word.classList.add("long");
    if (text.endsWith(" ")) {
      button.append(" ");
      word = null;
    }
    syllables.push({ start, end, line: index, element: syllable });
  });
  if (!line.pieces.length) button.textContent = line.text;
  button.addEventListener("click", () => { setFollow(true); seek(line.start); });
  holder.append(button);
  lines.push({ start: line.start, end: line.end, element: button });
};
const buildLyrics = () => {
  const page = byId("lyrics");
  let index = 0;
  song.sections.forEach((section) => {
    if (!section.lines.length) return;
    const part = make("div", "part");
    part.append(make("h3", "", section.name));
    section.lines.forEach((line) => buildLine(line, index++, part));
    page.append(part);
  });
};

