// The look of the roofline. A dtype has the book's colour and marker, and a line style of its own.

import { FORM_CSS } from "./form.js";

export const CSS = `
.amp { border: 1px solid var(--line); border-radius: 12px; background: var(--paper); padding: 20px; display: grid; gap: 18px; grid-template-columns: minmax(0, 1fr);
  --float32: var(--ink); --tfloat32: #b0558a; --bfloat16: #0072b2; --float16: #d55e00; --float8: #00795b; }
.amp.dark { --tfloat32: #e0a0c4; --bfloat16: #58b0e6; --float16: #f08a4b; --float8: #4fc3a1; }
.float32 { --c: var(--float32); } .tfloat32 { --c: var(--tfloat32); } .bfloat16 { --c: var(--bfloat16); } .float16 { --c: var(--float16); } .float8_e4m3fn { --c: var(--float8); }
.controls { display: grid; gap: 14px; grid-template-columns: minmax(0, 1fr); }
.headline { display: grid; gap: 4px; min-height: 6.5em; align-content: start; } .headline .value { font-size: 26px; line-height: 1.3; }
.axis, .legend { font-size: 13px; color: var(--muted); } .chart { height: 340px; } .chart svg { display: block; }
.chart text { fill: var(--muted); font: 12px var(--pst-font-family-base, system-ui, sans-serif); font-variant-numeric: tabular-nums; }
svg path { fill: none; } .grid { stroke: var(--line); } .now { stroke: var(--muted); stroke-dasharray: 1 4; } .ring { stroke: var(--ink); stroke-width: 2; }
.line { stroke: var(--c); stroke-width: 1.75; stroke-linejoin: round; } .line.chosen { stroke-width: 4; } .copy { stroke: var(--muted); stroke-width: 2; stroke-dasharray: 12 4 2 4; }
svg .marker { fill: var(--c); stroke: var(--c); stroke-width: 1.5; } svg .marker.measured { fill: none; stroke-width: 2; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 16px; color: var(--ink); } .key { vertical-align: middle; overflow: visible; }
.scroll { overflow-x: auto; } .record th.number { white-space: normal; } .record .title { padding: 0; }
summary { min-height: 44px; padding: 10px 0; cursor: pointer; } .notes { display: grid; gap: 8px; font-size: 14px; }
${FORM_CSS}
@media (max-width: 480px) { .headline { min-height: 9em; } .headline .value { font-size: 22px; } }
@media print { .headline { min-height: 0; } }
`;
