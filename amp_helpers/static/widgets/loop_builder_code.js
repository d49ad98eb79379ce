// From choices to the code of a training loop, block by block. Nothing here knows of a page.

import { TEMPLATE } from "./loop_builder_template.js";

export const PRECISIONS = ["32-true", "tf32", "bf16-mixed", "16-mixed"];
export const ACCUMULATE = [1, 2, 4, 8];
export const OPTIMIZERS = [1, 2];
export const DEFAULTS = { precision: "16-mixed", clip: true, accumulate: 1, optimizers: 1, scheduler: false };
/** The loop that lines are compared with: what stands here needs no mark. */
export const PLAIN = { precision: "32-true", clip: false, accumulate: 1, optimizers: 1, scheduler: false };

const DTYPES = { "bf16-mixed": "bfloat16", "16-mixed": "float16" };

/** What holds for these choices, by the template's names. */
function flagsOf({ precision, clip, accumulate, optimizers, scheduler }) {
  const flags = { tf32: precision === "tf32", fp16: precision === "16-mixed", autocast: precision in DTYPES, clip, accumulate: accumulate > 1, two: optimizers === 2, scheduler };
  return new Set(Object.keys(flags).filter((name) => flags[name]));
}

function parse(template) {
  const blocks = [];
  for (const line of template.trim().split("\n")) {
    const [, head, kind, rest] = /^(?:\{(.*?)\})?(@|>|\|) ?(.*)$/.exec(line);
    if (kind === "@") {
      const [id, title] = rest.split(" | ");
      blocks.push({ id, title, reasons: [], lines: [] });
      continue;
    }
    const [, inner, text] = kind === ">" ? /^(?:\{(.*?)\} )?(.*)$/.exec(rest) : [null, head, rest];
    blocks.at(-1)[kind === ">" ? "reasons" : "lines"].push({ flags: inner ? inner.split(" ") : [], text });
  }
  return blocks;
}

const BLOCKS = parse(TEMPLATE);
export const IDS = BLOCKS.map(({ id }) => id);

/** The blocks of the loop with these choices, in order: [{ id, title, why, lines }]. */
export function build(choices) {
  const flags = flagsOf(choices);
  const holds = (one) => one.flags.every((name) => (name[0] === "!" ? !flags.has(name.slice(1)) : flags.has(name)));
  const fill = (text) => text.replaceAll("N_MICRO", choices.accumulate).replaceAll("DTYPE", DTYPES[choices.precision] ?? "");
  const indent = (name) => (flags.has(name) ? " ".repeat(4) : "");
  const code = (text) => fill(text).replace(/^( *)\^/, `$1 ${indent("autocast")}`).replace(/^( *)~/, `$1 ${indent("accumulate")}`)
    .replace("RETAIN", flags.has("two") ? "retain_graph=True" : "");
  return BLOCKS.map(({ id, title, reasons, lines }) => ({
    id, title, why: reasons.filter(holds).map(({ text }) => fill(text)).join(" "), lines: lines.filter(holds).map(({ text }) => code(text)),
  })).filter(({ lines }) => lines.length);
}

/** The text of a loop, as it is copied. */
export const codeOf = (blocks) => blocks.map(({ lines }) => lines.map((line) => `${line}\n`).join("")).join("");

const COMMON = new Set(build(PLAIN).flatMap(({ lines }) => lines.map((line) => line.trim())));

/** Whether the plain FP32 loop lacks this line. */
export const isNew = (line) => !COMMON.has(line.trim());
