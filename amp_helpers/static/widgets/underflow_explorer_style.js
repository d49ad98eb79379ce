// The look of the underflow explorer. What becomes of a gradient has a colour, a pattern and a sign of its own.

const fill = (name, pattern) => `.${name} { --c: var(--${name}); --p: ${pattern}; }`;
const stripes = (angle, size) => `repeating-linear-gradient(${angle}deg, var(--paper) 0 1.5px, transparent 1.5px ${size}px)`;

export const CSS = `
.amp { border: 1px solid var(--line); border-radius: 12px; background: var(--paper); padding: 20px; display: grid; gap: 18px;
  grid-template-columns: minmax(0, 1fr); --zero: var(--bad); --subnormal: #9a6700; --normal: #2b62b5; --infinite: #7b3fa0; }
.amp.dark { --subnormal: #e3b341; --normal: #8fb8f5; --infinite: #d2a8ff; }
${fill("zero", stripes(45, 5))} ${fill("subnormal", "radial-gradient(circle, var(--paper) 1px, transparent 1.5px) 0 0 / 5px 5px")}
${fill("normal", "none")} ${fill("infinite", stripes(135, 4))}
p { margin: 0; } [hidden] { display: none !important; }
.hint, .problem { font-size: 13px; } .hint { color: var(--muted); } .problem { color: var(--bad); overflow-wrap: anywhere; } .problem:empty { display: none; }
.head { justify-content: space-between; align-items: end; } .head .entry { flex: 1 1 260px; max-width: 420px; } .head select { width: 100%; }
.headline .value { font-size: 26px; line-height: 1.3; }
.facts { display: grid; gap: 6px; } .verdict { max-width: 70ch; }
.scale { display: grid; gap: 4px; } .scale label .mono { color: var(--ink); font-size: 15px; }
.track { position: relative; } input[type=range] { padding: 0; border: 0; background: none; accent-color: var(--accent); width: 100%; display: block; margin: 0; cursor: pointer; }
.marks { position: relative; height: 38px; margin: -6px 8px 0; font-size: 12px; color: var(--muted); }
.marks .band { position: absolute; top: 0; height: 6px; background: var(--good); border-radius: 3px; opacity: .55; }
.marks .flag { position: absolute; top: 0; width: 0; border-inline-start: 2px solid var(--ink); height: 14px; }
.marks .flag span { position: absolute; top: 14px; white-space: nowrap; color: var(--ink); transform: translateX(calc(-1% * var(--at))); }
.jump { gap: 8px; }
.chart { height: 240px; } .chart svg { display: block; }
.chart text { fill: var(--muted); font: 12px var(--pst-font-family-base, system-ui, sans-serif); font-variant-numeric: tabular-nums; }
.zone { fill: var(--c); opacity: .1; } .bar { fill: var(--c); } svg path { fill: none; } .edge { stroke: var(--muted); stroke-dasharray: 3 3; }
.grid, .axis { stroke: var(--muted); }
.title, caption { font: 600 17px/1.3 var(--pst-font-family-base, system-ui, sans-serif); text-align: start; margin: 0; padding-bottom: 6px; }
.legend { font-size: 13px; color: var(--muted); display: flex; flex-wrap: wrap; gap: 4px 16px; } .legend { margin-bottom: 12px; } .legend span { display: inline-flex; align-items: center; gap: 6px; }
.swatch { width: 22px; height: 14px; border: 1px solid var(--c); background: var(--p), var(--c); background-color: var(--c); }
.stack { display: flex; height: 18px; min-width: 40px; border: 1px solid var(--line); } .stack i { display: block; flex: none; background: var(--p); background-color: var(--c); }
table { width: 100%; border-collapse: collapse; table-layout: fixed; /* nothing shifts while the slider moves */ font-size: 14px; font-variant-numeric: tabular-nums; }
th, td { text-align: start; padding: 3px 10px 3px 0; border-top: 1px solid var(--line); font-weight: 400; }
thead th { color: var(--muted); font-size: 13px; border: 0; } td { white-space: nowrap; font-size: 13px; }
th:nth-child(2) { width: 17%; } th:nth-child(n + 3) { width: 98px; /* "∅ > 99.99 %" */ } th:last-child { width: 58px; padding-inline-end: 0; }
td[data-kind=zero], td[data-kind=infinite] { color: var(--c); font-weight: 600; }
.pick { border-color: transparent; background: none; width: 100%; padding: 0 8px; text-align: start; font-size: 14px; overflow-wrap: anywhere; }
.pick[aria-pressed=true] { border: 2px solid var(--ink); font-weight: 600; }
.layers { max-height: 420px; overflow: auto; border-block-end: 1px solid var(--line); padding: 4px; }
summary { min-height: 44px; display: list-item; align-content: center; padding-block: 10px; cursor: pointer; }
.paste { display: grid; gap: 10px; } textarea { width: 100%; min-height: 120px; border: 1px solid var(--line); border-radius: 8px; padding: 10px 12px;
  color: var(--ink); background: var(--paper); font: 13px/1.4 var(--mono); resize: vertical; } textarea[aria-invalid=true] { border: 2px solid var(--bad); }
.paste .good { color: var(--good); }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@container (max-width: 620px) {
  table, tbody, caption { display: block; } thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  tbody tr { display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)) max-content; gap: 2px 6px; border-top: 1px solid var(--line); padding: 4px 0 8px; }
  tbody th { grid-column: 1 / 3; } td.shape { grid-column: 3 / 5; align-content: center; } th, td { border: 0; padding: 0; }
  td[data-title]::before { content: attr(data-title); display: block; font-size: 12px; font-weight: 400; color: var(--muted); }
}
@media (max-width: 480px) { .amp { border-width: 1px 0; border-radius: 0; padding: 16px 0; } .headline .value { display: block; } .jump button { padding: 0 10px; min-width: 44px; } td { font-size: 12px; } }
@media (pointer: coarse) { input[type=range] { min-height: 48px; } }
`;
