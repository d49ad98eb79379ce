// The look of the claims table's controls. That of the rows stands in static/book/claims_table.css.

import { FORM_CSS } from "./form.js";

export const CSS = `${FORM_CSS}
.amp { display: grid; gap: 12px; margin-bottom: 12px; }
.search { grid-column: 1 / -1; } .count { font-weight: 600; align-self: center; }
.row { align-items: center; }
`;
