// DER (X.690), the encoding of certificates, and PEM around it. Only what certificate-maker.ts writes.

/** A value with its tag and length. */
export function element(tag: number, content: Buffer): Buffer {
  const { length } = content;
  if (length < 0x80) return Buffer.concat([Buffer.from([tag, length]), content]);
  const digits: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) digits.unshift(rest % 256);
  return Buffer.concat([Buffer.from([tag, 0x80 | digits.length, ...digits]), content]);
}

/** SEQUENCE of values in this order. */
export function sequence(...parts: Buffer[]): Buffer {
  return element(0x30, Buffer.concat(parts));
}

/** SET of one value. */
export function setOf(part: Buffer): Buffer {
  return element(0x31, part);
}

/** `[number]` around a value. */
export function explicit(number: number, content: Buffer): Buffer {
  return element(0xa0 | number, content);
}

/** `[number]` in the place of a primitive value's own tag. */
export function implicit(number: number, content: Buffer): Buffer {
  return element(0x80 | number, content);
}

/** INTEGER from an unsigned big-endian number. */
export function integer(bytes: Buffer): Buffer {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start += 1;
  const plain = bytes.subarray(start);
  // The first bit is the sign.
  const isSigned = (plain[0]! & 0x80) !== 0;
  return element(0x02, isSigned ? Buffer.concat([Buffer.from([0]), plain]) : plain);
}

/** OBJECT IDENTIFIER from `1.2.840`. */
export function objectId(text: string): Buffer {
  const [first, second, ...rest] = text.split('.').map(Number);
  const bytes: number[] = [];
  for (const part of [first! * 40 + second!, ...rest]) {
    const septets: number[] = [part % 128];
    for (let left = Math.floor(part / 128); left > 0; left = Math.floor(left / 128)) {
      septets.unshift(0x80 | left % 128);
    }
    bytes.push(...septets);
  }
  return element(0x06, Buffer.from(bytes));
}

/** BOOLEAN TRUE. */
export const TRUE = element(0x01, Buffer.from([0xff]));

/** NULL. */
export const NULL = element(0x05, Buffer.alloc(0));

/** UTF8String. */
export function utf8(text: string): Buffer {
  return element(0x0c, Buffer.from(text, 'utf8'));
}

/** OCTET STRING. */
export function octets(content: Buffer): Buffer {
  return element(0x04, content);
}

/** BIT STRING; the last `unusedBits` bits mean nothing. */
export function bits(content: Buffer, unusedBits = 0): Buffer {
  return element(0x03, Buffer.concat([Buffer.from([unusedBits]), content]));
}

/** UTCTime until 2049, GeneralizedTime from then on: RFC 5280 4.1.2.5. */
export function time(date: Date): Buffer {
  const text = `${date.toISOString().replace(/[-:T]/g, '').slice(0, 14)}Z`;
  if (date.getUTCFullYear() >= 2050) return element(0x18, Buffer.from(text, 'latin1'));
  return element(0x17, Buffer.from(text.slice(2), 'latin1'));
}

/** PEM, RFC 7468: lines of 64 characters between BEGIN and END. */
export function pem(label: string, der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

/** The PEM blocks with this label in a text that may hold anything. */
export function pemBlocks(text: string, label: string): string[] {
  return text.match(new RegExp(`-----BEGIN ${label}-----[^-]*-----END ${label}-----`, 'g')) ?? [];
}
