/* The rest of the page. */
const whose = (match) => [match.artist && `by ${match.artist}`, match.licence && `licence: ${match.licence}`].filter(Boolean).join(", ");
const buildMatch = () => {
  const match = song.match;
  if (!match) return;
  byId("match").hidden = false;
  byId("match-title").textContent = match.title;
  byId("match-artist").textContent = whose(match);
  const told = match.confidence !== null;
  byId("match-bar").parentElement.hidden = !told;
  byId("match-bar").style.width = `${Math.max(0, Math.min(1, match.confidence)) * 100}%`;
  byId("match-score").textContent = `${told ? `Sure by ${match.confidence.toFixed(2)} of 1: of song halves that matched as well, that share had found their own song.` : "How sure: -. Too few songs could be matched to tell."}${match.primed ? " Its music set this song going." : ""}`;
  const lines = (pairs) => pairs.map(([ours, theirs]) => {
    const pair = make("p", "pair", ours);
    pair.dir = "auto";
    pair.append(make("span", "theirs", theirs));
    return pair;
  });
  byId("match-pairs").append(...lines(match.pairs));
  byId("match-others").hidden = !song.others.length;
  song.others.forEach((other) => {
    const item = make("li", "", `${other.title} ${whose(other)} (${other.confidence === null ? "-" : other.confidence.toFixed(2)})`);
    item.append(...lines(other.pairs));
    byId("match-list").append(item);
  });
};
const buildFacts = () => {
  byId("prompt").textContent = song.prompt;
  song.facts.forEach((fact) => byId("facts").append(make("li", "", fact)));
  song.made.forEach(([name, value]) => byId("made").append(make("dt", "", name), make("dd", "", value)));
  song.parts.filter((part) => part.notes.length).forEach((part) => {
    const item = make("li");
    const dot = make("i");
    dot.style.background = part.colour;
    item.append(dot, part.name);
    byId("legend").append(item);
  });
  song.files.forEach((file) => {
    const item = make("li");
    item.dataset.file = file.name;
    const button = make("button");
    button.type = "button";
    button.append(make("b", "", file.name), make("span", "", file.about));
    button.addEventListener("click", () => download(file));
    item.append(button);
    byId("files").append(item);
  });
  song.sections.forEach((section) => {
    const button = make("button", "", section.name);
    button.type = "button";
    button.title = `${section.name}, ${clock(section.start)}`;
    button.style.flexGrow = String(Math.max(0.5, section.end - section.start));
    button.addEventListener("click", () => { setFollow(true); seek(section.start); });
    byId("form").append(button);
  });
};
const copyWords = async () => {
  const done = (text) => { byId("copy").textContent = text; setTimeout(() => { byId("copy").textContent = "Copy the words"; }, 2000); };
  try {
    await navigator.clipboard.writeText(song.text);
    done("Copied");
  } catch {
    done("Your browser forbids it");
  }
};
const onKey = (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const tag = event.target.tagName;
  const actions = {
    " ": () => toggle(), k: () => toggle(), ArrowLeft: () => seek(player.time - 5), ArrowRight: () => seek(player.time + 5),
    p: () => seek((lines[Math.max(0, lastAtOrBefore(lines, player.time - 1))] || { start: 0 }).start),
    n: () => { const next = lines.find((line) => line.start > player.time + 0.05); if (next) seek(next.start); },
    c: () => byId("chords").click(), l: () => byId("loop").click(), m: () => { if (!byId("mixer").hidden) byId("mixer").click(); },
    "-": () => stepTempo(-1), "+": () => stepTempo(1), "=": () => stepTempo(1),
  };
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const own = tag === "SELECT" || (key === " " && (tag === "BUTTON" || tag === "SUMMARY" || tag === "A")) || (key.startsWith("Arrow") && tag === "INPUT");
  if (!actions[key] || own) return;
  event.preventDefault();
  actions[key]();
};
const bindRoll = () => {
  let grabbed = null;
  canvas.addEventListener("pointerdown", (event) => {
    grabbed = { x: event.clientX, time: player.time, moved: false };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!grabbed) return;
    if (Math.abs(event.clientX - grabbed.x) > 4) grabbed.moved = true;
    if (grabbed.moved) seek(grabbed.time - (event.clientX - grabbed.x) / pixelsPerSecond());
  });
  canvas.addEventListener("pointerup", (event) => {
    if (grabbed && !grabbed.moved) {
      const x = event.clientX - canvas.getBoundingClientRect().left;
      seek(player.time + (x - canvas.clientWidth * AHEAD) / pixelsPerSecond());
    }
    grabbed = null;
  });
  canvas.addEventListener("pointercancel", () => { grabbed = null; });
};
const bind = () => {
  byId("play").addEventListener("click", toggle);
  byId("seek").max = String(song.duration);
  byId("length").textContent = clock(song.duration);
  byId("seek").addEventListener("input", () => { scrubbing = true; seek(Number(byId("seek").value)); });
  byId("seek").addEventListener("change", () => { scrubbing = false; });
  byId("follow").addEventListener("click", () => setFollow(!following));
  byId("chords").addEventListener("click", () => {
    const on = byId("lyrics").classList.toggle("show-chords");
    byId("chords").setAttribute("aria-pressed", String(on));
  });
  byId("chords").hidden = !song.has_chords;
  byId("copy").addEventListener("click", copyWords);
  ["play", "pause", "ended", "seeked", "emptied"].forEach((name) => audio.addEventListener(name, () => { changed(); show(); }));
  ["wheel", "touchmove"].forEach((name) => addEventListener(name, () => { if (player.playing) setFollow(false); }, { passive: true }));
  audio.addEventListener("timeupdate", keepInLoop);
  bindMixer();
  byId("sheet").hidden = !song.sheet.length;
  byId("print").addEventListener("click", () => print());
  addEventListener("keydown", onKey);
  new ResizeObserver(() => { sizeCanvas(); draw(); }).observe(canvas);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { readColours(); draw(); });
  bindRoll();
};

buildFacts();
buildMatch();
buildLyrics();
bind();
/* The page without its folder: the parts that it holds are mixed here, and decoded at the first Play. An error that comes
   when the mixer has taken over already concerns nobody. */
const playAlone = () => {
  if (engine !== recording) return;
  root.dataset.alone = "true";
  byId("files").querySelectorAll("[data-file='song.mp3']").forEach((item) => item.remove());
  player.use(song.stems.length ? waiting : silence);
  if (!song.stems.length) tell("The recording song.mp3 is not beside this page, so it plays silently.");
};
if (song.audio) {
  audio.addEventListener("error", playAlone, { once: true });
  audio.src = "song.mp3";
} else tell("This song was made without audio. Play runs silently through its words and notes; the MIDI files hold the music.");
readColours();
sizeCanvas();
show();
root.dataset.ready = String(syllables.length);
