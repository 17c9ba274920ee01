// Who counts as a person at this machine. The debugger, the index page and developer pages open for
// nobody else without a password, so the answer errs to "no". (docs/ARCHITECTURE.md, Access.)

// Asked for every request: the answers to the last address and to the last Host are kept.
let lastAddress = '';
let isLastAddressLoopback = false;
let lastHost = '';
let isLastHostLoopback = false;

/** True for 127.0.0.0/8, ::1 and their IPv4-mapped forms. */
export function isLoopbackAddress(address: string): boolean {
  if (address === lastAddress) return isLastAddressLoopback;
  const plain = address.startsWith('::ffff:') ? address.slice(7) : address;
  lastAddress = address;
  isLastAddressLoopback = plain === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(plain);
  return isLastAddressLoopback;
}

/**
 * True when the value of a Host field (with or without port) names this machine's loopback.
 * A name that merely resolves to 127.0.0.1 does not count: that is how DNS rebinding works.
 */
export function isLoopbackHost(host: string): boolean {
  if (host === lastHost) return isLastHostLoopback;
  const name = /^(\[[^\]]*\]|[^:]*)(?::\d{1,5})?$/.exec(host)?.[1]?.toLowerCase();
  lastHost = host;
  isLastHostLoopback = name === 'localhost' || name === '[::1]'
    || (name !== undefined && /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(name));
  return isLastHostLoopback;
}

/** The letters that names of proxy fields begin with: f, v and x. */
function mayBeProxyField(name: string): boolean {
  const first = name.charCodeAt(0) | 0x20;
  return first === 0x66 || first === 0x76 || first === 0x78;
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
    if (mayBeProxyField(name) && PROXY_FIELDS.test(name)) return false;
    if (name.length === 4 && (name === 'Host' || name.toLowerCase() === 'host')) {
      hosts += 1;
      if (!isLoopbackHost(fields[index + 1]!)) return false;
    }
  }
  return hosts === 1;
}
