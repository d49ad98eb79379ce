// The look of the dtype flow. Dtypes carry the colours of the book's figures (DTYPE_STYLE in plots.py), lighter on dark.

const COLORS = {
  float64: ["#86827a", "#b5b1a8"], float32: ["#22211f", "#e6e4df"], tfloat32: ["#bd5f92", "#e39bc4"], bfloat16: ["#0072b2", "#5cb3e6"],
  float16: ["#d55e00", "#f0934a"], float8_e4m3fn: ["#00795b", "#4fc3a1"], float8_e5m2: ["#9a8100", "#e0c440"], other: ["#6f6b85", "#b0abc9"],
};
const colors = Object.entries(COLORS).map(([name, [light, dark]]) => `.${name} { --c: ${light}; } .dark .${name} { --c: ${dark}; }`).join("\n");

export const CSS = `
.amp { border: 1px solid var(--line); border-radius: 12px; background: var(--paper); padding: 20px; display: grid; gap: 14px;
  grid-template-columns: minmax(0, 1fr); --cast: #8a5a00; --castwash: #fdf1d8; }
.amp.dark { --cast: #f2c265; --castwash: #352b16; }
${colors}
p { margin: 0; } [hidden] { display: none !important; }
.hint { color: var(--muted); font-size: 13px; } .hint:empty { display: none; }
.row { gap: 8px; } .next { margin-inline-start: auto; }
button[aria-pressed=true] { border: 2px solid var(--ink); font-weight: 600; }
.total { font-size: 17px; line-height: 1.35; font-weight: 600; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; font-size: 13px; } .tag { display: inline-flex; align-items: center; gap: 5px; white-space: nowrap; }
.key { flex: none; } svg.sample { flex: none; width: 26px; height: 16px; }
.marker { fill: var(--c); stroke: var(--paper); stroke-width: 1; } .marker.other { fill: var(--paper); stroke: var(--c); stroke-width: 2; }
.work { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 320px); gap: 16px; align-items: start; }
.flow-list { position: relative; max-height: 560px; overflow-y: auto; border: 1px solid var(--line); border-radius: 8px; }
.region { font-size: 13px; font-weight: 600; color: var(--ink); background: var(--wash); padding: 6px 12px; border-block: 1px solid var(--line); }
.group:first-child .region { border-top: 0; }
.item { display: grid; grid-template-columns: auto minmax(0, 1fr); gap: 0 12px; min-height: 58px; padding-inline: 8px 12px; cursor: pointer; border-inline-start: 4px solid transparent; }
.item + .item { border-top: 1px solid var(--line); } .item:hover { background: var(--wash); }
.item[aria-selected=true] { border-inline-start-color: var(--accent); background: var(--wash); outline: 2px solid var(--accent); outline-offset: -2px; }
.lanes { position: relative; } .lanes svg { overflow: visible; } .lanes > svg { position: absolute; inset: 0; width: 100%; height: 100%; }
.guide { stroke: var(--line); stroke-width: 1; } .flow { stroke: var(--muted); stroke-width: 2; } .flow.cast { stroke: var(--cast); stroke-width: 4; } .flow.change { stroke-dasharray: 4 3; }
.text { padding-block: 8px; display: grid; gap: 2px; align-content: center; overflow-wrap: anywhere; }
.name { font-weight: 600; } .where { color: var(--muted); font-size: 13px; } .dtypes { font-size: 13px; }
.castline { justify-self: start; font-size: 13px; color: var(--ink); background: var(--castwash); border: 1px solid var(--cast); border-inline-start-width: 6px; border-radius: 6px; padding: 1px 8px; margin-top: 3px; }
.bar { height: 6px; min-width: 2px; border-radius: 3px; background: var(--cast); margin-top: 4px; }
.panel { background: var(--wash); border-radius: 8px; padding: 14px 16px; display: grid; gap: 8px; grid-template-columns: minmax(0, 1fr); min-height: 300px; align-content: start; }
.panel .hint { color: var(--ink); } .title { font: 600 17px/1.3 var(--pst-font-family-base, system-ui, sans-serif); overflow-wrap: anywhere; }
.ops { list-style: none; margin: 0; padding: 0; font-size: 13px; } .ops li { border-top: 1px solid var(--line); padding-block: 6px; overflow-wrap: anywhere; }
.ops .castline { display: inline-block; margin: 2px 0; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@container (max-width: 620px) { .work { grid-template-columns: minmax(0, 1fr); } .flow-list { max-height: 460px; } .panel { min-height: 260px; } }
@media (max-width: 480px) { .amp { border-width: 1px 0; border-radius: 0; padding: 16px 0; } .panel { padding: 12px; } .item { padding-inline: 4px 8px; gap: 0 8px; } .next { margin-inline-start: 0; } }
@media print { .flow-list { max-height: none; } .item { break-inside: avoid; } }
`;
