// A page that has shown no file of this app yet opens the one the app was started with, so that nobody looks
// at an empty editor. A pause, which has a place of its own to show, comes first.

import * as Common from 'chrome-devtools-frontend/front_end/core/common/common.js';
import * as SDK from 'chrome-devtools-frontend/front_end/core/sdk/sdk.js';
import * as Workspace from 'chrome-devtools-frontend/front_end/models/workspace/workspace.js';

/** Scripts and the pause come in one batch of messages; DevTools has seen them all after so many ms. */
const SETTLE_MS = 150;

/** The list of files that DevTools opens again by itself. */
const FILES_SETTING = 'previously-viewed-files';

declare const slipstreamStorage: { getItem(name: string): string | null };

function hasOpenFile(): boolean {
  return (slipstreamStorage.getItem(FILES_SETTING) ?? '[]') !== '[]';
}

function debuggerModels(): SDK.DebuggerModel.DebuggerModel[] {
  return SDK.TargetManager.TargetManager.instance().models(SDK.DebuggerModel.DebuggerModel);
}

/** The file as it was written, where its script has a map that leads to a file of the same name. */
async function asWritten(file: Workspace.UISourceCode.UISourceCode): Promise<Workspace.UISourceCode.UISourceCode> {
  const scripts = debuggerModels().flatMap((model) => model.scriptsForSourceURL(file.url()));
  await Promise.all(scripts.map((script) => script.debuggerModel.sourceMapManager().sourceMapForClientPromise(script)));
  const files = Workspace.Workspace.WorkspaceImpl.instance().uiSourceCodes();
  return files.find((other) => other.url() === file.url() && other.contentType().isFromSourceMap()) ?? file;
}

async function show(file: Workspace.UISourceCode.UISourceCode): Promise<void> {
  const written = await asWritten(file);
  if (!hasOpenFile() && !debuggerModels().some((model) => model.isPaused())) {
    await Common.Revealer.reveal(written, true);
  }
}

/** Shows the script `url` as soon as it is known. */
export function openFirstFile(url: string): void {
  if (hasOpenFile()) return;
  const workspace = Workspace.Workspace.WorkspaceImpl.instance();
  const { UISourceCodeAdded } = Workspace.Workspace.Events;
  const added = ({ data: file }: { data: Workspace.UISourceCode.UISourceCode }): void => {
    if (file.url() !== url || file.project().type() !== Workspace.Workspace.projectTypes.Network) return;
    workspace.removeEventListener(UISourceCodeAdded, added);
    setTimeout(() => void show(file), SETTLE_MS);
  };
  workspace.addEventListener(UISourceCodeAdded, added);
}
