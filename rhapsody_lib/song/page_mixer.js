/* Practice: tempo, loop, and the mixer. */
const TEMPI = [0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.25];
const muted = new Set();
const soloed = new Set();
const isHeard = (name) => !muted.has(name) && (!soloed.size || soloed.has(name));
const buildTempi = () => {
  TEMPI.forEach((factor) => {
    const option = make("option", "", `${Math.round(song.bpm * factor)} bpm${factor === 1 ? "" : ` (${Math.round(factor * 100)} %)`}`);
    option.value = String(factor);
    byId("tempo").append(option);
  });
  byId("tempo").value = "1";
  byId("tempo").addEventListener("change", () => { player.rate = Number(byId("tempo").value); });
};
const stepTempo = (by) => {
  const index = TEMPI.indexOf(player.rate) + by;
  if (index < 0 || index >= TEMPI.length) return;
  byId("tempo").value = String(TEMPI[index]);
  player.rate = TEMPI[index];
};
const setLoop = (index) => {
  const section = song.sections[index];
  // Short of the song's own end, at which everything stops.
  player.loop = section ? [section.start, Math.min(section.end, song.duration - 0.1)] : null;
  if (section && (player.time < section.start || player.time >= section.end)) seek(section.start);
  byId("loop").setAttribute("aria-pressed", String(Boolean(section)));
  byId("loop").textContent = section ? `Loop: ${section.name}` : "Loop";
  [...byId("form").children].forEach((button, other) => button.classList.toggle("looped", other === index));
};
const applyMix = () => {
  song.stems.forEach((stem) => {
    const strip = document.querySelector(`.strip[data-part="${stem.name}"]`);
    strip.classList.toggle("off", !isHeard(stem.name));
    strip.querySelector(".mute").setAttribute("aria-pressed", String(muted.has(stem.name)));
    strip.querySelector(".solo").setAttribute("aria-pressed", String(soloed.has(stem.name)));
  });
  if (engine.levels) engine.levels(song.stems.map((stem) => (isHeard(stem.name) ? 1 : 0)));
  draw();
};
const buildStrip = (stem) => {
  const strip = make("div", "strip");
  strip.dataset.part = stem.name;
  const dot = make("i");
  dot.style.background = stem.colour;
  const button = (className, text, label, act) => {
    const made = make("button", `toggle ${className}`, text);
    made.type = "button";
    made.setAttribute("aria-label", `${label} ${stem.name}`);
    made.addEventListener("click", act);
    return made;
  };
  const flip = (set) => () => { if (!set.delete(stem.name)) set.add(stem.name); applyMix(); };
  strip.append(
    dot,
    make("b", "", stem.name),
    button("mute", "Mute", "Mute", flip(muted)),
    button("solo", "Solo", "Solo", flip(soloed)),
    button("save", "Save", "Save the recording of", () => download({ name: stem.file, type: "audio/mpeg" })),
  );
  byId("strips").append(strip);
};
let stemsWanted = null;
/* The parts are decoded when the mixer is first opened, or at the first Play of a page that lies alone: they take 128 kB of
   memory a second and part, and not everybody mixes. */
const useStems = () => {
  stemsWanted = stemsWanted || decodeStems().then((tracks) => {
    player.use(stemEngine(tracks));
    root.dataset.stems = String(tracks.length);
    applyMix();
  }).catch((error) => {
    stemsWanted = null;
    if (engine === waiting) player.use(silence);
    tell(`The parts cannot be played here: ${error.message}`);
  }).finally(() => { byId("desk-state").textContent = ""; });
};
/* Keeps the place, and whether Play was pressed, until the parts are there. */
const waiting = {
  time: 0,
  playing: false,
  play() { this.playing = true; changed(); useStems(); },
  pause() { this.playing = false; changed(); },
};
const bindMixer = () => {
  buildTempi();
  byId("loop").addEventListener("click", () => setLoop(player.loop ? -1 : Math.max(0, currentSection)));
  byId("mixer").hidden = !song.stems.length;
  song.stems.forEach(buildStrip);
  byId("mixer").addEventListener("click", () => {
    const open = byId("desk").hidden;
    byId("desk").hidden = !open;
    byId("mixer").setAttribute("aria-expanded", String(open));
    if (open && !root.dataset.stems) byId("desk-state").textContent = "Preparing the parts …";
    if (open) useStems();
  });
};

