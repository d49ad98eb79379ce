// The look of the loop builder. The reason stays in view while the code scrolls behind it.

export const CSS = `
.amp { border: 1px solid var(--line); border-radius: 12px; background: var(--paper); padding: 20px; display: grid; gap: 18px; grid-template-columns: minmax(0, 1fr); }
p { margin: 0; } .hint { color: var(--muted); font-size: 13px; } .row { gap: 12px 20px; }
.controls { display: grid; gap: 14px; } .controls .hint { margin-top: 6px; min-height: 3em; } .reset { margin-inline-start: auto; }
.buttons { display: flex; gap: 6px; flex-wrap: wrap; } button[aria-pressed=true] { border: 2px solid var(--ink); font-weight: 600; }
.title { font: 600 17px/1.3 var(--pst-font-family-base, system-ui, sans-serif); color: var(--ink); }
.listing { display: grid; gap: 8px; grid-template-columns: minmax(0, 1fr); } .top { align-items: center; } .told { color: var(--good); font-size: 14px; } .plus { font: 600 14px var(--mono); color: var(--accent); }
.code { border: 1px solid var(--line); border-radius: 8px; background: var(--wash); padding: 4px 0; overflow-x: auto; font: 13.5px/22px var(--mono); font-variant-numeric: tabular-nums; white-space: pre; tab-size: 4; }
.block { min-width: 100%; width: max-content; min-height: 44px; padding: 3px 16px 3px 0; border-inline-start: 4px solid transparent; cursor: pointer; display: flex; flex-direction: column; justify-content: center; scroll-margin-bottom: 17em; scroll-margin-top: 5em; }
.block:hover { background: var(--paper); } .block[aria-selected=true] { background: var(--paper); border-inline-start-color: var(--accent); box-shadow: inset 0 1px var(--line), inset 0 -1px var(--line); }
.line { display: block; padding-inline-start: 26px; position: relative; } .gap { display: block; height: 6px; overflow: hidden; }
.new::before { content: "+"; position: absolute; inset-inline-start: 8px; color: var(--accent); font-weight: 600; }
.panel { position: sticky; bottom: 0; z-index: 2; margin-top: 8px; background: var(--paper); border: 1px solid var(--line); border-inline-start: 4px solid var(--accent); border-radius: 8px;
  padding: 10px 12px 12px 16px; box-shadow: 0 -6px 16px #0002; min-height: 8.5em; }
.heading { display: flex; flex-wrap: wrap; gap: 0 12px; align-items: baseline; align-content: center; min-height: 48px; padding-inline-end: 108px; }
.moves { position: absolute; top: 10px; inset-inline-end: 12px; display: flex; gap: 8px; } .moves button { min-width: 44px; padding: 0; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@container (max-width: 560px) { .reset { margin-inline-start: 0; } .code { font-size: 12.5px; } }
@media (max-width: 480px) { .amp { border-width: 1px 0; border-radius: 0; padding: 16px 0; } .panel { font-size: 14px; } .title { font-size: 16px; } }
@media (max-height: 560px) { .panel { position: static; } }
@media print { .panel { position: static; } .code { white-space: pre-wrap; } .block { width: auto; } }
`;
