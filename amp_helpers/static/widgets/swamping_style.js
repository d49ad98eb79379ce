// The look of the swamping widget. A dtype has the book's colour; a marker and a line style tell methods apart.

export const CSS = `
.amp { border: 1px solid var(--line); border-radius: 12px; background: var(--paper); padding: 20px; display: grid; gap: 18px;
  grid-template-columns: minmax(0, 1fr); --float32: var(--ink); --bfloat16: #0072b2; --float16: #d55e00; }
.amp.dark { --bfloat16: #58b0e6; --float16: #f08a4b; }
.float32 { --c: var(--float32); } .bfloat16 { --c: var(--bfloat16); } .float16 { --c: var(--float16); }
p { margin: 0; } [hidden] { display: none !important; }
.hint, .problem { font-size: 13px; } .hint { color: var(--muted); margin-top: 8px; } .problem { color: var(--bad); } .problem:empty { display: none; }
.head { justify-content: space-between; align-items: start; flex-wrap: nowrap; } .head > .row { gap: 8px; }
button[aria-pressed=true] { border: 2px solid var(--ink); font-weight: 600; }
.entries { display: grid; gap: 12px; grid-template-columns: repeat(4, minmax(0, 1fr)); align-items: end; }
.entry { align-self: start; } .entry select { width: 100%; }
.headline .value { font-size: 26px; line-height: 1.3; }
.counter { display: grid; grid-template-columns: minmax(200px, 1fr) auto; gap: 12px 20px; align-items: end; }
.counter .row { gap: 8px; } .run { min-width: 104px; }
input[type=range] { padding: 0; border: 0; background: none; accent-color: var(--accent); width: 100%; display: block; cursor: pointer; }
.chart { height: 300px; } .chart svg { display: block; }
.chart text { fill: var(--muted); font: 12px var(--pst-font-family-base, system-ui, sans-serif); font-variant-numeric: tabular-nums; }
svg path { fill: none; } .grid { stroke: var(--line); } .now { stroke: var(--muted); stroke-dasharray: 1 4; }
.exact { stroke: var(--muted); stroke-width: 5; opacity: .4; }
.line { stroke: var(--c); stroke-width: 2; stroke-linejoin: round; }
svg .marker { fill: var(--c); stroke: var(--c); stroke-width: 1.5; } svg .marker.hollow { fill: var(--paper); stroke-width: 2; }
.under { justify-content: space-between; align-items: center; } .legend { font-size: 13px; color: var(--muted); } .scale { font-size: 14px; }
.key { flex: none; vertical-align: middle; overflow: visible; }
caption, .title { font: 600 17px/1.3 var(--pst-font-family-base, system-ui, sans-serif); text-align: start; margin: 0; padding-bottom: 6px; }
table { width: 100%; border-collapse: collapse; font-size: 14px; table-layout: fixed; } /* nothing shifts while the sums run */
th, td { text-align: start; padding: 2px 12px 2px 0; border-top: 1px solid var(--line); font-weight: 400; overflow-wrap: anywhere; }
thead th { color: var(--muted); font-size: 13px; border: 0; } td.sum, td.error { font-family: var(--mono); font-size: 13px; }
th:nth-child(1) { width: 31%; } th:nth-child(2) { width: 16%; } th:nth-child(3) { width: 24%; }
.pick { display: flex; align-items: center; gap: 10px; border-color: transparent; background: none; width: 100%; padding: 0 8px; text-align: start; font-size: 14px; }
.verdict[data-kind=stuck], .verdict[data-kind=infinite], .verdict[data-kind=nan] { color: var(--bad); font-weight: 600; }
.panel { background: var(--wash); border-radius: 8px; padding: 14px 16px; display: grid; gap: 8px; grid-template-columns: minmax(0, 1fr); }
.panel .title { padding: 0; } .panel .hint { margin: 0; } .step { min-height: 3em; }
.scroll { overflow-x: auto; padding: 2px; container-type: inline-size; } .align { display: grid; gap: 6px; width: max-content; min-width: 100%; }
.bits { --w: clamp(8px, 100cqi / var(--columns), 22px); display: grid; grid-template-columns: repeat(var(--columns), var(--w)); height: 26px;
  font-size: clamp(10px, .7 * var(--w), 15px); }
.bits span { display: grid; place-items: center; } .bits .bit { border-block: 1px solid var(--line); }
.bits .one { background: var(--fraction); color: var(--on-field); font-weight: 600; }
.bits span.falls { background-image: repeating-linear-gradient(135deg, var(--line) 0 1px, transparent 1px 6px); }
.bits .one.falls { background: none; color: var(--bad); border: 1px dashed var(--bad); text-decoration: line-through; }
.bits :not(.falls) + .falls { border-inline-start: 3px solid var(--ink); }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@container (max-width: 620px) {
  .entries { grid-template-columns: repeat(2, minmax(0, 1fr)); } .counter { grid-template-columns: minmax(0, 1fr); }
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  table, caption, tbody { display: block; } th, td { border: 0; padding: 0; } tbody th:nth-child(1) { width: auto; }
  tbody tr { display: grid; grid-template: "pick pick" auto "verdict error" auto / minmax(0, 1fr) auto; gap: 0 12px; padding: 4px 0 10px; border-top: 1px solid var(--line); position: relative; }
  tbody th { grid-area: pick; padding-inline-end: 40%; } .pick { padding-inline-start: 0; } .pick[aria-pressed=true] { padding-inline-start: 8px; }
  td.sum { position: absolute; inset-inline-end: 0; top: 16px; max-width: 40%; text-align: end; font-size: 14px; } td.verdict { grid-area: verdict; } td.error { grid-area: error; text-align: end; }
}
@media (max-width: 480px) { .head button, .counter button { padding: 0 8px; min-width: 44px; } .counter .run { min-width: 88px; } .head .row { gap: 6px; }
  .amp { border-width: 1px 0; border-radius: 0; padding: 16px 0; } .headline .value { display: block; } .panel { padding: 12px; } }
@media (pointer: coarse) { input[type=range] { min-height: 48px; } }
`;
