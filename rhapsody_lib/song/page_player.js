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
  const url = URL.createObjectURL(new Blob([fileBytes(file.name)], { type: file.type }));
  const link = make("a");
  link.href = url;
  link.download = file.name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
};

/* Time: the audio's, or a silent clock where the song was made without audio. */
const audio = byId("audio");
const silent = { at: 0, since: 0, running: false };
const player = song.audio
  ? {
      get time() { return audio.currentTime; },
      set time(seconds) { audio.currentTime = seconds; },
      get playing() { return !audio.paused && !audio.ended; },
      play() { audio.play().catch((error) => tell(`The sound cannot be played: ${error.message}`)); },
      pause() { audio.pause(); },
    }
  : {
      get time() {
        return Math.min(song.duration, silent.running ? silent.at + (performance.now() - silent.since) / 1000 : silent.at);
      },
      set time(seconds) { silent.at = seconds; silent.since = performance.now(); },
      get playing() { return silent.running && this.time < song.duration; },
      play() { if (this.time >= song.duration) silent.at = 0; silent.since = performance.now(); silent.running = true; changed(); },
      pause() { silent.at = this.time; silent.running = false; changed(); },
    };
const tell = (text) => { byId("notice").textContent = text; byId("notice").hidden = false; };

