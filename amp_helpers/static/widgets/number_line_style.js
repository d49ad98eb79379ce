// The look of the number line. Formats carry the colours of the book's figures (DTYPE_STYLE in plots.py), lighter on dark.

export const COLORS = {
  float64: ["#9a968d", "#b5b1a8"],
  float32: ["#22211f", "#e6e4df"],
  tfloat32: ["#cc79a7", "#e39bc4"],
  bfloat16: ["#0072b2", "#5cb3e6"],
  float16: ["#d55e00", "#f0934a"],
  float8_e4m3fn: ["#00795b", "#4fc3a1"],
  float8_e5m2: ["#c9a800", "#e0c440"],
};
const OTHER = ["#6f6b85", "#b0abc9"];

const colorRule = (name) => {
  const [light, dark] = COLORS[name] ?? OTHER;
  return `.${name} { --c: ${light}; } .dark .${name} { --c: ${dark}; }`;
};

export const css = (names) => `
.amp { border: 1px solid var(--line); border-radius: 12px; background: var(--paper); padding: 20px; display: grid; gap: 16px;
  grid-template-columns: minmax(0, 1fr); }
.dark { color-scheme: dark; } p { margin: 0; } [hidden] { display: none !important; }
${names.map(colorRule).join("\n")}
.problem { color: var(--bad); font-size: 13px; } .problem:empty { display: none; }
.entry { flex: 1 1 180px; } .pick { flex: 1 1 220px; } .pick select { width: 100%; }
.tools { gap: 8px; } .tools button { min-width: 44px; }
[aria-pressed=true] { background: var(--accent); color: var(--paper); border-color: var(--accent); font-weight: 600; }
[aria-pressed=true]::before { content: "✓ "; }
.line { display: grid; }
.plot { border-radius: 8px; touch-action: pan-y; cursor: grab; user-select: none; -webkit-user-select: none; }
.plot.held { cursor: grabbing; }
svg { display: block; width: 100%; } svg text { fill: var(--ink); font: 400 12px/1 var(--pst-font-family-base, system-ui, sans-serif); }
svg text { paint-order: stroke; stroke: var(--paper); stroke-width: 3px; stroke-linejoin: round; }
svg .title { fill: var(--muted); } svg .name { font: 600 13px/1 var(--mono); fill: var(--ink); }
svg .zonetext, svg .axis, svg .outside { fill: var(--muted); } svg .zonetext { font-size: 11px; } svg .outside { font-weight: 600; fill: var(--accent); }
.axisline, .tick { stroke: var(--muted); stroke-width: 1; }
.base { stroke: var(--c); stroke-width: 2; } .value { stroke: var(--ink); stroke-width: 1; } .value.zero { stroke-width: 2.5; }
.dense { fill: var(--c); }
.zone { stroke: var(--line); stroke-width: 1; } .zone.subnormal { fill: url(#dots); } .zone.beyond { fill: url(#stripes); stroke: none; }
.dot { fill: var(--muted); fill-opacity: .55; } .stripe { stroke: var(--bad); stroke-opacity: .45; stroke-width: 1.2; }
.bin { stroke: var(--c); stroke-width: 1; fill: var(--c); } .bin.even { fill-opacity: .42; } .bin.odd { fill-opacity: .06; }
.bin.landed { stroke: var(--ink); stroke-width: 2; } .end { fill: var(--ink); }
.marker { fill: var(--c); stroke: var(--paper); stroke-width: 1.25; }
.way, .miss { stroke: var(--ink); stroke-width: 2.5; fill: none; }
.probe { stroke: var(--accent); stroke-width: 1.5; stroke-dasharray: 5 4; }
input[type=range] { appearance: none; -webkit-appearance: none; display: block; width: 100%; height: 44px; margin: 0; padding: 0; border: 0;
  background: linear-gradient(var(--line), var(--line)) 22px 50% / calc(100% - 44px) 4px no-repeat; cursor: ew-resize; touch-action: pan-y; }
input[type=range]::-webkit-slider-thumb { appearance: none; -webkit-appearance: none; width: 44px; height: 44px; border: 0; background:
  radial-gradient(circle, var(--accent) 9px, transparent 10px); }
input[type=range]::-moz-range-thumb { width: 44px; height: 44px; border: 0; background: radial-gradient(circle, var(--accent) 9px, transparent 10px); }
input[type=range].away { opacity: .55; }
.small { font-size: 13px; color: var(--muted); }
details { font-size: 14px; } details + details { margin-top: -12px; } summary { min-height: 44px; display: flex; align-items: center; gap: 8px; cursor: pointer; color: var(--accent); font-weight: 600; }
summary::before { content: "▸"; } details[open] > summary::before { content: "▾"; }
.choices { display: grid; grid-template-columns: repeat(auto-fill, minmax(190px, 1fr)); gap: 0 12px; border: 0; margin: 0; padding: 0; min-width: 0; }
.choices label { display: flex; align-items: center; gap: 8px; min-height: 44px; color: var(--ink); font: 400 14px var(--mono); }
.choices label:has(:disabled) { color: var(--muted); }
.choices input { width: 22px; height: 22px; min-height: 22px; margin: 0; flex: none; accent-color: var(--accent); }
.icon { width: 18px; height: 18px; flex: none; overflow: visible; display: inline-block; vertical-align: -4px; }
.key { list-style: none; margin: 0; padding: 0; display: grid; gap: 6px; } .key li { display: grid; grid-template-columns: 36px 1fr; gap: 10px; align-items: start; }
.key svg { width: 36px; height: 20px; }
table { width: 100%; border-collapse: collapse; font-size: 14px; }
caption { font-weight: 600; font-size: 16px; line-height: 1.35; text-align: start; padding-bottom: 6px; overflow-wrap: anywhere; }
th, td { text-align: start; padding: 7px 12px 7px 0; border-top: 1px solid var(--line); font-weight: 400; overflow-wrap: anywhere; vertical-align: top; }
thead th { color: var(--muted); font-size: 13px; border: 0; padding-block: 0 4px; white-space: nowrap; }
tbody th { font-family: var(--mono); white-space: nowrap; } tbody th .icon { margin-right: 8px; }
td.stored, td.error, td.ulps { font: 400 13px/1.6 var(--mono); } td.error, td.ulps { white-space: nowrap; }
.verdict[data-kind=exact] { color: var(--good); } .verdict[data-kind=overflow], .verdict[data-kind=underflow], .verdict[data-kind=saturated],
.verdict[data-kind=none] { color: var(--bad); font-weight: 600; } .verdict[data-tie=true] { font-weight: 600; }
.hear { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@container (max-width: 580px) {
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  table, caption, tbody { display: block; } th, td { border: 0; padding: 0; }
  tbody tr { display: grid; grid-template: "format verdict" auto "stored error" auto ". ulps" auto / minmax(0, 1fr) auto; gap: 0 12px; padding: 8px 0;
    border-top: 1px solid var(--line); }
  tbody th { grid-area: format; } td.verdict { grid-area: verdict; text-align: end; max-width: 190px; } td.stored { grid-area: stored; grid-row: 2 / 4; }
  td.error { grid-area: error; text-align: end; } td.ulps { grid-area: ulps; text-align: end; }
  td.error::before { content: "error "; color: var(--muted); } td.ulps:not(:empty)::after { content: " ulp"; color: var(--muted); }
}
@media (max-width: 480px) { .amp { border-width: 1px 0; border-radius: 0; padding: 16px 0; } }
`;
