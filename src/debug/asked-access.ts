// A request that a front asks the host about, as access looks at it.

import type { AskedRequest } from '../wire/front-messages.ts';
import type { AccessRequest } from './access.ts';
import { fieldOf, valuesOf } from './debug-answer.ts';

/** See the head of this file. */
export function accessRequestOf(request: AskedRequest): AccessRequest {
  const { local: isLocal, certificate } = request;
  return {
    isLocal,
    field: (name) => fieldOf(request, name),
    values: (name) => valuesOf(request, name),
    certificate: () => (certificate === undefined ? undefined : Buffer.from(certificate, 'base64')),
  };
}
