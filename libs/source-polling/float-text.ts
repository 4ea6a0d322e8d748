/**
 * FLOAT columns. The server prints them with six digits, which is lossy (16777216 comes out as 16777200), so the reader
 * asks for the column times one, a DOUBLE with exactly the FLOAT's value, and this finds the shortest text that still
 * reads back as the same 32-bit float.
 */

/** Nine significant digits tell any two 32-bit floats apart (IEEE 754). */
const FLOAT_DIGITS_MAX = 9;
const FLOAT_DIGITS_MIN = 6;

/** `printed` is the DOUBLE as the server prints it. Returns the text of a JSON number. */
export function floatText(printed: string): string {
  const value = Number(printed);
  if (Object.is(value, -0)) return '-0';
  for (let digits = FLOAT_DIGITS_MIN; digits < FLOAT_DIGITS_MAX; digits += 1) {
    const candidate = Number(value.toPrecision(digits));
    if (Math.fround(candidate) === value) return String(candidate);
  }
  return String(Number(value.toPrecision(FLOAT_DIGITS_MAX)));
}
