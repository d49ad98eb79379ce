// Binary floating-point formats, exactly: the JavaScript twin of amp_helpers/formats.py.
//
// The same parameters, names and rules; the tests hold the two together with vectors that Python exports.
// Codes are BigInt. A number is { kind, sign, num, den }: kind "finite", "infinity" or "nan", sign 0 or 1, and for
// finite numbers the magnitude num / den as BigInt, never a rounded JavaScript number.

export const SPECIALS = {
  ieee: "the top exponent is reserved: fraction 0 is infinity, any other fraction is NaN",
  all_ones: "no infinity; the code with every exponent and fraction bit set is NaN",
  negative_zero: "no infinity and no negative zero; the code of negative zero is the only NaN",
  none: "neither infinity nor NaN",
};
export const MODES = ["nearest_even", "nearest_away", "toward_zero", "toward_positive", "toward_negative"];
export const OVERFLOWS = ["ieee", "saturate"];

/** A format with everything that follows from its parameters; throws RangeError as Python raises ValueError. */
export function floatFormat(name, exponent_bits, significand_bits, bias, specials = "ieee", signed = true) {
  const fail = (text) => {
    throw new RangeError(`${name}: ${text}`);
  };
  if (!Object.hasOwn(SPECIALS, specials)) {
    fail(`unknown specials '${specials}'; choose from ${Object.keys(SPECIALS).join(", ")}`);
  }
  const leastFraction = specials === "ieee" ? 1 : 0; // "ieee" needs room for a NaN beside infinity
  for (const [field, value, low, high] of [
    ["exponent_bits", exponent_bits, 1, 11],
    ["significand_bits", significand_bits, leastFraction, 52],
  ]) {
    const fits = Number.isInteger(value) && low <= value && value <= high;
    if (!fits) fail(`${field} must be an integer from ${low} to ${high}, not ${value}`);
  }
  if (!Number.isInteger(bias)) fail(`bias must be an integer, not ${bias}`);
  if (!signed && specials === "negative_zero") fail("specials 'negative_zero' needs a sign bit");

  const fractionBits = BigInt(significand_bits);
  const bits = Number(signed) + exponent_bits + significand_bits;
  const everything = (1n << BigInt(exponent_bits + significand_bits)) - 1n;
  const sign_bit = signed ? 1n << BigInt(bits - 1) : 0n;
  const max_code = everything - { ieee: 1n << fractionBits, all_ones: 1n, negative_zero: 0n, none: 0n }[specials];
  const top = Number(max_code >> fractionBits);
  if (signed && top === 0) fail(`no normal number is left; raise exponent_bits ${exponent_bits}`);
  const min_exponent = (signed ? 1 : 0) - bias;
  const max_exponent = top - bias;
  if (min_exponent - significand_bits < -1074 || max_exponent > 1023) {
    const range = `2**${min_exponent - significand_bits} to 2**${max_exponent}`;
    fail(`values from ${range} do not fit in float64; change bias ${bias}`);
  }
  return Object.freeze({
    name, exponent_bits, significand_bits, bias, specials, signed, bits, sign_bit, max_code, min_exponent, max_exponent,
    has_infinity: specials === "ieee",
    has_nan: specials !== "none",
    has_zero: signed, // unsigned formats (E8M0) have neither zero nor subnormals
    has_negative_zero: signed && specials !== "negative_zero",
    nan_code: {
      ieee: max_code + 1n + (1n << (fractionBits || 1n) - 1n), // quiet: fraction 100...
      all_ones: max_code + 1n,
      negative_zero: sign_bit,
      none: null,
    }[specials],
  });
}

