// What the dtype flow shows, read from the packed trace that amp_helpers/widgets/dtype_flow.py makes.

export const DIRECTIONS = ["forward", "backward"];
/** By precision, the widest first; other dtypes (integers, booleans) stand behind them. */
const ORDER = ["float64", "float32", "tfloat32", "bfloat16", "float16", "float8_e4m3fn", "float8_e5m2"];
const CASTERS = ["", "autocast", "user", "backward", "op"];
export const BY = { autocast: "by autocast", user: "by the user's code", backward: "by autograd", op: "inside the op" };

/** A number of bytes or FLOPs in three digits: "87.2 kB". */
export function amount(count, unit = "B") {
  for (const [size, prefix] of [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
    if (count < size) continue;
    const digits = count < 10 * size ? 2 : count < 100 * size ? 1 : 0;
    const scaled = Math.floor((count * 10 ** digits + size / 2) / size);
    return `${(scaled / 10 ** digits).toFixed(digits)} ${prefix}${unit}`;
  }
  return `${count} ${unit}`;
}

export const counted = (number, word) => `${number} ${word}${number === 1 ? "" : "s"}`;

/** "float32, bfloat16", or "-" for none. */
export const listed = (names) => names.join(", ") || "-";

/** "cast float32 → bfloat16, 87.2 kB, by autocast" with its number. */
export const castText = ({ times, from, to, bytes, by }) => `${counted(times, "cast")} ${from} → ${to}, ${amount(bytes)}, ${BY[by]}`;

/** The packed trace as { lanes, most, forward, backward }; throws RangeError where it makes no sense. */
export function readFlow(packed) {
  const at = (list, index, what) => {
    if (list && index in list) return list[index];
    throw new RangeError(`no ${what} ${index} in the flow`);
  };
  const dtype = (index) => at(packed.dtypes, index, "dtype"), word = (index) => at(packed.words, index, "word");
  const tensors = (all) => all.map(([kind, ...shape]) => ({ dtype: dtype(kind), shape }));
  const op = (index, times) => {
    const [name, by, inputs, outputs, flops, bytes] = at(packed.ops, index, "op");
    return { name: word(name), by: at(CASTERS, by, "caster"), inputs: tensors(inputs), outputs: tensors(outputs), flops, bytes, times };
  };
  const row = ([module, name, inputs, outputs, region, hits, numbers, more]) => {
    const ops = [];
    for (let i = 0; i < numbers.length; i += 2) ops.push(op(numbers[i], numbers[i + 1]));
    const casts = castsOf(ops);
    return {
      module: word(module), name: word(name), inputs: inputs.map(dtype), outputs: outputs.map(dtype), hits, more, ops, casts,
      region: region < 0 ? [null, "off", "unknown"][-region] : dtype(region),
      flops: sum(ops, "flops"), bytes: sum(ops, "bytes"), castBytes: casts.reduce((total, cast) => total + cast.bytes, 0),
    };
  };
  if (!packed?.totals) throw new RangeError("no flow");
  const sides = DIRECTIONS.map((direction) => {
    const [rows, hidden, casts, castBytes, bytes, flops] = packed.totals[direction];
    return [direction, { rows: packed[direction].map(row), totals: { rows, hidden, casts, castBytes, bytes, flops } }];
  });
  const shown = sides.flatMap(([, { rows }]) => rows);
  const used = new Set(shown.flatMap(({ inputs, outputs }) => [...inputs, ...outputs]));
  const rank = (name) => (ORDER.includes(name) ? ORDER.indexOf(name) : ORDER.length);
  return {
    lanes: [...used].sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1)),
    most: Math.max(...shown.map(({ castBytes }) => castBytes), 1),
    ...Object.fromEntries(sides),
  };
}

const sum = (ops, key) => ops.reduce((total, op) => total + op.times * op[key], 0);

/** The casts among ops, one entry for each caster and pair of dtypes. */
function castsOf(ops) {
  const found = new Map();
  for (const { by, inputs, outputs, bytes, times } of ops) {
    if (!by) continue;
    const [from, to] = [inputs.at(-1).dtype, outputs[0].dtype];
    const key = `${by} ${from} ${to}`, before = found.get(key) ?? { by, from, to, times: 0, bytes: 0 };
    found.set(key, { ...before, times: before.times + times, bytes: before.bytes + times * bytes });
  }
  return [...found.values()];
}

/** Totals of a direction, as two sentences: what the casts moved, and what the rows leave out. */
export function notes(direction, { rows, totals }) {
  const { casts, castBytes, bytes, hidden } = totals;
  const share = Math.floor((200 * castBytes + bytes) / (2 * bytes));
  const title = casts
    ? `${counted(casts, "cast")} moved ${amount(castBytes)}, ${share || "under 1"} % of the ${amount(bytes)} that the ${direction} pass read and wrote.`
    : `The ${direction} pass read and wrote ${amount(bytes)}. It has no casts.`;
  const left = hidden ? [`Left out: ${counted(hidden, direction === "forward" ? "call" : "op")} without work: only views or fresh memory.`] : [];
  const cut = rows.length < totals.rows ? [`Only the first ${rows.length} of ${totals.rows} rows are shown.`] : [];
  return { title, hint: [...left, ...cut].join(" ") };
}

/** What stands over a run of rows of one region; "" for none. */
export function regionTitle(region) {
  if (region === "off") return "Outside of autocast";
  return region === "unknown" ? "" : `Inside autocast, ${region}`;
}

/** Rows in runs of one region: [{ title, rows: [[number, row]] }]. */
export function runs(rows) {
  const found = [];
  rows.forEach((row, number) => {
    const title = regionTitle(row.region);
    if (!found.length || found.at(-1).title !== title) found.push({ title, rows: [] });
    found.at(-1).rows.push([number, row]);
  });
  return found;
}

/** The number of the next row with a cast after `from`, around the end; -1 if there is none. */
export function nextCast(rows, from) {
  const order = rows.map((_, i) => (from + 1 + i) % rows.length);
  return order.find((i) => rows[i].casts.length) ?? -1;
}
