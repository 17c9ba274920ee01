// Where browsers are on this machine, for the tests that drive one. None is ever downloaded.

import { accessSync, constants } from 'node:fs';

const CHROMIUM_PLACES = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/usr/bin/google-chrome-stable',
  '/snap/bin/chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
];

const FIREFOX_PLACES = [
  '/usr/bin/firefox',
  '/usr/bin/firefox-esr',
  '/snap/bin/firefox',
  '/Applications/Firefox.app/Contents/MacOS/firefox',
  'C:\\Program Files\\Mozilla Firefox\\firefox.exe',
];

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    // Not there is as good as not allowed.
    return false;
  }
}

function find(named: string | undefined, places: readonly string[]): string | undefined {
  if (named !== undefined && named !== '') return isExecutable(named) ? named : undefined;
  return places.find(isExecutable);
}

/** Path of a Chromium: the one that CHROMIUM names, else the first that is installed. */
export function findChromium(environment: NodeJS.ProcessEnv = process.env): string | undefined {
  return find(environment['CHROMIUM'], CHROMIUM_PLACES);
}

/** Path of a Firefox: the one that FIREFOX names, else the first that is installed. */
export function findFirefox(environment: NodeJS.ProcessEnv = process.env): string | undefined {
  return find(environment['FIREFOX'], FIREFOX_PLACES);
}

/** Path of WebKit's driver: the one that WEBKIT_DRIVER names, else that of Debian's webkit2gtk-driver. */
export function findWebKitDriver(environment: NodeJS.ProcessEnv = process.env): string | undefined {
  return find(environment['WEBKIT_DRIVER'], ['/usr/bin/WebKitWebDriver']);
}
