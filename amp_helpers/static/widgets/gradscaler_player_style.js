// The look of the GradScaler player. A skipped step, a growth and ruined weights differ in shape, then in colour.

export const CSS = `
.amp { border: 1px solid var(--line); border-radius: 12px; background: var(--paper); padding: 20px; display: grid; gap: 18px;
  grid-template-columns: minmax(0, 1fr); }
p { margin: 0; } [hidden] { display: none !important; }
.hint, .problem { font-size: 13px; } .hint { color: var(--muted); margin-top: 6px; } .problem { color: var(--bad); overflow-wrap: anywhere; } .problem:empty { display: none; }
.head { justify-content: space-between; align-items: start; flex-wrap: nowrap; } .head > .row, .play { gap: 8px; }
button[aria-pressed=true] { border: 2px solid var(--ink); font-weight: 600; }
.entries { display: grid; gap: 12px; grid-template-columns: repeat(5, minmax(0, 1fr)); align-items: end; } .entry { align-self: end; }
.headline .value { font-size: 26px; line-height: 1.3; }
.facts { display: grid; gap: 6px; } .facts .alarm { color: var(--bad); font-weight: 600; }
.tracker { display: grid; gap: 4px; max-width: 460px; } .tracker .bar { height: 12px; border: 1px solid var(--muted); border-radius: 6px; overflow: hidden; }
.tracker .full { height: 100%; background: var(--accent); }
.play .inf { border-style: double; border-width: 3px; border-color: var(--bad); } .play .many { display: flex; gap: 8px; align-items: end; }
.play .many input { width: 104px; }
.chart { height: 300px; } .chart svg { display: block; }
.chart text { fill: var(--muted); font: 12px var(--pst-font-family-base, system-ui, sans-serif); font-variant-numeric: tabular-nums; }
svg path { fill: none; } .grid { stroke: var(--line); } .line { stroke: var(--accent); stroke-width: 2; stroke-linejoin: round; }
.now { fill: var(--paper); stroke: var(--accent); stroke-width: 2; } .limit { stroke: var(--muted); stroke-width: 1.5; stroke-dasharray: 2 4; }
.cliff { stroke: var(--bad); stroke-width: 1.5; stroke-dasharray: 7 4; } .beyond { fill: var(--bad); opacity: .12; } .chart .warns { fill: var(--bad); }
svg .mark.skipped { fill: var(--bad); } svg .mark.grew { fill: var(--paper); stroke: var(--good); stroke-width: 1.5; }
svg .mark.ruined { stroke: var(--bad); stroke-width: 3.5; }
tbody th, td.scale { white-space: nowrap; }
.legend { font-size: 13px; color: var(--muted); display: flex; flex-wrap: wrap; gap: 4px 16px; } .key { display: inline-flex; align-items: center; gap: 4px; }
.panel { background: var(--wash); border-radius: 8px; padding: 14px 16px; display: grid; gap: 8px; grid-template-columns: minmax(0, 1fr); }
.title, caption { font: 600 17px/1.3 var(--pst-font-family-base, system-ui, sans-serif); text-align: start; margin: 0; padding-bottom: 6px; }
dl { margin: 0; display: grid; grid-template-columns: auto minmax(0, 1fr); gap: 6px 14px; } dt { font-weight: 600; } dd { margin: 0; } dd.alarm { color: var(--bad); }
table { width: 100%; border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums; }
th, td { text-align: start; padding: 5px 12px 5px 0; border-top: 1px solid var(--line); font-weight: 400; overflow-wrap: anywhere; }
thead th { color: var(--muted); font-size: 13px; border: 0; overflow-wrap: normal; } td.scale { font-family: var(--mono); font-size: 13px; }
td[data-kind=skipped], td[data-kind=ruined] { color: var(--bad); font-weight: 600; }
summary { min-height: 44px; display: list-item; align-content: center; padding-block: 10px; cursor: pointer; }
.paste { display: grid; gap: 10px; } textarea { width: 100%; min-height: 120px; border: 1px solid var(--line); border-radius: 8px; padding: 10px 12px;
  color: var(--ink); background: var(--paper); font: 13px/1.4 var(--mono); resize: vertical; } textarea[aria-invalid=true] { border: 2px solid var(--bad); }
.paste .good { color: var(--good); }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@container (max-width: 620px) { .entries { grid-template-columns: repeat(2, minmax(0, 1fr)); } dl { grid-template-columns: minmax(0, 1fr); gap: 2px; } dd + dt { margin-top: 8px; } }
@media (max-width: 480px) { .head .row { gap: 6px; } .head { gap: 6px; } .head button, .play button { padding: 0 8px; min-width: 44px; } .amp { border-width: 1px 0; border-radius: 0; padding: 16px 0; }
  .headline .value { display: block; } .panel { padding: 12px; } th, td { padding-inline-end: 8px; } td.scale { font-size: 12px; } }
`;
