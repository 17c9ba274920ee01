// PKCS #12 -> PEM, by the openssl program: node takes such files but does not give out what is in them. The
// passphrase goes through the environment, which other users cannot read, unlike arguments.

import { spawnSync } from 'node:child_process';
import { HostError } from '../base/host-error.ts';

const OUTPUT_BYTES_MAX = 1_048_576;
const TIMEOUT_MS = 20_000;

/** Certificates and key of a file, as PEM. @throws HostError TLS_CERTIFICATE_INVALID */
export function readPfx(file: string, passphrase: string): Buffer {
  const variable = 'SLIPSTREAM_PFX';
  const result = spawnSync('openssl', ['pkcs12', '-in', file, '-nodes', '-passin', `env:${variable}`], {
    env: { ...process.env, [variable]: passphrase },
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: OUTPUT_BYTES_MAX,
    timeout: TIMEOUT_MS,
  });
  if (result.error !== undefined) {
    const isMissing = (result.error as NodeJS.ErrnoException).code === 'ENOENT';
    const why = isMissing ? 'the program openssl is needed for it and is not there' : result.error.message;
    throw new HostError('TLS_CERTIFICATE_INVALID', `cannot read ${file}: ${why}`);
  }
  if (result.status !== 0) {
    const why = result.stderr.toString('utf8').split('\n')[0] || 'openssl does not take it';
    throw new HostError('TLS_CERTIFICATE_INVALID', `cannot read ${file}: ${why}`);
  }
  return result.stdout;
}
