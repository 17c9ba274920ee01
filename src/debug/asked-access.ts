// A request that a front asks the host about, as access looks at it.

import { isServicePeer } from '../base/peer-user.ts';
import type { AskedRequest } from '../wire/front-messages.ts';
import type { AccessRequest } from './access.ts';
import { fieldOf, valuesOf } from './debug-answer.ts';

/** See the head of this file. */
export function accessRequestOf(request: AskedRequest): AccessRequest {
  const { local, ends, certificate } = request;
  return {
    // Who debugs runs code: a proxy that says nothing of its clients is no person.
    isLocal: local && (ends === undefined || !isServicePeer(ends)),
    field: (name) => fieldOf(request, name),
    values: (name) => valuesOf(request, name),
    certificate: () => (certificate === undefined ? undefined : Buffer.from(certificate, 'base64')),
  };
}
