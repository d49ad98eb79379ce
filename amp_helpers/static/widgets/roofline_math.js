// The roofline model: a product of matrices, a sum, a linear layer; what limits it on a GPU, and when it could be done.

export const BYTES = { float32: 4, tfloat32: 4, float16: 2, bfloat16: 2, float8_e4m3fn: 1 };
export const DTYPES = Object.keys(BYTES);
/** Op -> the sizes that it has. */
export const OPS = { matmul: ["m", "n", "k"], elementwise: ["elements"], linear: ["batch", "in_features", "out_features"] };

// A float8 product is written as bfloat16, as torch's scaled product does.
const written = (dtype) => (dtype === "float8_e4m3fn" ? 2 : BYTES[dtype]);

/** The dtypes of an op that a GPU has a stated rate for. Elementwise ops do not run in matrix units' formats. */
export function dtypesOf(gpu, op) {
  const known = DTYPES.filter((dtype) => dtype in gpu.tflops);
  return op === "elementwise" ? known.filter((dtype) => dtype !== "tfloat32" && !dtype.startsWith("float8")) : known;
}

/** The dtype nearest to `dtype` that is allowed: another of 16 bits, else float32. */
export function nearestDtype(dtype, allowed) {
  if (allowed.includes(dtype)) return dtype;
  return (/16|8/.test(dtype) && ["bfloat16", "float16"].find((one) => allowed.includes(one))) || "float32";
}

/** Floating-point operations and bytes of an op: every operand is read once, every result written once. */
export function work({ op, dtype, ...size }) {
  const each = BYTES[dtype];
  if (op === "elementwise") return { flops: size.elements, bytes: 3 * size.elements * each }; // z = x + y
  const [m, k, n] = op === "linear" ? [size.batch, size.in_features, size.out_features] : [size.m, size.k, size.n];
  const bias = op === "linear" ? 1 : 0;
  return { flops: 2 * m * n * k + bias * m * n, bytes: (m * k + k * n) * each + (m * n + bias * n) * written(dtype) };
}

/** The rate, in FLOP/s, that the op's arithmetic cannot exceed: elementwise ops are added up outside the matrix units, in float32. */
export const peakOf = (gpu, { op, dtype }) => gpu.tflops[op === "elementwise" ? "float32" : dtype] * 1e12;

/** What the roofline says about an op. */
export function roofline(state, gpu) {
  const { flops, bytes } = work(state);
  const peak = peakOf(gpu, state), bandwidth = gpu.tb_per_s * 1e12;
  const intensity = flops / bytes, ridge = peak / bandwidth;
  const ceiling = Math.min(peak, intensity * bandwidth);
  return { flops, bytes, peak, bandwidth, intensity, ridge, ceiling, seconds: flops / ceiling, bound: intensity < ridge ? "memory" : "compute" };
}

/** The intensity of a recorded product of two n x n matrices. */
export function squareIntensity(dtype, n) {
  const { flops, bytes } = work({ op: "matmul", dtype, m: n, n, k: n });
  return flops / bytes;
}