/** Every format the book names, in the order of formats.py. */
export const FORMATS = Object.fromEntries([
  ["float64", 11, 52, 1023],
  ["float32", 8, 23, 127],
  ["tfloat32", 8, 10, 127],
  ["bfloat16", 8, 7, 127],
  ["float16", 5, 10, 15],
  ["float8_e4m3fn", 4, 3, 7, "all_ones"],
  ["float8_e5m2", 5, 2, 15],
  ["float8_e4m3fnuz", 4, 3, 8, "negative_zero"],
  ["float8_e5m2fnuz", 5, 2, 16, "negative_zero"],
  ["float8_e8m0fnu", 8, 0, 127, "all_ones", false],
  ["float6_e2m3fn", 2, 3, 1, "none"],
  ["float6_e3m2fn", 3, 2, 3, "none"],
  ["float4_e2m1fn", 2, 1, 1, "none"],
].map((row) => [row[0], floatFormat(...row)]));

export const NAN = Object.freeze({ kind: "nan", sign: 0 });
export const infinity = (sign = 0) => ({ kind: "infinity", sign });
export const finite = (sign, num, den = 1n) => ({ kind: "finite", sign, num, den });

/** num * 2**exponent as a finite number. */
export const scaled = (sign, num, exponent) =>
  exponent < 0 ? finite(sign, num, 1n << BigInt(-exponent)) : finite(sign, num << BigInt(exponent));

export const isZero = (x) => x.kind === "finite" && x.num === 0n;

/** a - b for finite numbers. */
export function subtract(a, b) {
  const signed = (x) => (x.sign ? -x.num : x.num);
  const num = signed(a) * b.den - signed(b) * a.den;
  return finite(num < 0n ? 1 : 0, num < 0n ? -num : num, a.den * b.den);
}

/** a / b for finite numbers, b not zero. */
export const divide = (a, b) => finite(a.sign ^ b.sign, a.num * b.den, a.den * b.num);

export const fields = (code, fmt) => ({
  sign: code & fmt.sign_bit ? 1 : 0,
  exponent: Number((code >> BigInt(fmt.significand_bits)) & ((1n << BigInt(fmt.exponent_bits)) - 1n)),
  fraction: code & ((1n << BigInt(fmt.significand_bits)) - 1n),
});

/** zero, subnormal, normal, infinity or nan. */
export function classify(code, fmt) {
  const { exponent, fraction } = fields(code, fmt);
  if ((code & ~fmt.sign_bit) > fmt.max_code) return fmt.has_infinity && fraction === 0n ? "infinity" : "nan";
  if (fmt.specials === "negative_zero" && code === fmt.sign_bit) return "nan";
  if (exponent === 0 && fmt.has_zero) return fraction ? "subnormal" : "zero";
  return "normal";
}

/** The value of a code, exactly. */
export function decode(code, fmt) {
  const { sign, exponent, fraction } = fields(code, fmt);
  const kind = classify(code, fmt);
  if (kind === "nan") return NAN;
  if (kind === "infinity") return infinity(sign);
  if (kind === "zero" || kind === "subnormal") return scaled(sign, fraction, fmt.min_exponent - fmt.significand_bits);
  const significand = (1n << BigInt(fmt.significand_bits)) + fraction;
  return scaled(sign, significand, exponent - fmt.bias - fmt.significand_bits);
}

const bitLength = (n) => {
  const hex = n.toString(16);
  return n ? hex.length * 4 - Math.clz32(parseInt(hex[0], 16)) + 28 : 0;
};

/** floor(log2(num / den)) for a positive magnitude. */
export function floorLog2({ num, den }) {
  const guess = bitLength(num) - bitLength(den); // num / den lies between 2**(guess - 1) and 2**(guess + 1)
  const reaches = guess >= 0 ? num >= den << BigInt(guess) : num << BigInt(-guess) >= den;
  return reaches ? guess : guess - 1;
}

