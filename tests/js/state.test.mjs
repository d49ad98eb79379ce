// The bit explorer's state and its part of the address, without a page.
import assert from "node:assert/strict";
import test from "node:test";

import widget, { readState } from "../../amp_helpers/static/widgets/bit_explorer.js";

const read = (text) => widget.address.read(text);
const write = (traits) => widget.address.write((name) => traits[name]);

test("an address round-trips", () => {
  for (const text of [
    "float16:0x3c00", "float64:0x8000000000000001", "float16:0x2e66:0.1", "float16:0x3555:1%2F3", "float4_e2m1fn:0x7",
    "custom,3,2,3,none,1:0x05", "custom,8,0,127,all_ones,0:0x7d", "custom,4,3,-2,ieee,1:0x38:2%5E-3",
  ]) assert.equal(write(read(text)), text);
});

test("an address that makes no sense is left alone", () => {
  for (const text of [
    "", ":", "half:0x1", "float16:0x10000", "float16:zz", "float16:0x1:<b>", "custom:0x1", "custom,0,2,3,none,1:0x05", "%", "float16:0x1:%",
    "__proto__:0x1", "constructor:0x1", "custom,3,2,3,toString,1:0x05",
  ]) assert.equal(read(text), null, text);
});

test("an empty code is that of the typed number, or of 1", () => {
  assert.equal(readState({}).code, 0x3c00n);
  assert.equal(readState({ format: "bfloat16" }).code, 0x3f80n);
  assert.equal(readState({ format: "float16", typed: "0.1" }).code, 0x2e66n);
  assert.throws(() => readState({ format: "half" }), /unknown format 'half'; choose from float64, .*custom/);
  assert.throws(() => readState({ format: "float4_e2m1fn", code: "0x10" }), /needs 5 bits/);
});
