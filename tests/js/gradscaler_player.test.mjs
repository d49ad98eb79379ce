// The GradScaler player against torch.amp.GradScaler's own traces, and its state, without a page.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

import widget from "../../amp_helpers/static/widgets/gradscaler_player.js";
import { frame, height, thin, turns } from "../../amp_helpers/static/widgets/gradscaler_player_chart.js";
import { PRESETS } from "../../amp_helpers/static/widgets/gradscaler_player_parts.js";
import { outlook, scaleText, shortScale, stepWords, typed, verdict } from "../../amp_helpers/static/widgets/gradscaler_player_words.js";
import * as scaler from "../../amp_helpers/static/widgets/scaler.js";

const { torch: traces, ours } = JSON.parse(readFileSync(process.env.AMP_VECTORS, "utf8")).scaler_traces;
const number = (value) => (value === "Infinity" ? Infinity : value === "NaN" ? NaN : value);
const run = (traits) => {
  const state = scaler.readState(traits);
  return { ...state, ...scaler.play(state) };
};

test("every trace of torch's GradScaler and of LossScaler is replayed exactly", () => {
  let steps = 0;
  for (const { name, weights_finite, ...trace } of [...traces, ...ours]) {
    const played = run(scaler.readHistory(JSON.stringify(trace)));
    assert.equal(played.count, trace.found_inf.length);
    assert.deepEqual(Array.from(played.found), trace.found_inf);
    trace.scale.forEach((scale, n) => assert.ok(Object.is(number(scale), played.used[n + 1]), `${n} ${scale} ${played.used[n + 1]}`));
    assert.deepEqual(Array.from(played.trackers).slice(1), trace.growth_tracker);
    if (weights_finite) assert.deepEqual(weights_finite, trace.scale.map((_, n) => Number(played.ruined === null || n < played.ruined)), name);
    steps += played.count;
  }
  assert.ok(traces.length > 100 && ours.length > 50 && steps > 4000, `${traces.length} ${steps}`);
});

test("a history that the settings do not give is refused, with its iteration", () => {
  const trace = traces[0];
  const read = (change) => scaler.readHistory(JSON.stringify({ ...trace, ...change }));
  const scale = [...trace.scale], growth_tracker = [...trace.growth_tracker];
  scale[7] = 3;
  growth_tracker[9] = 1;
  assert.throws(() => read({ scale }), /After iteration 7 the history has scale 3; these settings give 256/);
  assert.throws(() => read({ growth_tracker }), /After iteration 9 the history has growth tracker 1; these settings give 0/);
  assert.throws(() => read({ backoff_factor: 0.25 }), /After iteration 0 .* scale 32768; these settings give 16384/);
});

test("a paste is told what is wrong with it", () => {
  const good = { init_scale: 4, growth_factor: 2, backoff_factor: 0.5, growth_interval: 5, found_inf: [0], scale: [4], growth_tracker: [1] };
  assert.equal(scaler.readHistory(JSON.stringify(good)).steps, "s");
  for (const [text, message] of [
    ["", /Paste the text that json\.dumps/],
    ["{'init_scale': 1}", /This is not JSON \(.+\)\. Python prints it with json\.dumps/],
    ["[1, 2]", /a JSON object in braces, not \[1,2\]/i],
    ["null", /in braces, not null/],
    ["{}", /lacks init_scale, growth_factor, backoff_factor, growth_interval, found_inf, scale, growth_tracker/],
    [{ scale: 4 }, /scale must be a list, one entry per iteration/],
    [{ scale: [4, 4] }, /differ in length: found_inf 1, scale 2, growth_tracker 1/],
    [{ found_inf: [true] }, /found_inf\[0\] must be 0 or 1, not true/],
    [{ found_inf: [2] }, /found_inf\[0\] must be 0 or 1, not 2/],
    [{ scale: ["4"] }, /scale\[0\] must be a number, "Infinity" or "NaN", not "4"/],
    [{ scale: ["toString"] }, /must be a number/],
    [{ growth_tracker: ["1"] }, /growth tracker "1"; these settings give 1/],
    [{ growth_factor: 1 }, /growth_factor must be a number above 1, not 1/],
    [{ backoff_factor: 1 }, /backoff_factor must be a number from 0 to below 1, not 1/],
    [{ growth_interval: 0 }, /growth_interval must be a whole number from 1/],
    [{ init_scale: null }, /init_scale must be a number above 0 that float32 holds, not null/],
    [{ set_scale: [1] }, /set_scale must be an object/],
    [{ set_scale: { 3: 1 } }, /set_scale names iteration "3", which the history does not have/],
    [{ set_scale: { 0: "x" } }, /set_scale\[0\] must be a number/],
    [{ extra: 1 }, /Unknown key "extra"; a history has init_scale/],
  ]) assert.throws(() => scaler.readHistory(typeof text === "string" ? text : JSON.stringify({ ...good, ...text })), (error) => error instanceof RangeError && message.test(error.message), `${message}`);
});

test("steps as text are read, joined and written", () => {
  const same = (text) => scaler.writeSteps(scaler.parseSteps(text));
  for (const text of ["", "s", "i", "s20is5", "s3=128;i2=0.25!;=Infinity;s"]) assert.equal(same(text), text);
  assert.equal(same("sss1s0i0ii"), "s3i2");
  assert.equal(scaler.countSteps("s20=1;i"), 22);
  for (const text of ["x", "s-1", "20s", "=;", "=1", "=1e;", "=--1;", "s 1", "s1.5", "S1", "s100001", "s99999ii", "s1e3", "<b>"]) assert.throws(() => scaler.parseSteps(text), RangeError, text);
  assert.throws(() => scaler.parseSteps("si".repeat(10001)), /steps hold 20002 characters; 20000 at most/);
  assert.throws(() => scaler.parseSteps(7), /must be text/);
});

