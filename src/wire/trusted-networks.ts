// Lists of addresses and networks: checked by the host, asked by the front.

import { BlockList, isIP } from 'node:net';

/** True for an IP address, maybe with `/bits`. */
export function isNetwork(text: string): boolean {
  const [address = '', bits, ...rest] = text.split('/');
  const family = isIP(address);
  if (family === 0 || rest.length > 0 || address.includes('%')) return false;
  if (bits === undefined) return true;
  return /^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128);
}

/** Tells whether an address lies in one of `networks`, for which isNetwork holds. IPv4-mapped ones count as IPv4. */
export function networkTest(networks: readonly string[]): (address: string) => boolean {
  const list = new BlockList();
  for (const network of networks) {
    const [address = '', bits] = network.split('/');
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }
  // Asked for each connection, often of the same client or proxy: the answer to the last address is kept.
  let lastAddress = '';
  let isLastMember = false;
  return (address) => {
    if (address === lastAddress) return isLastMember;
    const plain = address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
    const family = isIP(plain);
    lastAddress = address;
    isLastMember = family !== 0 && list.check(plain, family === 6 ? 'ipv6' : 'ipv4');
    return isLastMember;
  };
}
