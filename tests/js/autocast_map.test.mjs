// The autocast map without a page: policies, reasons, pasted layers, its state and its part of the address.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import test from "node:test";

import widget, { readState } from "../../amp_helpers/static/widgets/autocast_map.js";
import { COMMON_UNLISTED, FAMILIES, GENERAL, LAYERS, PARTS } from "../../amp_helpers/static/widgets/autocast_map_families.js";
import {
  CATEGORIES, byVersion, changes, deciding, layersOf, minor, readLayers, readPolicies, reason, search, verdict,
} from "../../amp_helpers/static/widgets/autocast_map_rules.js";

/** The stored files, packed as Python packs them for the page. */
const FOLDER = new URL("../../amp_helpers/static/policy/", import.meta.url);
const STORED = readdirSync(FOLDER).filter((name) => name.startsWith("torch-")).map((name) => JSON.parse(readFileSync(new URL(name, FOLDER), "utf8")));
const PACKED = Object.fromEntries(STORED.map(({ torch, policies }) => [torch, Object.fromEntries(Object.entries(policies).map(([device, ops]) => [
  device, Object.fromEntries(CATEGORIES.map((category) => [category, Object.keys(ops).filter((op) => ops[op] === category).join(" ")])),
]))]));
const policies = readPolicies(PACKED);
const newest = policies.versions.at(-1);

test("every op of the stored files has its category", () => {
  let checked = 0;
  for (const { torch, policies: devices } of STORED) {
    for (const [device, ops] of Object.entries(devices)) {
      for (const [op, category] of Object.entries(ops)) {
        assert.equal(policies.category(torch, device, op), category, `${torch} ${device} ${op}`);
        assert.ok(policies.ops.includes(op));
        checked += 1;
      }
      for (const category of CATEGORIES) assert.equal(policies.of(torch, device, category).length, Object.values(ops).filter((one) => one === category).length);
    }
  }
  assert.ok(STORED.length >= 3 && checked > 600);
});

test("every listed op has a reason of its family", () => {
  for (const { policies: devices } of STORED) {
    for (const [device, ops] of Object.entries(devices)) {
      for (const [op, category] of Object.entries(ops)) {
        if (category === "not classified") continue;
        assert.ok(!Object.values(GENERAL).includes(reason(op, category, device)), `${device} ${op} ${category}`);
      }
    }
  }
});

test("every op of a family is listed somewhere with a category that the family explains", () => {
  for (const { id, when, device, ops } of FAMILIES) {
    assert.equal(new Set(ops).size, ops.length, id);
    for (const op of ops) {
      const found = policies.versions.flatMap((version) => (device ? [device] : ["cpu", "cuda"]).map((one) => policies.category(version, one, op)));
      assert.ok(found.some((category) => when.includes(category)), `${id}: ${op} is ${[...new Set(found)]}`);
    }
  }
});

test("ops called unlisted are on no list, and layers call known ops only", () => {
  for (const op of COMMON_UNLISTED) {
    for (const { policies: devices } of STORED) assert.ok(!(op in devices.cpu) && !(op in devices.cuda), op);
  }
  for (const [layer, ops] of LAYERS) for (const op of ops) assert.ok(policies.ops.includes(op), `${layer}: ${op}`);
  for (const [device, table] of Object.entries(PARTS)) {
    for (const [op, parts] of table) {
      assert.equal(policies.category(newest, device, op), "composed", `${device}: ${op}`);
      for (const part of parts) assert.ok(part in STORED.find(({ torch }) => torch === newest).policies[device], `${device}: ${part}`);
    }
  }
});

test("a category says what comes out", () => {
  assert.deepEqual(verdict("lower precision", "float16").given, ["float16", "float16"]);
  assert.deepEqual(verdict("float32", "float16").given, ["float32", "float32"]);
  assert.deepEqual(verdict("widest", "float16").given, ["float32", "float16"]);
  assert.deepEqual(verdict("unlisted", "bfloat16").given, ["float32", "bfloat16"]);
  assert.equal(verdict("banned", "float16").word, "raises an error");
  assert.equal(verdict("not classified", "float16").word, verdict("unknown", "float16").word);
});

test("what changed is what the files say", () => {
  assert.deepEqual(changes(policies, "cuda").map(({ from, to }) => [from, to]), policies.versions.slice(1).map((to, i) => [policies.versions[i], to]));
  const moved = changes(policies, "cuda").flatMap(({ lines }) => lines);
  assert.deepEqual(moved.find(({ op }) => op === "rms_norm"), { op: "rms_norm", before: "unlisted", after: "float32" });
  for (const device of ["cpu", "cuda"]) {
    for (const { from, to, lines } of changes(policies, device)) {
      const [a, b] = [from, to].map((version) => STORED.find(({ torch }) => torch === version).policies[device]);
      const expected = [...new Set([...Object.keys(a), ...Object.keys(b)])].filter((op) => a[op] !== b[op]);
      assert.deepEqual(lines.map(({ op }) => op).sort(), expected.sort());
    }
  }
});

test("versions sort as numbers", () => {
  assert.deepEqual(["2.11.0", "2.8.0", "2.15.0+cpu", "2.8.1"].sort(byVersion), ["2.8.0", "2.8.1", "2.11.0", "2.15.0+cpu"]);
  assert.equal(minor("2.15.0+cpu"), "2.15");
});

