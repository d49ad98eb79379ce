// The look of the rounding stepper. Every kind of bit differs by border style and caption as well as by colour.

export const CSS = `
.amp { border: 1px solid var(--line); border-radius: 12px; background: var(--paper); padding: 20px; display: grid; gap: 20px;
  grid-template-columns: minmax(0, 1fr); }
p { margin: 0; } [hidden] { display: none !important; }
.small { font-size: 13px; color: var(--muted); } .problem { font-size: 13px; color: var(--bad); overflow-wrap: anywhere; } .problem:empty { display: none; }
.controls { display: grid; gap: 12px; grid-template-columns: minmax(0, 1.1fr) minmax(0, 1fr) minmax(0, 0.9fr) minmax(0, 1.3fr); align-items: start; } .controls select { width: 100%; }
.presets { display: flex; flex-wrap: wrap; gap: 8px; align-items: center; } .presets .label { margin-inline-end: 4px; } .presets button { font-size: 14px; }
[aria-disabled=true] { color: var(--muted); border-style: dashed; cursor: default; }
.stepping { display: flex; gap: 12px; align-items: center; justify-content: space-between; border-top: 1px solid var(--line); padding-top: 20px; }
.stepping button { flex: none; min-width: 88px; } .next { font-weight: 600; }
ol { list-style: none; margin: 0; padding: 0; display: flex; flex-wrap: wrap; gap: 2px 16px; justify-content: center; font-size: 14px; color: var(--muted); }
li { padding: 2px 0; border-bottom: 3px solid transparent; white-space: nowrap; } .count { font-family: var(--mono); }
li[aria-current] { color: var(--ink); font-weight: 600; border-bottom-color: var(--accent); }
.sign { --c: var(--sign); --edge: double; } .exponent { --c: var(--exponent); --edge: solid; } .fraction { --c: var(--fraction); --edge: dashed; }
.lead, .rest, .guard, .round, .sticky { --c: var(--muted); --edge: dotted; }
.guard, .round, .sticky { --c: var(--ink); }
.picture, .word { display: flex; flex-wrap: wrap; gap: 10px 6px; align-items: stretch; }
.picture { min-height: 64px; align-content: start; }
.caption { display: block; font-size: 13px; color: var(--c); font-weight: 600; white-space: nowrap; padding-bottom: 2px; }
.bits { display: flex; flex-wrap: wrap; gap: 4px 5px; align-items: center; }
.nibble { display: flex; border: 2px var(--edge) var(--c); border-radius: 6px; padding: 0 3px; height: 36px; align-items: center; }
.cell { min-width: 16px; text-align: center; font: 500 17px/1 var(--mono); }
.sign .nibble { border-width: 4px; padding: 0 5px; } .guard .nibble, .round .nibble { background: var(--wash); padding: 0 8px; } .guard .cell, .round .cell { font-weight: 700; }
.mark { font: 500 17px/36px var(--mono); white-space: nowrap; } .exponent .mark { color: var(--c); }
.mark sup { font-size: .75em; line-height: 0; }
.loose { font: 500 15px/36px var(--mono); color: var(--muted); margin-inline-end: 4px; } .rest { flex: 1 1 120px; min-width: 0; } .sticky { flex: 1 1 60px; min-width: 0; } .rest .bits, .sticky .bits { row-gap: 0; }
.sticky .loose, .rest .loose { line-height: 24px; } .rest .bits, .sticky .bits { min-height: 36px; }
.behind { display: flex; flex-wrap: wrap; gap: 10px 8px; border-inline-start: 4px solid var(--ink); padding-inline-start: 10px; margin-inline-start: 4px; flex: 1 1 220px; min-width: 0; }
.narration { display: block; background: var(--wash); border-radius: 8px; padding: 12px 16px; font-size: 16px; overflow-wrap: anywhere; min-height: 76px; }
.title { font-weight: 600; display: block; }
.badge { border: 1px solid var(--ink); border-radius: 99px; padding: 1px 12px; font-size: 13px; font-weight: 600; justify-self: start; }
.badge[data-kind=subnormal] { border-style: dashed; } .badge[data-kind=zero] { border-style: dotted; }
.badge[data-kind=infinity], .badge[data-kind=nan] { border: 3px double var(--bad); color: var(--bad); }
.result, .coin, .compare { display: grid; gap: 12px; grid-template-columns: minmax(0, 1fr); } .result .row { align-items: center; gap: 4px 14px; }
.value { font-size: 28px; line-height: 1.2; }
caption { font-size: 14px; color: var(--muted); text-align: start; padding-bottom: 8px; }
table { width: 100%; border-collapse: collapse; font-size: 14px; }
th, td { text-align: start; padding: 7px 12px 7px 10px; border-top: 1px solid var(--line); font-weight: 400; vertical-align: baseline; } tbody th { white-space: nowrap; }
thead th { color: var(--muted); font-size: 13px; border: 0; padding-bottom: 3px; } .here { font-weight: 600; white-space: nowrap; }
tr[aria-current] { background: var(--wash); } tr[aria-current] th { font-weight: 700; box-shadow: inset 4px 0 0 var(--accent); }
.coin .row { align-items: start; } .coin .row > button { margin-top: 20px; } .control-seed { width: 130px; }
.bar { position: relative; height: 16px; border: 1px solid var(--ink); border-radius: 4px; background: var(--wash); }
.share { position: absolute; inset-block: 0; inset-inline-start: 0; background: var(--accent); border-radius: 3px 0 0 3px; }
.expected { position: absolute; inset-block: -6px; width: 4px; margin-inline-start: -2px; background: var(--ink); outline: 1px solid var(--paper); }
.paths { display: grid; gap: 8px; } .path { display: flex; flex-wrap: wrap; gap: 4px 14px; align-items: center; border-top: 1px solid var(--line); padding-top: 8px; }
.name { font-weight: 600; width: 56px; } .hop { display: grid; min-width: 0; overflow-wrap: anywhere; align-self: start; } .arrow { font-size: 20px; color: var(--muted); }
@media (prefers-reduced-motion: no-preference) { .share { transition: width .15s; } }
@container (max-width: 620px) {
  .controls { grid-template-columns: 1fr 1fr; }
  .stepping { flex-wrap: wrap; } .stepping ol { order: 1; width: 100%; justify-content: start; gap: 2px 11px; font-size: 13px; }
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  table, caption, tbody { display: block; } th, td { border: 0; padding: 0; }
  tbody tr { display: grid; grid-template: "mode here" auto "words words" auto / minmax(0, 1fr) auto; padding: 8px 10px; border-top: 1px solid var(--line); }
  tbody th { grid-area: mode; } .words { grid-area: words; color: var(--muted); } td.here { grid-area: here; }
  tr[aria-current] { box-shadow: inset 4px 0 0 var(--accent); } tr[aria-current] th { box-shadow: none; } tr[aria-current] .words { color: var(--ink); }
  .name { width: 100%; }
}
@media (max-width: 480px) { .amp { border-width: 1px 0; border-radius: 0; padding: 16px 0; } .value { font-size: 24px; } }
`;
