// slipstream attach <url>: a local inspector address for editors.

import { systemClock } from '../base/clock.ts';
import { HostError } from '../base/host-error.ts';
import { attach as openAddress } from '../debug/attach.ts';
import { parseWords } from './options.ts';
import { printable } from './text-table.ts';

/** Shown by `--help`. */
export const ATTACH_HELP = `Usage: slipstream attach <url> [--port PORT]

Opens 127.0.0.1:9229 (or PORT; 0 takes a free one) as if the program ran on this machine with
--inspect: for VS Code, WebStorm, chrome://inspect, node inspect and other CDP clients. Stays
until Ctrl+C; cuts of the network are survived.

  <url>   https://host/app/debug/ or a one-time link from "slipstream debug <app>"

  node inspect 127.0.0.1:9229
  VS Code: { "type": "node", "request": "attach", "port": 9229 }

Other users of this machine can reach the port too, as with node --inspect.
`;

const DEFAULT_PORT = 9229;
const OPTIONS = { port: { type: 'string' } } as const;

/** Runs the verb; the process ends by a signal. @throws HostError what {@link openAddress} throws */
export async function attach(words: string[]): Promise<void> {
  const { values, positionals } = parseWords('attach', words, OPTIONS, 1);
  const [url] = positionals;
  if (url === undefined) throw new HostError('OPTION_INVALID', 'attach needs the URL of a debugger');
  const port = values.port === undefined ? DEFAULT_PORT : Number(values.port);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new HostError('OPTION_INVALID', `--port takes a number from 0 to 65535, not "${values.port}"`);
  }
  const address = await openAddress({
    url,
    port,
    clock: systemClock,
    onEvent: (text) => process.stdout.write(`${text.split('\n').map(printable).join('\n')}\n`),
  });
  process.stdout.write(`Debugger listening on ${address.socketUrl}\n`);
  const stop = (): void => void address.close().then(() => process.exit(0));
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
}
