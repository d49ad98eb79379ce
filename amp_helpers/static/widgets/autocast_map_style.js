// The look of the autocast map. A dtype has the book's colour, and every tag says in words what it means.

export const CSS = `
.amp { border: 1px solid var(--line); border-radius: 12px; background: var(--paper); padding: 20px; display: grid; gap: 18px;
  grid-template-columns: minmax(0, 1fr); --float32: var(--ink); --bfloat16: #0072b2; --float16: #d55e00; }
.amp.dark { --bfloat16: #58b0e6; --float16: #f08a4b; }
p { margin: 0; } [hidden] { display: none !important; }
.hint { color: var(--muted); font-size: 13px; } .problem { color: var(--bad); font-size: 14px; } .problem:empty, .hint:empty, .given:empty { display: none; }
.row { gap: 12px 20px; } .tight { gap: 8px; } .reset { margin-inline-start: auto; }
.buttons { display: flex; gap: 6px; flex-wrap: wrap; } button[aria-pressed=true] { border: 2px solid var(--ink); font-weight: 600; }
.picker { position: relative; }
#ops { position: absolute; z-index: 5; inset-inline: 0; top: 100%; margin: 2px 0 0; padding: 4px; list-style: none; max-height: 300px; overflow-y: auto;
  background: var(--paper); border: 1px solid var(--line); border-radius: 8px; box-shadow: 0 6px 20px #0003; }
#ops li { min-height: 44px; padding: 10px 12px; border-radius: 6px; cursor: pointer; overflow-wrap: anywhere; }
#ops li:hover { background: var(--wash); } #ops li[aria-selected=true] { background: var(--wash); outline: 2px solid var(--accent); outline-offset: -2px; }
.headline { display: grid; gap: 6px; min-height: 11em; align-content: start; } .headline .value { font-size: 24px; line-height: 1.3; overflow-wrap: anywhere; }
.tag { display: inline-block; border: 1px solid var(--c); border-inline-start: 6px solid var(--c); border-radius: 6px; padding: 1px 8px; font-size: 13px; color: var(--ink); white-space: nowrap; }
.float32 { --c: var(--float32); } .bfloat16 { --c: var(--bfloat16); } .float16 { --c: var(--float16); } .plain { --c: var(--muted); border-style: dashed; border-inline-start-width: 1px; }
caption, .title { font: 600 17px/1.3 var(--pst-font-family-base, system-ui, sans-serif); text-align: start; margin: 0; padding-bottom: 6px; color: var(--ink); overflow-wrap: anywhere; }
table { width: 100%; border-collapse: collapse; font-size: 14px; } th, td { text-align: start; vertical-align: top; padding: 8px 12px 8px 0; border-top: 1px solid var(--line); font-weight: 400; }
thead th { color: var(--muted); font-size: 13px; border: 0; padding-block: 2px; } .versions { margin-bottom: 8px; } .versions .here .tag { box-shadow: 0 0 0 2px var(--accent); }
.layers { table-layout: fixed; overflow-wrap: anywhere; } .layers th:nth-child(1), .layers th:nth-child(2), .layers th:nth-child(3) { width: 22%; } .layers .line .hint { display: inline-block; } .line + .line { margin-top: 6px; }
.panel { background: var(--wash); border-radius: 8px; padding: 14px 16px; display: grid; gap: 10px; grid-template-columns: minmax(0, 1fr); } .panel .title { padding: 0; }
.panel .hint { color: var(--ink); }
textarea { width: 100%; min-height: 110px; resize: vertical; border: 1px solid var(--line); border-radius: 8px; background: var(--paper); color: var(--ink); padding: 10px 12px; font: 14px/1.5 var(--mono); }
textarea::placeholder { color: var(--muted); opacity: 1; }
summary { min-height: 44px; padding: 10px 0; cursor: pointer; } .listing details { border-top: 1px solid var(--line); }
.ops { display: flex; flex-wrap: wrap; gap: 6px; padding-bottom: 14px; } .ops button { font-size: 13px; overflow-wrap: anywhere; }
.changes ul { margin: 0 0 10px; padding-inline-start: 20px; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@container (max-width: 620px) {
  .reset { margin-inline-start: 0; } .versions th, .versions td { padding-inline-end: 6px; } .tag { white-space: normal; padding-inline: 6px; font-size: 12px; }
  .layers thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); } .layers, .layers tbody, .layers caption { display: block; }
  .layers tr { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 4px 12px; border-top: 1px solid var(--line); padding: 10px 0; }
  .layers th, .layers td { border: 0; padding: 0; } .layers tbody th:nth-child(1), .because { grid-column: 1 / -1; width: auto; }
  .layers td::before { content: attr(data-device); display: block; font-size: 13px; color: var(--ink); }
}
@media (max-width: 480px) { .amp { border-width: 1px 0; border-radius: 0; padding: 16px 0; } .panel { padding: 12px; } .headline { min-height: 15em; } .headline .value { font-size: 21px; } }
@media print { .headline { min-height: 0; } }
`;