test("a search finds ops and the layers that call them", () => {
  assert.equal(search(policies, "linear")[0], "linear");
  assert.equal(search(policies, "LayerNorm")[0], "layer_norm");
  assert.equal(search(policies, "torch.nn.functional.conv2d")[0], "conv2d");
  assert.equal(search(policies, "F.softmax")[0], "softmax");
  assert.equal(search(policies, "nn.CrossEntropyLoss")[0], "cross_entropy_loss");
  assert.ok(search(policies, "norm").length > 5);
  assert.deepEqual(search(policies, "nosuchop"), []);
  assert.equal(search(policies, " ").length, policies.ops.length);
  assert.deepEqual(layersOf("batch_norm"), ["BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "SyncBatchNorm"]);
});

const names = ({ layers }) => layers.map(({ name, count }) => (count > 1 ? `${name} x${count}` : name));

test("a printed model is read", () => {
  const read = readLayers(`Net(
  (stem): Sequential(
    (0): Conv2d(3, 16, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1), bias=False)
    (1): BatchNorm2d(16, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)
  )
  (blocks): ModuleList(
    (0-3): 4 x Block(
      (norm): LayerNorm((16,), eps=1e-05, elementwise_affine=True)
      (own): MyAttention(heads=4)
    )
    (4-5): 2 x Linear(in_features=16, out_features=16, bias=True)
  )
  (fc): Linear(in_features=16, out_features=10, bias=True)
)`, policies);
  assert.deepEqual(names(read), ["Conv2d", "BatchNorm2d", "LayerNorm", "Linear x3"]);
  assert.deepEqual(read.containers, ["Net", "Sequential", "ModuleList", "Block"]);
  assert.deepEqual(read.unknown, ["MyAttention"]);
});

test("lists and lines of code are read", () => {
  for (const text of ["Linear, Softmax", "Linear Softmax", "Linear\nSoftmax", "nn.Linear(4, 8),\nnn.Softmax(dim=-1)", "['Linear', \"Softmax\"]",
    "self.fc = torch.nn.Linear(4, (2, 2))\nself.act = nn.Softmax(1)", "linear; softmax", "F.linear; torch.softmax"]) {
    assert.deepEqual(names(readLayers(text, policies)).map((name) => name.toLowerCase()), ["linear", "softmax"], text);
    assert.deepEqual(readLayers(text, policies).unknown, [], text);
  }
  assert.deepEqual(names(readLayers("nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Sequential(nn.Linear(2, 2)))", policies)), ["Conv2d", "ReLU", "Linear"]);
  assert.deepEqual(names(readLayers("nn.Conv2d(3, 8,\n    kernel_size=3)", policies)), ["Conv2d"]);
});

test("an unknown name is never guessed", () => {
  const read = readLayers("Liner, linear_, LINEAR, constructor, __proto__, toString, <img src=x>, Conv2D", policies);
  assert.deepEqual(read.layers, []);
  assert.deepEqual(read.unknown, ["Liner", "linear_", "LINEAR", "constructor", "__proto__", "toString", "<img", "src=x>", "Conv2D"]);
  for (const op of ["constructor", "toString", "nosuchop"]) assert.equal(policies.category(newest, "cuda", op), "unknown");
  assert.deepEqual(readLayers("", policies), { layers: [], containers: [], unknown: [] });
});

test("an op made of listed ops is decided by them", () => {
  const state = { policies, torch: newest };
  assert.deepEqual(deciding(state, "cuda", "cross_entropy_loss"), ["nll_loss"]);
  assert.deepEqual(deciding(state, "cpu", "cross_entropy_loss"), ["cross_entropy_loss"]);
  assert.deepEqual(deciding(state, "cpu", "lstm"), ["mkldnn_rnn_layer"]);
  assert.deepEqual(deciding(state, "cuda", "lstm"), ["_cudnn_rnn"]);
  assert.deepEqual(deciding(state, "cpu", "relu"), ["relu"]);
});

test("state: what is wrong is named", () => {
  const state = (traits) => readState({ policies: PACKED, ...traits });
  assert.equal(state({}).torch, newest);
  assert.equal(state({ torch: "2.8" }).torch, policies.versions.find((version) => minor(version) === "2.8"));
  for (const [traits, message] of [
    [{ device: "tpu" }, /unknown device 'tpu'; choose from cpu, cuda/], [{ dtype: "float32" }, /unknown dtype 'float32'; choose from bfloat16, float16/],
    [{ torch: "1.0" }, /unknown torch '1.0'; choose from 2\.8/], [{ op: "<b>" }, /op '<b>' is not an op's name/], [{ policies: {} }, /no policies/],
    [{ layers: "x".repeat(10_001) }, /10001 characters; at most 10000/], [{ policies: { 2: { cpu: { half: "mm" } } } }, /unknown category 'half'/],
  ]) assert.throws(() => state(traits), message);
});

test("an address round-trips, and one that makes no sense is left alone", () => {
  const { read, write } = widget.address;
  for (const text of ["cuda:bfloat16:2.15.0:linear", "cpu:float16::rms_norm:Linear%2C%20Foo", "cuda:float16:2.8:softmax:(fc)%3A%20Linear(4)%0AReLU"]) {
    const state = read(text);
    assert.equal(write((key) => state[key]), text);
  }
  for (const text of ["", ":", "cuda", "tpu:float16::linear", "cpu:half::linear", "cpu:float16:<b>:linear", "cpu:float16:2.8:a b", "%", "cpu:float16:2.8:",
    `cpu:float16:2.8:linear:${"x".repeat(2001)}`]) assert.equal(read(text), null, text);
  assert.equal(write((key) => ({ device: "cpu", dtype: "float16", torch: "", op: "mm", layers: "x".repeat(2001) })[key]), "cpu:float16::mm");
});
