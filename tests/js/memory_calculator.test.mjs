// The memory calculator without a page: its bytes against predict_memory, its state and its part of the address.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

import widget, { readState } from "../../amp_helpers/static/widgets/memory_calculator.js";
import { CHOICES, KINDS, LARGEST, largestBatch, neededOf, parametersOf, stepBytes, totalOf } from "../../amp_helpers/static/widgets/memory_calculator_math.js";

const steps = JSON.parse(readFileSync(process.env.AMP_VECTORS, "utf8")).memory;
const cards = { T4: 16, H200: 141 };

test("bytes are those of predict_memory", () => {
  assert.ok(steps.length > 100);
  for (const { bytes, ...config } of steps) {
    const found = stepBytes({ checkpointing: false, ...config });
    const where = JSON.stringify(config);
    for (const kind of KINDS.slice(0, 4)) assert.equal(found[kind], bytes[kind], `${kind} ${where}`);
    // CUDA's fused kernels keep a few bytes for random numbers, and round the length of a row up.
    const slack = config.device === "cuda" && config.attention === "fused" ? 1e-3 : 0;
    assert.ok(Math.abs(found.activations - bytes.activations) <= slack * bytes.activations, `activations ${found.activations}, not ${bytes.activations}: ${where}`);
  }
});

test("the vectors cover every choice", () => {
  for (const name of ["recipe", "optimizer", "attention"]) {
    for (const value of CHOICES[name]) assert.ok(steps.some((step) => step[name] === value), `${name} ${value}`);
  }
  assert.ok(steps.some(({ checkpointing }) => checkpointing) && steps.some(({ model }) => model === "mlp"));
});

test("of a number of parameters everything but the activations is known", () => {
  const found = stepBytes({ model: "parameters", parameters: 1000, optimizer: "adamw", recipe: "bf16-mixed", batch: 8 });
  assert.deepEqual(found, { parameters: 4000, gradients: 4000, optimizer: 8000, casts: 2000, activations: null, recomputed: 0, temporary: null });
  assert.equal(totalOf(found), 18000);
  assert.equal(neededOf(found), 18000);
  assert.equal(stepBytes({ model: "parameters", parameters: 1000, optimizer: "sgd", recipe: "bf16-true" }).casts, 0);
});

test("what is recomputed is what a block keeps without checkpointing", () => {
  const state = readState({ cards });
  for (const recipe of CHOICES.recipe) {
    const [plain, kept] = [false, true].map((checkpointing) => stepBytes({ ...state, recipe, checkpointing }));
    const width = recipe === "bf16-true" ? 2 : 4;
    const saved = plain.activations - kept.activations;
    assert.equal(saved, state.layers * (kept.recomputed - state.batch * state.context * state.width * width));
    assert.equal(plain.recomputed, 0);
  }
});

test("the loss's backward pass holds two tensors as large as the logits, or one where log-softmax is kept twice", () => {
  const state = readState({ cards, device: "cpu" }), logits = state.batch * state.context * state.vocabulary;
  const temporary = (changes) => stepBytes({ ...state, ...changes }).temporary / logits;
  assert.deepEqual(CHOICES.recipe.map((recipe) => temporary({ recipe })), [8, 8, 8, 4]);
  assert.deepEqual(CHOICES.recipe.map((recipe) => temporary({ recipe, device: "cuda" })), [8, 4, 4, 4]);
  assert.equal(stepBytes({ ...state, model: "mlp" }).temporary, 8 * state.batch * state.outputs);
});

test("of gradients and temporary tensors the larger is needed", () => {
  const bytes = { parameters: 1, gradients: 10, optimizer: 100, casts: 1000, activations: 10000 };
  assert.equal(neededOf({ ...bytes, temporary: 9 }), 11111);
  assert.equal(neededOf({ ...bytes, temporary: 30 }), 11131);
});

test("the largest batch fits, and one more does not", () => {
  for (const [model, recipe] of [["gpt", "bf16-mixed"], ["gpt", "32-true"], ["mlp", "bf16-true"]]) {
    const state = readState({ cards, model, recipe });
    for (const capacity of [4e9, 16e9, 141e9]) {
      const most = largestBatch(state, capacity);
      const needed = (batch) => neededOf(stepBytes({ ...state, batch }));
      assert.ok(most > 0 && needed(most) <= capacity && (most === LARGEST.batch || needed(most + 1) > capacity), `${model} ${recipe} ${most}`);
    }
  }
  assert.equal(largestBatch(readState({ cards }), 1e9), 0);
  assert.equal(largestBatch(readState({ cards, model: "mlp", inputs: 1, outputs: 1, layers: 1, width: 1 }), 1e12), LARGEST.batch);
  assert.equal(largestBatch(readState({ cards, model: "parameters" }), 1e12), null);
});

test("GPT-2 has as many parameters as GPT-2", () => {
  assert.equal(parametersOf(readState({ cards, vocabulary: 50257 })), 124439808);
});

test("a state names what is wrong with it", () => {
  assert.throws(() => readState({}), /no cards/);
  assert.throws(() => readState({ cards, recipe: "fp8" }), /unknown recipe 'fp8'; choose from 32-true, 16-mixed/);
  assert.throws(() => readState({ cards, width: 100 }), /width 100 is not a multiple of 12 heads/);
  assert.equal(readState({ cards, width: 100, model: "mlp" }).width, 100);
  assert.throws(() => readState({ cards, batch: 0 }), /batch must be a whole number from 1 to 1,000,000, not 0/);
  assert.throws(() => readState({ cards, layers: "many" }), /layers must be a whole number from 1 to 1,000, not many/);
});

test("an address round-trips, and one that makes no sense is left alone", () => {
  const { read, write } = widget.address;
  for (const text of ["gpt:bf16-mixed:adamw:cuda:fused:true:16:12:768:12:50304:1024", "mlp:32-true:sgd:cpu:plain:false:1:3:64:10:2", "parameters:16-mixed:adam:cuda:fused:false:1:7000000000"]) {
    const traits = read(text);
    assert.equal(write((name) => traits[name]), text);
  }
  for (const text of ["", ":", "gpt", "gpt:bf16-mixed:adamw:cuda:fused:true:16", "gpt:bf16-mixed:adamw:cuda:fused:yes:16:12:768:12:50304:1024", "gpt:bf16-mixed:adamw:cuda:fused:true:16:12:100:12:50304:1024",
    "gpt:bf16-mixed:adamw:tpu:fused:true:16:12:768:12:50304:1024", "mlp:32-true:sgd:cpu:plain:false:1:3:64:10:0", "mlp:32-true:sgd:cpu:plain:false:1:3:64:10:<b>", "toString:32-true:sgd:cpu:plain:false:1", "%"]) assert.equal(read(text), null, text);
});
