/* The parts, mixed here: decoded once, played through a gain, a place between the ears and a common room. */
const CHUNK_HOPS = 6;
const AHEAD_S = 1.2;
/* A room like the recording's: noise that dies away, without the lows. */
const makeRoomFor = (context) => {
  const frames = Math.round(1.6 * RATE);
  const buffer = context.createBuffer(2, frames, RATE);
  let state = 1;
  for (let channel = 0; channel < 2; channel += 1) {
    const samples = buffer.getChannelData(channel);
    let energy = 0;
    for (let i = 0; i < frames; i += 1) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      const rise = Math.min(1, Math.max(0, (i / RATE - 0.018) / 0.01));
      samples[i] = (state / 2147483648 - 1) * 10 ** ((-3 * i) / RATE / 1.3) * rise;
      energy += samples[i] * samples[i];
    }
    for (let i = 0; i < frames; i += 1) samples[i] /= Math.sqrt(energy);
  }
  const room = new ConvolverNode(context, { buffer, disableNormalization: true });
  const high = new BiquadFilterNode(context, { type: "highpass", frequency: 220 });
  const low = new BiquadFilterNode(context, { type: "lowpass", frequency: 5500 });
  high.connect(low).connect(room);
  return { input: high, output: room };
};
const stemEngine = (tracks) => {
  const context = new AudioContext({ sampleRate: RATE });
  const master = new GainNode(context, { gain: song.gain * Math.SQRT2 });
  const room = makeRoomFor(context);
  const roomGain = new GainNode(context, { gain: Math.SQRT1_2 });
  room.output.connect(roomGain).connect(master).connect(context.destination);
  const strips = tracks.map((track) => {
    const gain = new GainNode(context);
    gain.connect(new StereoPannerNode(context, { pan: track.pan })).connect(master);
    gain.connect(new GainNode(context, { gain: track.room })).connect(room.input);
    return gain;
  });
  const parts = tracks.map((track) => track.samples);
  const frames = Math.max(...parts.map((part) => part.length));
  const sum = new Float32Array(frames);
  parts.forEach((part) => part.forEach((value, i) => { sum[i] += value; }));
  let [at, running, rate, loop, timer] = [0, false, 1, null, 0];
  let [cursor, when, sources, spans, stretch] = [0, 0, [], [], null];
  const heard = () => context.currentTime - (context.outputLatency || 0);
  const now = () => {
    if (!running) return at;
    const time = heard();
    const span = spans.findLast((one) => one.when <= time) || spans[0];
    return span ? Math.min(song.duration, span.from + Math.max(0, time - span.when) * rate) : at;
  };
  const chunk = () => {
    const made = parts.map(() => new Float32Array(CHUNK_HOPS * HOP));
    for (let hop = 0; hop < CHUNK_HOPS; hop += 1) {
      if (loop && (cursor >= loop[1] * RATE || cursor < loop[0] * RATE - HOP)) cursor = loop[0] * RATE;
      spans.push({ when: when + (hop * HOP) / RATE, from: cursor / RATE });
      stretch.next(Math.round(cursor)).forEach((samples, part) => made[part].set(samples, hop * HOP));
      cursor += HOP * rate;
    }
    made.forEach((samples, part) => {
      const buffer = context.createBuffer(1, samples.length, RATE);
      buffer.copyToChannel(samples, 0);
      const source = new AudioBufferSourceNode(context, { buffer });
      source.connect(strips[part]);
      source.start(when);
      source.onended = () => { sources = sources.filter((other) => other !== source); };
      sources.push(source);
    });
    when += (CHUNK_HOPS * HOP) / RATE;
  };
  const halt = () => {
    clearInterval(timer);
    sources.forEach((source) => { source.onended = null; source.stop(); });
    sources = [];
  };
  const pump = () => {
    while (when < context.currentTime + AHEAD_S && (loop || cursor < song.duration * RATE)) chunk();
    spans = spans.slice(Math.max(0, spans.findLastIndex((one) => one.when <= heard())));
    if (!loop && now() >= song.duration - 0.01) { halt(); at = song.duration; running = false; changed(); show(); }
  };
  const begin = (seconds) => {
    halt();
    stretch = stretcher(parts, sum);
    [cursor, when, spans] = [Math.round(seconds * RATE), context.currentTime + 0.06, []];
    timer = setInterval(pump, 100);
    pump();
  };
  const again = (change) => { const time = now(); change(); if (running) begin(time); else at = time; };
  return {
    get time() { return now(); },
    set time(seconds) { at = seconds; if (running) begin(seconds); },
    get playing() { return running; },
    get rate() { return rate; },
    set rate(value) { again(() => { rate = value; }); },
    set loop(range) { again(() => { loop = range; }); },
    play() {
      context.resume().then(() => {
        if (at >= song.duration - 0.1) at = 0;
        running = true;
        begin(at);
        changed();
      });
    },
    pause() { at = now(); running = false; halt(); changed(); },
    levels(gains) { strips.forEach((strip, i) => strip.gain.setTargetAtTime(gains[i], context.currentTime, 0.01)); },
  };
};
const decodeStems = () => Promise.all(song.stems.map(async (stem) => {
  const decoded = await new OfflineAudioContext(1, 1, RATE).decodeAudioData(fileBytes(stem.file).buffer);
  return { ...stem, samples: decoded.getChannelData(0) };
}));

