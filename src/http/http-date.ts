// The three forms of a date in HTTP (RFC 9110 5.6.7) -> ms. Narrower than Date.parse: what a sender did not
// surely mean as a date is none, so that a cache takes it for the past.

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const DAY = '(?:mon|tue|wed|thu|fri|sat|sun)';
const LONG_DAY = '(?:monday|tuesday|wednesday|thursday|friday|saturday|sunday)';
const MONTH = `(${MONTHS.join('|')})`;
const TIME = '(\\d\\d):(\\d\\d):(\\d\\d)';

const FIXED = new RegExp(`^${DAY}, (\\d\\d) ${MONTH} (\\d{4}) ${TIME} gmt$`, 'i');
const RFC_850 = new RegExp(`^${LONG_DAY}, (\\d\\d)-${MONTH}-(\\d\\d) ${TIME} gmt$`, 'i');
const ASCTIME = new RegExp(`^${DAY} ${MONTH} (\\d\\d| \\d) ${TIME} (\\d{4})$`, 'i');

interface DateParts {
  year: number;
  month: string;
  day: string;
  time: readonly (string | undefined)[];
}

function toMs({ year, month, day, time }: DateParts): number {
  const monthIndex = MONTHS.indexOf(month.toLowerCase());
  const dayNumber = Number(day);
  const [hour, minute, second] = time.map(Number);
  // 60 is a leap second.
  if (hour! > 23 || minute! > 59 || second! > 60) return Number.NaN;
  const date = new Date(0);
  date.setUTCFullYear(year, monthIndex, dayNumber);
  if (date.getUTCMonth() !== monthIndex || date.getUTCDate() !== dayNumber) return Number.NaN;
  return date.getTime() + ((hour! * 60 + minute!) * 60 + second!) * 1000;
}

/** RFC 9110 5.6.7: a year that seems more than 50 years ahead is the last one with the same two digits. */
function fullYear(lastDigits: number, nowMs: number): number {
  const thisYear = new Date(nowMs).getUTCFullYear();
  const year = thisYear - (thisYear % 100) + lastDigits;
  return year > thisYear + 50 ? year - 100 : year;
}

/** The time that a date says, in ms since 1970; NaN if it is no date. Names of days are not compared. */
export function parseHttpDate(text: string, nowMs: number = Date.now()): number {
  const fixed = FIXED.exec(text);
  if (fixed !== null) {
    const [, day, month, year] = fixed;
    return toMs({ year: Number(year), month: month!, day: day!, time: fixed.slice(4) });
  }
  const asctime = ASCTIME.exec(text);
  if (asctime !== null) {
    const [, month, day] = asctime;
    return toMs({ year: Number(asctime[6]), month: month!, day: day!, time: asctime.slice(3, 6) });
  }
  const rfc850 = RFC_850.exec(text);
  if (rfc850 === null) return Number.NaN;
  const [, day, month, year] = rfc850;
  return toMs({ year: fullYear(Number(year), nowMs), month: month!, day: day!, time: rfc850.slice(4) });
}
