/** A number with a unit behind it, where a setting has a unit of its own: what to write instead. */

const SECONDS: Readonly<Record<string, number>> = {
  ms: 0.001,
  s: 1,
  sec: 1,
  second: 1,
  seconds: 1,
  m: 60,
  min: 60,
  minutes: 60,
  h: 3600,
  hours: 3600,
  d: 86_400,
  days: 86_400,
};
const KIB = 1024;
const BYTES: Readonly<Record<string, number>> = {
  b: 1,
  bytes: 1,
  k: KIB,
  kb: 1000,
  kib: KIB,
  m: KIB ** 2,
  mb: 1000 ** 2,
  mib: KIB ** 2,
  g: KIB ** 3,
  gb: 1000 ** 3,
  gib: KIB ** 3,
};

const NUMBER_AND_UNIT = /^(\d{1,9}(?:\.\d{1,9})?)\s*([a-z]{1,8})$/i;

/** `, without a unit: 10` for a number with one, otherwise empty. */
function instead(raw: string, units: Readonly<Record<string, number>>): string {
  const [, number, unit = ''] = NUMBER_AND_UNIT.exec(raw.trim()) ?? [];
  const factor = Object.entries(units).find(([name]) => name === unit.toLowerCase())?.[1];
  if (number === undefined || factor === undefined) return '';
  return `, without a unit: ${Number((Number(number) * factor).toFixed(9))}`;
}

export const secondsInstead = (raw: string): string => instead(raw, SECONDS);
export const bytesInstead = (raw: string): string => instead(raw, BYTES);