/** Round a positive magnitude to a code; the range is unbounded above, the caller checks overflow. */
function roundMagnitude(x, fmt, mode) {
  const exponent = Math.max(floorLog2(x), fmt.min_exponent);
  const quantum = exponent - fmt.significand_bits; // the ulp is 2**quantum
  const num = quantum < 0 ? x.num << BigInt(-quantum) : x.num;
  const den = quantum > 0 ? x.den << BigInt(quantum) : x.den;
  const rest = num % den;
  let lower = num / den + (BigInt(exponent - fmt.min_exponent) << BigInt(fmt.significand_bits));
  if (!fmt.has_zero) {
    lower -= 1n << BigInt(fmt.significand_bits); // field 0 is already a binade of its own
    if (lower < 0n) return 0n; // below the smallest value, and there is no zero to round to
  }
  let up = mode === "away_from_zero" && rest > 0n;
  if (mode === "nearest_even") up = 2n * rest > den || (2n * rest === den && lower % 2n === 1n);
  if (mode === "nearest_away") up = 2n * rest >= den;
  return up ? lower + 1n : lower;
}

/** The code of a number rounded once; throws RangeError for a NaN that the format cannot hold. */
export function encode(x, fmt, mode = "nearest_even", overflow = "ieee") {
  if (!MODES.includes(mode)) throw new RangeError(`unknown mode '${mode}'; choose from ${MODES.join(", ")}`);
  if (!OVERFLOWS.includes(overflow)) {
    throw new RangeError(`unknown overflow '${overflow}'; choose from ${OVERFLOWS.join(", ")}`);
  }
  const infinite = x.kind === "infinity";
  if (x.kind === "nan" || (!fmt.signed && (x.sign || isZero(x)))) {
    if (!fmt.has_nan) throw new RangeError(`${fmt.name} cannot hold a NaN`);
    return fmt.nan_code;
  }
  const sign = x.sign ? fmt.sign_bit : 0n;
  if (isZero(x)) return fmt.has_negative_zero ? sign : 0n;
  if (mode === "toward_positive" || mode === "toward_negative") {
    mode = Boolean(x.sign) === (mode === "toward_positive") ? "toward_zero" : "away_from_zero";
  }
  const code = infinite ? fmt.max_code + 1n : roundMagnitude(x, fmt, mode);
  if (code > fmt.max_code) {
    const staysFinite = overflow === "saturate" || (mode === "toward_zero" && !infinite);
    if (staysFinite || !fmt.has_nan) return sign | fmt.max_code;
    return fmt.has_infinity ? sign | (fmt.max_code + 1n) : fmt.nan_code;
  }
  return code === 0n && !fmt.has_negative_zero ? 0n : sign | code;
}

/** The next value below and above, as IEEE 754's nextDown and nextUp; null where there is none. */
export function neighbours(code, fmt) {
  if (classify(code, fmt) === "nan") return { below: null, above: null };
  const magnitude = code & ~fmt.sign_bit;
  const last = fmt.has_infinity ? fmt.max_code + 1n : fmt.max_code;
  const outward = magnitude < last ? (code & fmt.sign_bit) | (magnitude + 1n) : null;
  if (magnitude === 0n && !fmt.has_zero) return { below: null, above: outward };
  if (magnitude === 0n) return { below: fmt.sign_bit | 1n, above: 1n };
  let inward = code - 1n;
  if (inward === fmt.sign_bit && !fmt.has_negative_zero) inward = 0n;
  return code & fmt.sign_bit ? { below: outward, above: inward } : { below: inward, above: outward };
}

/** The gap between values in the binade of a finite code, as a number; null for infinity and NaN. */
export function ulp(code, fmt) {
  if (decode(code, fmt).kind !== "finite") return null;
  const exponent = Math.max(fields(code, fmt).exponent, fmt.has_zero ? 1 : 0) - fmt.bias;
  return scaled(0, 1n, exponent - fmt.significand_bits);
}

/** A JavaScript number, exactly. */
export function fromNumber(number) {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, number);
  return decode(view.getBigUint64(0), FORMATS.float64);
}

/** The nearest JavaScript number. */
export function toNumber(x) {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, encode(x, FORMATS.float64));
  return view.getFloat64(0);
}
