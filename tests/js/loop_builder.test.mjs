// The loop builder without a page: its state, its blocks, its part of the address. The code itself is run by Python's tests.
import assert from "node:assert/strict";
import test from "node:test";

import widget, { readState } from "../../amp_helpers/static/widgets/loop_builder.js";
import { ACCUMULATE, DEFAULTS, IDS, OPTIMIZERS, PLAIN, PRECISIONS, build, codeOf, isNew } from "../../amp_helpers/static/widgets/loop_builder_code.js";
import { sentence } from "../../amp_helpers/static/widgets/loop_builder_parts.js";

const ALL = PRECISIONS.flatMap((precision) => [false, true].flatMap((clip) => ACCUMULATE.flatMap((accumulate) =>
  OPTIMIZERS.flatMap((optimizers) => [false, true].map((scheduler) => ({ precision, clip, accumulate, optimizers, scheduler }))))));
const ids = (choices) => build({ ...PLAIN, ...choices }).map(({ id }) => id);
const lines = (choices) => codeOf(build({ ...PLAIN, ...choices })).trimEnd().split("\n");

test("every combination has its own code, whose blocks stand in the template's order", () => {
  assert.equal(new Set(ALL.map((choices) => codeOf(build(choices)))).size, 128);
  for (const choices of ALL) {
    const places = build(choices).map(({ id }) => IDS.indexOf(id));
    assert.deepEqual(places, [...places].sort((a, b) => a - b));
  }
});

test("a choice adds its own blocks and no others", () => {
  const plain = ["imports", "device", "yours", "optimizer", "loop", "forward", "backward", "step", "zero", "end"];
  assert.deepEqual(ids({}), plain);
  const added = (choices) => ids(choices).filter((id) => !plain.includes(id));
  assert.deepEqual(added({ precision: "tf32" }), ["tf32"]);
  assert.deepEqual(added({ precision: "bf16-mixed" }), []);
  assert.deepEqual(added({ precision: "16-mixed" }), ["scaler", "update"]);
  assert.deepEqual(added({ precision: "16-mixed", clip: true }), ["scaler", "unscale", "clip", "update"]);
  assert.deepEqual(added({ precision: "bf16-mixed", clip: true }), ["clip"]);
  assert.deepEqual(added({ accumulate: 2 }), ["accumulate", "boundary"]);
  assert.deepEqual(added({ scheduler: true }), ["schedule", "schedule-step"]);
  assert.deepEqual(added({ optimizers: 2 }), []);
});

test("lines inside the region and behind the boundary are indented", () => {
  const before = (choices, text) => lines(choices).find((line) => line.trim() === text).search(/\S/);
  assert.equal(before({}, "outputs = model(inputs)"), 4);
  assert.equal(before({ precision: "bf16-mixed" }, "outputs = model(inputs)"), 8);
  assert.equal(before({}, "optimizer.zero_grad()"), 4);
  assert.equal(before({ accumulate: 8 }, "optimizer.zero_grad()"), 8);
  assert.equal(before({ precision: "16-mixed", scheduler: true, accumulate: 2 }, "scheduler.step()"), 12);
});

test("marks stand at what the plain loop lacks", () => {
  assert.ok(!lines({}).some(isNew));
  assert.deepEqual(lines({ precision: "bf16-mixed" }).filter(isNew), ["    with torch.autocast(device.type, dtype=torch.bfloat16):"]);
  assert.deepEqual(lines({ clip: true }).filter(isNew), ["    nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)"]);
});

test("state: what is wrong is named", () => {
  const state = readState({});
  assert.deepEqual({ ...DEFAULTS, explain: "forward", blocks: state.blocks, code: state.code }, state);
  assert.ok(state.code.includes("scaler.unscale_(optimizer)"));
  for (const [traits, message] of [
    [{ precision: "fp16" }, /unknown precision 'fp16'; choose from 32-true, tf32, bf16-mixed, 16-mixed/], [{ clip: 1 }, /unknown clip '1'/],
    [{ accumulate: 3 }, /unknown accumulate '3'; choose from 1, 2, 4, 8/], [{ optimizers: "2" }, /unknown optimizers '2'/],
    [{ explain: "<b>" }, /unknown explain '<b>'; choose from imports/], [{ scheduler: null }, /unknown scheduler 'null'/],
  ]) assert.throws(() => readState(traits), message);
});

test("a sentence names every choice", () => {
  assert.equal(sentence(readState({})), `FP16 autocast + GradScaler, clipping, no accumulation, 1 optimizer, no scheduler: ${readState({}).code.trim().split("\n").length} lines.`);
  assert.match(sentence(readState({ ...PLAIN, accumulate: 4, optimizers: 2, scheduler: true })), /^FP32, no clipping, 4 micro-batches per step, 2 optimizers, scheduler: /);
});

test("an address round-trips, and one that makes no sense is left alone", () => {
  const { read, write } = widget.address;
  for (const choices of ALL) {
    for (const explain of ["imports", "schedule-step"]) {
      const state = { ...choices, explain };
      assert.deepEqual(read(write((key) => state[key])), state);
    }
  }
  assert.equal(write((key) => ({ ...DEFAULTS, scheduler: true, explain: "unscale" })[key]), "16-mixed:clip:1:1:scheduler:unscale");
  for (const text of ["", ":::::", "16-mixed", "16-mixed:true:1:1::forward", "fp16::1:1::forward", "16-mixed::3:1::forward", "16-mixed::1:1::nope",
    "16-mixed::1:1::forward:", "16-mixed::1:1:<b>:forward", "16-mixed::1:1::__proto__"]) assert.equal(read(text), null, text);
});
