// What is changed in the source of DevTools while it is bundled, file by file. Each change must apply: a new
// version of the package that has moved on fails the build instead of shipping something half patched.

/** One change of one file of chrome-devtools-frontend/front_end. */
export interface Patch {
  /** Path below front_end. */
  file: string;
  /** What it is for. */
  why: string;
  find: string | RegExp;
  /** As for String.replaceAll (text, global expression) or String.replace (other expressions). */
  replace: string;
}

const SETTINGS_HIDDEN = new RegExp(
  `^(?:${[
    'chrome-theme-colors',
    'language',
    'disable-paused-state-overlay',
    'console-insight-teasers-enabled',
    'console-shows-cors-errors',
    'monitoring-xhr-enabled',
    'java-script-disabled',
    'css-source-maps-enabled',
    'frame-viewer-chrome-window',
    'timeline-invalidation-tracking',
    'timeline-enable-soft-navigations',
    'sync-preferences',
    'receive-gdp-badges',
    'persistence-.*',
    'network\\.group-by-frame',
    'network\\.enable-remote-file-loading',
  ].join('|')})$`,
);

/** The changes, in the order in which they are applied. */
export const DEVTOOLS_PATCHES: readonly Patch[] = [
  {
    file: 'core/root/Runtime.ts',
    why: 'every page of this build debugs Node, whatever the path of the app',
    find: /export function isNodeEntry\(pathname: string\): boolean \{[\s\S]*?\n\}/,
    replace: 'export function isNodeEntry(_pathname: string): boolean {\n  return true;\n}',
  },
  {
    file: 'core/root/Runtime.ts',
    why: 'an app may be called trace_app',
    find: "isTraceAppEntry = getPathName().includes('trace_app');",
    replace: 'isTraceAppEntry = false;',
  },
  {
    file: 'core/platform/HostRuntime.ts',
    why: 'no top-level await in a shared chunk, and no branch for Node',
    find: /export const HOST_RUNTIME[\s\S]*$/,
    replace: "export {HOST_RUNTIME} from './browser/HostRuntime.js';\n",
  },
  {
    file: 'core/platform/browser/HostRuntime.ts',
    why: 'the page is in a sandbox, where a worker starts only from a text of the page; each is one file',
    find: /new Promise\(\(fulfill, reject\) => \{\s+this\.#rejectWorkerPromise = reject;\s+const worker = .*/,
    replace:
      'new Promise(async (fulfill, reject) => {\n      this.#rejectWorkerPromise = reject;\n' +
      '      const source = await (await fetch(workerLocation)).text();\n' +
      "      const worker = new Worker(URL.createObjectURL(new Blob([source], {type: 'text/javascript'})));",
  },
  {
    file: 'core/i18n/i18nImpl.ts',
    why: 'the English texts are in the source; nothing is fetched',
    find: /const localeDataTextPromise =[\s\S]*?registerLocaleData\(locale, localeData\);/,
    replace: 'i18nInstance.registerLocaleData(locale, {});',
  },
  {
    file: 'third_party/i18n/localized-string-set.ts',
    why: 'backticks mark what translators must leave alone; they are not for readers',
    find: 'localeMessage ? localeMessage.message : message;',
    replace: "(localeMessage ? localeMessage.message : message).replaceAll('`', '');",
  },
  {
    file: 'panels/sources/DebuggerPlugin.ts',
    why: 'Firefox fills the middle of a border image only when told to',
    find: "</svg>') 1 3 1 1`",
    replace: "</svg>') 1 3 1 1 fill`",
  },
  {
    file: 'panels/sources/DebuggerPlugin.ts',
    why: 'a rule with a selector that only Chromium knows is dropped whole elsewhere',
    find: /':host-context\(\.breakpoints-deactivated\) &[^,']*, /g,
    replace: "'",
  },
  {
    file: 'models/breakpoints/BreakpointManager.ts',
    why: 'a page that is opened took each breakpoint away to set it again, since it had no hash of its script before',
    find: 'positionA.scriptHash === positionB.scriptHash &&',
    replace: '(Boolean(positionA.url) || positionA.scriptHash === positionB.scriptHash) &&',
  },
  {
    file: 'panels/sources/TabbedEditorContainer.ts',
    why: 'a folder cannot be dropped here: that needs access to files that only Chrome has',
    find: /<div class="tabbed-pane-placeholder-row workspace">[\s\S]*?<\/div>\s*(?=<div class="shortcuts-list)/,
    replace: '',
  },
  {
    file: 'panels/sources/UISourceCodeFrame.ts',
    why: 'coverage is a panel that is left out',
    find: /^ *CoveragePlugin,\n/m,
    replace: '',
  },
  {
    file: 'panels/sources/UISourceCodeFrame.ts',
    why: 'saving an edit of a file changes the program that runs (devtools-live-edit)',
    find: 'return this.#uiSourceCode.contentType().isStyleSheet();',
    replace:
      'const code = this.#uiSourceCode;\n' +
      "    return code.url().startsWith('file:') && code.contentType().isScript() && !this.pretty;",
  },
  {
    file: 'panels/console/ConsoleView.ts',
    why: 'issues are about web pages, and their panel is left out',
    find: /^ *toolbar\.appendToolbarItem\(issuesToolbarItem\);\n/m,
    replace: '',
  },
  {
    file: 'core/sdk/ConsoleModel.ts',
    why: 'taking a profile disables the debugger for a moment, which is no navigation: the console stays',
    find: /if \(target\.parentTarget\(\)\?\.type\(\) !== Type\.FRAME\) \{[^{}]*GlobalObjectCleared[^{}]*\}/,
    replace: '',
  },
  {
    file: 'panels/settings/SettingsScreen.ts',
    why: 'some settings are about web pages, languages that are not here, or assistants',
    find: "return Boolean(setting.uiDescriptor.title?.()) &&",
    replace: `return !${SETTINGS_HIDDEN}.test(setting.descriptor.name) && Boolean(setting.uiDescriptor.title?.()) &&`,
  },
  {
    file: 'panels/settings/SettingsScreen.ts',
    why: 'there are no extensions',
    find: 'if (category === Common.Settings.SettingCategory.EXTENSIONS) {',
    replace: 'if (category === Common.Settings.SettingCategory.EXTENSIONS) {\n      return;',
  },
  {
    file: 'panels/profiler/ProfilesPanel.ts',
    why: 'elements are of web pages',
    find: /(?<=get profileTypes\(\): ProfileType\[\] \{\s+return Object\.values\(ProfilesPanel\.registry\))/,
    replace: '.filter(type => type !== ProfilesPanel.registry.detachedElementProfileType)',
  },
  {
    file: 'panels/profiler/HeapSnapshotView.ts',
    why: 'there are no DOM nodes in Node',
    find: 'objects and related DOM nodes',
    replace: 'objects',
  },
  {
    file: 'panels/network/NetworkLogView.ts',
    why: 'Node tells of requests only where it is asked to when it starts',
    find: "'Currently recording network activity'",
    replace: "'Node shows its own requests when started with --experimental-network-inspection (nodeArgs)'",
  },
  {
    file: 'panels/timeline/TimelinePanel.ts',
    why: 'the list of shortcuts stays closed until it is asked for',
    find: /(?<='timeline\.user-had-shortcuts-dialog-opened-once', )false/,
    replace: 'true',
  },
  {
    file: 'models/workspace/IgnoreListManager.ts',
    why: 'the preload is below every handler of a request; it is no code of the user',
    find: "defaultValue: '/node_modules/|^node:'",
    replace: "defaultValue: '/node_modules/|^node:|/dist/register\\\\.cjs$'",
  },
  {
    file: 'generated/InspectorBackendCommands.ts',
    why: 'types serve the protocol monitor only: 320 kB',
    find: /^inspectorBackend\.registerType\(.*\n/gm,
    replace: '',
  },
  {
    file: 'generated/InspectorBackendCommands.ts',
    why: 'descriptions serve the protocol monitor only',
    find: /"description": "(?:[^"\\]|\\.)+"/g,
    replace: '"description": ""',
  },
];

/** The source of `file` with its patches. Throws an Error that names the patch when one does not apply. */
export function applyPatches(file: string, source: string, patches: readonly Patch[]): string {
  let text = source;
  for (const patch of patches) {
    if (patch.file !== file) continue;
    const isGlobal = typeof patch.find === 'string' || patch.find.global;
    // A function, because "$" in a replacement text would mean something.
    const next = isGlobal
      ? text.replaceAll(patch.find, () => patch.replace)
      : text.replace(patch.find, () => patch.replace);
    if (next === text) throw new Error(`patch of ${file} does not apply: ${patch.why}`);
    text = next;
  }
  return text;
}
