// Editing a file of the program in Sources and saving it (Ctrl+S) changes the program that runs, not the file. DevTools
// itself has given that up; V8 has not. What V8 refuses is said in the console, and so is why a file that a source map
// names cannot be edited: the program runs what was made of it, and nobody here knows how to make that again.

import * as Common from 'chrome-devtools-frontend/front_end/core/common/common.js';
import * as SDK from 'chrome-devtools-frontend/front_end/core/sdk/sdk.js';
import * as Bindings from 'chrome-devtools-frontend/front_end/models/bindings/bindings.js';
import * as Workspace from 'chrome-devtools-frontend/front_end/models/workspace/workspace.js';
import * as UI from 'chrome-devtools-frontend/front_end/ui/legacy/legacy.js';

type File = Workspace.UISourceCode.UISourceCode;

/** What V8 says of an edit, in words. */
const REFUSALS: Readonly<Record<string, string>> = {
  CompileError: 'it has an error',
  BlockedByActiveFunction: 'a function that it changes is running; let the program go on first',
  BlockedByActiveGenerator: 'a generator or async function that it changes is suspended in its midst',
  BlockedByTopLevelEsModuleChange: 'the outermost code of an ES module cannot be changed',
};

function nameOf(url: string): string {
  return url.slice(url.lastIndexOf('/') + 1);
}

async function edit(model: SDK.DebuggerModel.DebuggerModel, url: string, text: string): Promise<string | null> {
  const script = model.scriptsForSourceURL(url).at(-1);
  if (script === undefined) return null;
  const answer = await model.agent.invoke_setScriptSource({
    scriptId: script.scriptId,
    scriptSource: text,
    allowTopFrameEditing: true,
  });
  const failure = answer.getError();
  if (failure !== undefined) return failure;
  const { status = 'Ok', exceptionDetails } = answer;
  if (status === 'Ok') return '';
  const { text: words = '', lineNumber = -1 } = exceptionDetails ?? {};
  const place = lineNumber === -1 ? '' : ` in line ${lineNumber + 1}`;
  return `${REFUSALS[status] ?? status}${words === '' ? '' : `: ${words}${place}`}`;
}

async function saved(file: File, text: string): Promise<void> {
  const isRunning = file.project().type() === Workspace.Workspace.projectTypes.Network;
  if (!isRunning || file.contentType().isFromSourceMap()) return;
  const name = nameOf(file.url());
  const models = SDK.TargetManager.TargetManager.instance().models(SDK.DebuggerModel.DebuggerModel);
  const outcomes = await Promise.all(models.map((model) => edit(model, file.url(), text)));
  const done = outcomes.filter((outcome) => outcome !== null);
  const refusal = done.find((outcome) => outcome !== '');
  const log = Common.Console.Console.instance();
  if (refusal !== undefined) log.error(`${name} was not changed: ${refusal}.`);
  else if (done.length > 0) log.log(`${name} is changed in the program, until it starts again; the file is as before.`);
}

/** Files that a person was told about. */
const explained = new Set<string>();

/** Somebody types: into a file that cannot be edited, maybe. */
async function typed(event: KeyboardEvent): Promise<void> {
  const isText = event.key.length === 1 && !event.ctrlKey && !event.metaKey && !event.altKey;
  const isInEditor = event.composedPath().some((node) => node instanceof Element && node.matches('.cm-content'));
  if (!isText || !isInEditor) return;
  // Loaded already: it is what made the editor.
  const { UISourceCodeFrame } = await import('chrome-devtools-frontend/front_end/panels/sources/sources.js');
  const frame = UI.Context.Context.instance().flavor(UISourceCodeFrame.UISourceCodeFrame);
  const file = frame?.uiSourceCode();
  if (!frame?.hasFocus() || !file?.contentType().isFromSourceMap() || explained.has(file.url())) return;
  explained.add(file.url());
  const scripts = Bindings.DebuggerWorkspaceBinding.DebuggerWorkspaceBinding.instance().scriptsForUISourceCode(file);
  const urls = new Set(scripts.map(({ sourceURL }) => sourceURL));
  const made = [...urls].filter((url) => url !== file.url()).map(nameOf);
  const name = nameOf(file.url());
  const runs = made.length === 0 ? 'what was made of it in memory' : made.join(', ');
  const advice = `Edit ${['the file on disk', ...made].join(', or here ')}.`;
  Common.Console.Console.instance().error(`${name} cannot be changed here: the program runs ${runs}. ${advice}`);
}

/** Once, before DevTools starts. */
export function installLiveEdit(): void {
  addEventListener('keydown', (event) => void typed(event), true);
  Workspace.Workspace.WorkspaceImpl.instance().addEventListener(
    Workspace.Workspace.Events.WorkingCopyCommittedByUser,
    ({ data }) => void saved(data.uiSourceCode, data.content),
  );
}
