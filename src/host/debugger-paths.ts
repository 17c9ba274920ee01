// Where the entry file of an app and its debugger are, as URL paths. Pure.

import type { App } from '../apps/apps.ts';

/** Every path that means the debugger of the app, with a slash at the end. */
export function debuggerPaths(app: App): string[] {
  if (!app.settings.debuggingEnabled) return [];
  const segment = encodeURIComponent(app.settings.debuggerPathSegment);
  return [...new Set([`${app.path}${segment}/`, `${entryPath(app)}${segment}/`])];
}

/** The URL of the entry file, with a slash at the end: `/shop/server.js/`. */
export function entryPath(app: App): string {
  if (app.folderPath !== undefined) return app.path;
  const parts = app.entry.split('/').map((part) => encodeURIComponent(part));
  return `${app.path}${parts.join('/')}/`;
}
