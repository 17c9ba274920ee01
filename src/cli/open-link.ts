// A link in the browser of this desktop. Where there is none, as on a server, nothing is opened.

import { spawn } from 'node:child_process';
import { HostError } from '../base/host-error.ts';

/** What is known of the place where a verb runs. */
export interface Desktop {
  environment: NodeJS.ProcessEnv;
  platform: NodeJS.Platform;
  /** A person reads what is printed. */
  isTerminal: boolean;
}

/** `asked`: by --open, by --no-open, by neither. */
export type OpenWish = 'yes' | 'no' | 'where-a-person-is';

/** The command that opens a link, without the link; null when none is to be opened. @throws HostError OPTION_INVALID */
export function openerFor(wish: OpenWish, { environment, platform, isTerminal }: Desktop): string[] | null {
  if (wish === 'no' || (wish === 'where-a-person-is' && !isTerminal)) return null;
  const { BROWSER: named = '', DISPLAY: display = '', WAYLAND_DISPLAY: wayland = '' } = environment;
  if (named !== '') return [named];
  if (platform === 'darwin') return ['open'];
  if (platform === 'win32') return ['rundll32', 'url.dll,FileProtocolHandler'];
  if (display !== '' || wayland !== '') return ['xdg-open'];
  if (wish === 'where-a-person-is') return null;
  throw new HostError('OPTION_INVALID', '--open: there is no desktop here (DISPLAY), and BROWSER names no browser');
}

/** Opens `link` and goes on; resolves when that has begun. @throws HostError OPTION_INVALID without such a command */
export async function openLink([command = '', ...words]: readonly string[], link: string): Promise<void> {
  const child = spawn(command, [...words, link], { detached: true, stdio: 'ignore' });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (cause) => {
      reject(new HostError('OPTION_INVALID', `${command} cannot be started: open the link yourself`, { cause }));
    });
  });
  child.unref();
}
