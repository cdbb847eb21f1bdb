"use strict";
const root = document.documentElement;
addEventListener("error", (event) => { root.dataset.error = event.message; });
addEventListener("securitypolicyviolation", (event) => { root.dataset.violation = event.violatedDirective; });

const byId = (id) => document.getElementById(id);
const song = JSON.parse(byId("data").textContent);
const make = (tag, className, text) => {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
};
const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
const reduced = matchMedia("(prefers-reduced-motion: reduce)");

/* Files: base64 in script elements, decoded when wanted. */
const fileBytes = (name) => {
  const holder = [...document.querySelectorAll("script[data-file]")].find((script) => script.dataset.file === name);
  return holder ? Uint8Array.from(atob(holder.textContent), (char) => char.charCodeAt(0)) : null;
};
const download = (file) => {
  const url = file.beside ? file.name : URL.createObjectURL(new Blob([fileBytes(file.name)], { type: file.type }));
  const link = make("a");
  link.href = url;
  link.download = file.name.split("/").pop();
  if (file.beside) link.target = "_blank";
  link.click();
  if (!file.beside) setTimeout(() => URL.revokeObjectURL(url), 60000);
};

/* Time: the recording's, or a silent clock where the song was made without audio, or that of the parts mixed here. */
const audio = byId("audio");
const silent = { at: 0, since: 0, running: false, rate: 1 };
const recording = {
  get time() { return audio.currentTime; },
  set time(seconds) { audio.currentTime = seconds; },
  get playing() { return !audio.paused && !audio.ended; },
  set rate(value) { audio.preservesPitch = true; audio.playbackRate = value; },
  play() {
    audio.play().catch((error) => {
      if (engine === recording) tell(`The sound cannot be played: ${error.message}`);
      else if (audio.error && !player.playing) player.play(); // Play was pressed before the recording was known to be missing.
    });
  },
  pause() { audio.pause(); },
};
const silence = {
  get time() {
    const passed = silent.running ? ((performance.now() - silent.since) / 1000) * silent.rate : 0;
    return Math.min(song.duration, silent.at + passed);
  },
  set time(seconds) { silent.at = seconds; silent.since = performance.now(); },
  get playing() { return silent.running && this.time < song.duration; },
  set rate(value) { this.time = this.time; silent.rate = value; },
  play() { if (this.time >= song.duration) silent.at = 0; silent.since = performance.now(); silent.running = true; changed(); },
  pause() { silent.at = this.time; silent.running = false; changed(); },
};
let engine = song.audio ? recording : silence;
let rate = 1;
let loop = null;
const player = {
  get time() { return engine.time; },
  set time(seconds) { engine.time = seconds; },
  get playing() { return engine.playing; },
  get rate() { return rate; },
  set rate(value) { rate = value; engine.rate = value; },
  get loop() { return loop; },
  set loop(range) { loop = range; if ("loop" in engine) engine.loop = range; },
  play() { engine.play(); },
  pause() { engine.pause(); },
  /* Go on with another engine from where this one is. */
  use(other) {
    const [time, on] = [engine.time, engine.playing];
    engine.pause();
    engine = other;
    engine.rate = rate;
    if ("loop" in engine) engine.loop = loop;
    engine.time = time;
    if (on) engine.play();
    changed();
  },
};
/* The parts loop without a gap of themselves; the others are sent back when they have passed the end. */
const keepInLoop = () => {
  if (loop && player.playing && !("loop" in engine) && player.time >= loop[1]) player.time = loop[0];
};
const tell = (text) => { byId("notice").textContent = text; byId("notice").hidden = false; };

