// The DevTools settings of one app, kept on the server so that every browser finds them (breakpoints and
// watches are settings too). One JSON file {name: text}, replaced as a whole and atomically; a change that
// would make it too large is refused and changes nothing.

import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { HostError, messageOf } from '../base/host-error.ts';
import type { Log } from '../base/log.ts';

/** Largest file, in bytes as UTF-8. */
export const SETTINGS_BYTES_MAX = 4_194_304;
/** Most settings of one app. */
export const SETTINGS_COUNT_MAX = 5000;
/** Longest name of a setting. */
export const SETTING_NAME_MAX = 512;

/** The settings of one app. */
export interface SettingsFile {
  /** All settings. */
  all(): Promise<Record<string, string>>;
  /**
   * Sets (text) or removes (null) settings; resolves when they are on the disk.
   * @throws HostError REQUEST_INVALID when `changes` has another shape, REQUEST_BODY_TOO_LARGE when a bound
   * would be passed. What the disk refuses is logged: the settings hold as long as this process.
   */
  change(changes: unknown): Promise<void>;
}

/** Makes the settings that `file` keeps; it is read when they are first needed. */
export function createSettingsFile(file: string, log: Log): SettingsFile {
  let loading: Promise<Map<string, string>> | null = null;
  let writing: Promise<void> = Promise.resolve();
  let isWriteDue = false;
  const load = (): Promise<Map<string, string>> => (loading ??= readSettingsFile(file, log));
  const write = (): Promise<void> => {
    // Changes that come during a write share the next one.
    if (isWriteDue) return writing;
    isWriteDue = true;
    writing = writing.then(async () => {
      isWriteDue = false;
      await replaceFile(file, asJson(await load()), log);
    });
    return writing;
  };
  return {
    async all() {
      // fromEntries makes own properties of every name.
      return Object.fromEntries(await load());
    },
    async change(changes) {
      const entries = checkChanges(changes);
      const settings = await load();
      const next = new Map(settings);
      for (const [name, value] of entries) {
        if (value === null) next.delete(name);
        else next.set(name, value);
      }
      checkBounds(next);
      for (const [name, value] of entries) {
        if (value === null) settings.delete(name);
        else settings.set(name, value);
      }
      await write();
    },
  };
}

function asJson(settings: Map<string, string>): string {
  // fromEntries makes own properties of every name.
  return JSON.stringify(Object.fromEntries(settings));
}

function checkChanges(changes: unknown): [string, string | null][] {
  if (typeof changes !== 'object' || changes === null || Array.isArray(changes)) {
    throw new HostError('REQUEST_INVALID', 'settings are an object of names to texts or null');
  }
  const entries: [string, string | null][] = [];
  for (const [name, value] of Object.entries(changes as Record<string, unknown>)) {
    if (value !== null && typeof value !== 'string') {
      throw new HostError('REQUEST_INVALID', `setting ${JSON.stringify(name)} is neither a text nor null`);
    }
    if (name.length > SETTING_NAME_MAX) {
      throw new HostError('REQUEST_BODY_TOO_LARGE', `a name is longer than ${SETTING_NAME_MAX}`);
    }
    entries.push([name, value]);
  }
  return entries;
}

function checkBounds(settings: Map<string, string>): void {
  if (settings.size > SETTINGS_COUNT_MAX) {
    throw new HostError('REQUEST_BODY_TOO_LARGE', `there are more than ${SETTINGS_COUNT_MAX} settings`);
  }
  if (Buffer.byteLength(asJson(settings)) > SETTINGS_BYTES_MAX) {
    throw new HostError('REQUEST_BODY_TOO_LARGE', `the settings have more than ${SETTINGS_BYTES_MAX} bytes`);
  }
}

async function readSettingsFile(file: string, log: Log): Promise<Map<string, string>> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    if (!isMissing) log.warn('settings-unreadable', { file, reason: messageOf(error) });
    return new Map();
  }
  try {
    const entries = checkChanges(JSON.parse(text));
    return new Map(entries.filter((entry): entry is [string, string] => entry[1] !== null));
  } catch (error) {
    // Kept for a person to look at; the next change would overwrite it.
    log.warn('settings-damaged', { file, reason: messageOf(error) });
    await rename(file, `${file}.damaged`).catch((cause: unknown) => {
      log.warn('settings-damaged', { file, reason: messageOf(cause) });
    });
    return new Map();
  }
}

async function replaceFile(file: string, text: string, log: Log): Promise<void> {
  const draft = `${file}.${process.pid}.tmp`;
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    await writeFile(draft, text, { mode: 0o600 });
    await rename(draft, file);
  } catch (error) {
    log.warn('settings-not-saved', { file, reason: messageOf(error) });
  }
}
