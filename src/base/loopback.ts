// Who counts as a person at this machine. The debugger, the index page and developer pages open for
// nobody else without a password, so the answer errs to "no". (docs/ARCHITECTURE.md, decision D8.)

/** True for 127.0.0.0/8, ::1 and their IPv4-mapped forms. */
export function isLoopbackAddress(address: string): boolean {
  const plain = address.startsWith('::ffff:') ? address.slice(7) : address;
  return plain === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(plain);
}

/**
 * True when the value of a Host field (with or without port) names this machine's loopback.
 * A name that merely resolves to 127.0.0.1 does not count: that is how DNS rebinding works.
 */
export function isLoopbackHost(host: string): boolean {
  const match = /^(\[[^\]]*\]|[^:]*)(?::\d{1,5})?$/.exec(host);
  if (match === null) return false;
  const name = match[1]!.toLowerCase();
  return name === 'localhost' || name === '[::1]' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(name);
}

const PROXY_FIELDS = /^(?:forwarded|via|x-real-ip|x-client-ip|x-forwarded(?:-.*)?)$/i;

/**
 * True for a client at this machine that came through no proxy: loopback address, loopback Host,
 * and no field that a proxy adds. `fields` is flat: name, value, name, value.
 */
export function isLocalClient(remoteAddress: string, fields: readonly string[]): boolean {
  if (!isLoopbackAddress(remoteAddress)) return false;
  let hosts = 0;
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const name = fields[index]!;
    if (PROXY_FIELDS.test(name)) return false;
    if (name.length === 4 && name.toLowerCase() === 'host') {
      hosts += 1;
      if (!isLoopbackHost(fields[index + 1]!)) return false;
    }
  }
  return hosts === 1;
}