test("the cliff is 144 halvings below 2^16", () => {
  assert.ok(!scaler.ruins(2 ** -127) && scaler.ruins(2 ** -128) && scaler.ruins(0) && !scaler.ruins(NaN) && !scaler.ruins(Infinity));
  assert.ok(!scaler.ruins(2 ** -128 + 2 ** -149), "the next float32");
  assert.equal(run({ steps: "i143" }).scale, 2 ** -127);
  const there = run({ steps: "i144" });
  assert.equal(there.scale, 2 ** -128);
  assert.equal(there.ruined, null);
  assert.match(verdict(there), /Beyond the cliff/);
  assert.match(outlook(there, there).good, /1\/scale is infinite in float32.*turns every 0 into NaN and everything else into infinity/);
  const over = run({ steps: "i144is2" });
  assert.equal(over.ruined, 145);
  assert.match(verdict(over), /^✕ Step 146 wrote infinite or NaN weights/);
  assert.equal(stepWords(over, 145).kind, "ruined");
  assert.equal(run({ steps: "i166" }).scale, 0);
});

test("overflow above a scale makes a sawtooth, and steps may stop there", () => {
  const { found, skipped, used } = run({ growth_interval: 20, overflow_above: 2 ** 17, steps: "s200" });
  assert.equal(skipped, Array.from(found).reduce((a, b) => a + b));
  assert.ok(skipped > 5 && Math.max(...used) === 2 ** 18);
  Array.from(found).forEach((inf, n) => assert.equal(Boolean(inf), used[n] > 2 ** 17));
  for (const [name, preset] of PRESETS) assert.ok(run(preset).count > 100 && run(preset).skipped > 5, name);
});

test("the tracker that has passed the interval never lets the scale grow", () => {
  const past = run({ growth_interval: 3, init_growth_tracker: 4, steps: "s50" });
  assert.equal(past.scale, 65536);
  assert.match(outlook(past, past).good, /has passed the growth interval, and only equality/);
});

test("what is said of scales and steps", () => {
  for (const [x, text] of [[65536, "2^16 = 65536"], [2, "2"], [0.5, "2^−1 = 0.5"], [3, "3"], [0, "0"], [NaN, "NaN"], [Infinity, "infinity"], [2 ** -128, "2^−128 = 2.939e-39"], [1.5e-5, "1.5e-5"], [1e-5, "1e-5"], [2e10, "2e10"]]) assert.equal(scaleText(x), text);
  assert.equal(shortScale(2 ** -127), "2^−127");
  assert.deepEqual([65536, 2, 0.5, 3e4].map(typed), ["2^16", "2", "0.5", "30000"]);
  const state = run({ growth_interval: 2, steps: "s2i" });
  assert.deepEqual([0, 1, 2].map((n) => stepWords(state, n)), [
    { kind: "good", mark: "→", did: "stepped, scale stays" }, { kind: "grew", mark: "▲", did: "stepped, scale → 2^17" },
    { kind: "skipped", mark: "▼", did: "skipped, scale → 2^16" },
  ]);
  const ready = run({ growth_interval: 2, steps: "s" });
  assert.match(outlook(ready, ready).good, /1\/scale = 2\^−16 .* from 1 to 2, which is the growth interval: the scale becomes 2\^17 = 131072 and the tracker 0/);
  assert.match(outlook(ready, ready).bad, /^The optimizer does not step\. The scale becomes 2\^15 = 32768 and the growth tracker 0/);
  const top = run({ init_scale: 2 ** 127, growth_interval: 1 });
  assert.match(outlook(top, top).good, /the scale stays: one more growth would be infinite/);
  assert.equal(verdict(run({})), "Nothing has happened yet.");
  assert.equal(verdict(run({ steps: "si" })), "1 of 2 steps skipped.");
});

test("the chart's frame holds every scale, and markers do not pile up", () => {
  for (const traits of [{}, { steps: "s10" }, { steps: "i166" }, { init_scale: 2 ** 127, growth_interval: 1, steps: "s9" }, { steps: "=Infinity;=NaN;s" }]) {
    const played = run(traits);
    const { last, low, high } = frame(played);
    assert.ok(last >= played.count && high - low >= 6 && low >= -150);
    for (const scale of played.used) assert.ok(height(scale) === null || (height(scale) >= low && height(scale) <= high));
  }
  assert.deepEqual(turns([8, 8, 4, 4, 4]), [0, 2, 4]);
  assert.deepEqual(turns([8]), [0]);
  assert.deepEqual(thin([0, 1, 7, 8, 20], (n) => n), [0, 7, 20]);
});

test("an address round-trips, and one that makes no sense is left alone", () => {
  const { read, write } = widget.address;
  for (const text of ["65536:2:0.5:2000:0:0:", "65536:2:0.5:20:0:131072:s200", "0.1:1.5:0:1:3:0:s3%3D128%3Bi2"]) {
    const traits = read(text);
    assert.equal(write((name) => traits[name]), text);
  }
  for (const text of ["", ":", "65536:2:0.5:2000:0:0", "65536:1:0.5:2000:0:0:", ":2:0.5:2000:0:0:", "65536:2:0.5:2000:0:0:x", "65536:2:0.5:1.5:0:0:", "65536:2:0.5:2000:0:0:%", "Infinity:2:0.5:2000:0:0:", "1:2:0.5:2000:0:0:s:s", "<b>:2:0.5:2000:0:0:"]) assert.equal(read(text), null, text);
});
