// The look of the bit explorer. Sign, exponent and fraction differ by border style as well as by colour.

export const CSS = `
.amp { border: 1px solid var(--line); border-radius: 12px; background: var(--paper); padding: 20px; display: grid; gap: 20px;
  grid-template-columns: minmax(0, 1fr); }
p, dl, dd { margin: 0; } [hidden] { display: none !important; }
.small, .hint, .problem { font-size: 13px; } .small, .hint { color: var(--muted); } .problem { color: var(--bad); }
.problem:empty { display: none; }
.head { justify-content: space-between; }
.headline { display: block; } .headline .row { align-items: center; gap: 4px 14px; } .value { font-size: 32px; line-height: 1.2; }
.badge { border: 1px solid var(--ink); border-radius: 99px; padding: 1px 12px; font-size: 13px; font-weight: 600; }
.badge[data-kind=subnormal] { border-style: dashed; } .badge[data-kind=zero] { border-style: dotted; }
.badge[data-kind=infinity], .badge[data-kind=nan] { border: 3px double var(--bad); color: var(--bad); }
.word { display: flex; flex-wrap: wrap; gap: 12px 14px; }
.sign { --c: var(--sign); --edge: double; } .exponent { --c: var(--exponent); --edge: solid; } .fraction { --c: var(--fraction); --edge: dashed; }
.caption { display: block; font-size: 13px; color: var(--c); font-weight: 600; white-space: nowrap; padding: 0 0 2px 2px; overflow-wrap: anywhere; }
.field.sign .caption { min-width: 44px; }
.bits { display: flex; flex-wrap: wrap; gap: 4px 6px; } .nibble { display: flex; }
.bit { width: 44px; height: 44px; padding: 0; border: 0; background: none; display: grid; place-items: center; font: 600 18px/1 var(--mono); }
.bit::before { content: ""; grid-area: 1 / 1; width: 40px; height: 40px; border-radius: 7px; border: 3px var(--edge) var(--c); }
.bit[aria-checked=true]::before { background: var(--c); }
.bit > span { grid-area: 1 / 1; position: relative; color: var(--ink); } .bit[aria-checked=true] > span { color: var(--on-field); }
.bit:focus-visible { outline-offset: -1px; border-radius: 9px; }
.bit:hover::before { box-shadow: 0 0 0 1px var(--c); }
.hint { margin-top: 8px; }
.rule { background: var(--wash); border-radius: 8px; padding: 12px 16px; display: grid; gap: 4px; }
.equation { font-size: 17px; } .equation .sign, .equation .exponent, .equation .fraction { color: var(--c);
  text-decoration: underline var(--edge) 1px; text-underline-offset: 5px; } .equation sup.exponent, .equation sup.sign { text-decoration: none; }
sub, sup { font-size: .75em; line-height: 0; }
.custom { border: 1px solid var(--line); border-radius: 8px; margin: 0; padding: 8px 16px 16px; min-width: 0; }
.custom .row > div { width: 112px; } .custom .row > .wide { flex: 1 1 220px; width: auto; min-width: 0; } .wide select { width: 100%; }
.check { display: flex; align-items: center; gap: 8px; min-height: 44px; font-size: 15px; color: var(--ink); } .check input { width: 22px; accent-color: var(--accent); }
.entries { display: grid; gap: 12px; grid-template-columns: 1fr 1fr 1.4fr; }
.entry { display: grid; align-content: start; }
dl > div { display: grid; grid-template-columns: 240px minmax(0, 1fr); gap: 2px 16px; padding: 6px 0; border-top: 1px solid var(--line); align-items: center; min-height: 44px; }
dl > div:last-child { border-bottom: 1px solid var(--line); } dt { color: var(--muted); font-size: 14px; }
.stepper { display: grid; grid-template-columns: 1fr auto 1fr; gap: 8px 16px; align-items: center; }
.stepper button { padding: 4px 14px; text-align: start; } .stepper .above { text-align: end; } .gap { text-align: center; }
.more { font-size: 13px; margin: 2px 0; }
caption { font-weight: 600; font-size: 17px; line-height: 1.3; text-align: start; padding-bottom: 8px; overflow-wrap: anywhere; }
table { width: 100%; border-collapse: collapse; font-size: 14px; table-layout: auto; }
th, td { text-align: start; padding: 1px 10px 1px 0; border-top: 1px solid var(--line); font-weight: 400; overflow-wrap: anywhere; }
thead th { color: var(--muted); font-size: 13px; border: 0; padding-bottom: 4px; } td.stored, td.code, td.relative { font-family: var(--mono); }
td.stored, td.code, td.relative { font-size: 13px; } td.code, td.relative, .format, thead th { white-space: nowrap; }
.format { border-color: transparent; background: none; padding: 0 8px; margin-left: -8px; font: 400 14px var(--mono); color: var(--accent); text-align: start; }
.format[aria-current] { font-weight: 700; color: var(--ink); border: 2px solid var(--ink); }
.verdict[data-kind=exact] { color: var(--good); } .verdict[data-kind=overflow], .verdict[data-kind=underflow], .verdict[data-kind=none] { color: var(--bad); font-weight: 600; }
pre { margin: 0 0 8px; padding: 12px 16px; background: var(--wash); border-radius: 8px; white-space: pre-wrap; font-size: 14px; line-height: 1.5; }
@container (max-width: 580px) {
  dl > div, .entries { grid-template-columns: minmax(0, 1fr); }
  .stepper { grid-template-columns: 1fr 1fr; } .stepper .gap { order: 1; grid-column: 1 / -1; text-align: start; }
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  table, caption, tbody { display: block; } th, td { border: 0; padding: 0; }
  tbody tr { display: grid; grid-template: "format verdict" auto "format relative" auto "stored code" auto / minmax(0, 1fr) auto; gap: 0 12px; padding: 6px 0;
    border-top: 1px solid var(--line); }
  tbody th { grid-area: format; } td.verdict { grid-area: verdict; align-self: end; } td.relative { grid-area: relative; } td.stored { grid-area: stored; }
  td.code { grid-area: code; } td.verdict, td.relative, td.code { text-align: end; } td.relative::before { content: "error "; color: var(--muted); }
  .format { margin-left: 0; padding: 0; } .format[aria-current] { padding: 0 8px; }
}
@media (max-width: 480px) { .amp { border-width: 1px 0; border-radius: 0; padding: 16px 0; } .value { font-size: 26px; } .nibble { display: contents; }
  .bits { gap: 2px 0; } }
`;
