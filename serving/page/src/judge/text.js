// Numbers and names as Python writes them, so that both judges give the same reasons.

/** Like Python's f'{value:.<digits>g}'. */
export function general(value, digits) {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value < 0 ? '-inf' : 'inf';
  if (value === 0) return Object.is(value, -0) ? '-0' : '0';
  const [mantissa, power] = value.toExponential(digits - 1).split('e');
  const exponent = Number(power);
  if (exponent >= -4 && exponent < digits) return String(Number(value.toPrecision(digits)));
  return `${Number(mantissa)}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
}

/** Like Python's repr of a list of numbers or of names. */
export const list = (items) => `[${items.map((item) => typeof item === 'string' ? `'${item}'` : String(item)).join(', ')}]`;
