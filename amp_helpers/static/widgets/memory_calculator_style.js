// The look of the memory calculator. A kind has a colour and a hatching, and its name beside both.

import { FORM_CSS } from "./form.js";

const hatch = (angle, width) => `repeating-linear-gradient(${angle}deg, transparent 0 ${width}px, #fff6 ${width}px ${width + 2}px)`;

export const CSS = `
.amp { border: 1px solid var(--line); border-radius: 12px; background: var(--paper); padding: 20px; display: grid; gap: 18px; grid-template-columns: minmax(0, 1fr); }
.controls { display: grid; gap: 14px; grid-template-columns: minmax(0, 1fr); }
.headline { display: grid; gap: 4px; min-height: 5.5em; align-content: start; } .headline .value { font-size: 28px; line-height: 1.3; }
.bar { display: flex; height: 40px; margin-bottom: 14px; border: 1px solid var(--ink); border-radius: 6px; overflow: hidden; }
.bar .part { flex-basis: 0; border-inline-end: 1px solid var(--paper); } .bar .part:last-child { border: 0; }
.parameters { background: #5b4a8a; } .gradients { background: ${hatch(45, 5)} #8a6d3b; } .optimizer { background: ${hatch(135, 5)} #a33257; }
.casts { background: ${hatch(0, 4)} #4d6f7a; } .activations { background: ${hatch(90, 7)} #4f6b2f; }
.swatch { display: inline-block; width: 26px; height: 16px; margin-inline-end: 10px; vertical-align: -3px; border: 1px solid var(--ink); border-radius: 3px; }
.kinds tr.sum > * { font-weight: 600; border-top: 2px solid var(--ink); }
.meter { height: 12px; border: 1px solid var(--muted); border-radius: 6px; overflow: hidden; background: var(--wash); margin: 4px 0 2px; }
.fill { display: block; height: 100%; background: var(--muted); } .fill.too-small { background: repeating-linear-gradient(135deg, var(--bad) 0 6px, var(--paper) 6px 9px); }
.verdict { font-weight: 600; } .verdict.too-small { color: var(--bad); } .used { width: 48%; }
summary { min-height: 44px; padding: 10px 0; cursor: pointer; } ul { margin: 0; padding-inline-start: 20px; font-size: 14px; } li { margin-bottom: 6px; }
${FORM_CSS}
@media (max-width: 480px) { .headline { min-height: 8em; } }
@media print { .headline { min-height: 0; } .bar, .swatch, .fill { print-color-adjust: exact; } }
`;
