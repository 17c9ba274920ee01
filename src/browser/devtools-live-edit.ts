// Editing a file of the program in Sources and saving it (Ctrl+S) changes the program that runs, not the file. DevTools
// itself has given that up; V8 has not. What V8 refuses is said in the console.

import * as Common from 'chrome-devtools-frontend/front_end/core/common/common.js';
import * as SDK from 'chrome-devtools-frontend/front_end/core/sdk/sdk.js';
import * as Workspace from 'chrome-devtools-frontend/front_end/models/workspace/workspace.js';

type File = Workspace.UISourceCode.UISourceCode;

/** What V8 says of an edit, in words. */
const REFUSALS: Readonly<Record<string, string>> = {
  CompileError: 'it has an error',
  BlockedByActiveFunction: 'a function that it changes is running; let the program go on first',
  BlockedByActiveGenerator: 'a generator or async function that it changes is suspended in its midst',
  BlockedByTopLevelEsModuleChange: 'the outermost code of an ES module cannot be changed',
};

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
  const place = lineNumber === -1 ? '' : `: ${words} in line ${lineNumber + 1}`;
  return `${REFUSALS[status] ?? status}${place}`;
}

async function saved(file: File, text: string): Promise<void> {
  const isRunning = file.project().type() === Workspace.Workspace.projectTypes.Network;
  if (!isRunning || file.contentType().isFromSourceMap()) return;
  const name = file.url().slice(file.url().lastIndexOf('/') + 1);
  const models = SDK.TargetManager.TargetManager.instance().models(SDK.DebuggerModel.DebuggerModel);
  const outcomes = await Promise.all(models.map((model) => edit(model, file.url(), text)));
  const done = outcomes.filter((outcome) => outcome !== null);
  const refusal = done.find((outcome) => outcome !== '');
  const log = Common.Console.Console.instance();
  if (refusal !== undefined) log.error(`${name} was not changed: ${refusal}.`);
  else if (done.length > 0) log.log(`${name} is changed in the program, until it starts again; the file is as before.`);
}

/** Once, before DevTools starts. */
export function installLiveEdit(): void {
  Workspace.Workspace.WorkspaceImpl.instance().addEventListener(
    Workspace.Workspace.Events.WorkingCopyCommittedByUser,
    ({ data }) => void saved(data.uiSourceCode, data.content),
  );
}
