// Targets as the session proxy announces them: `node` and `node_worker`, children of whatever announced them.

import * as SDK from 'chrome-devtools-frontend/front_end/core/sdk/sdk.js';
import { openFirstFile } from './devtools-first-file.ts';

interface Attached {
  sessionId: string;
  targetInfo: SDK.Target.TargetInfo;
  waitingForDebugger: boolean;
}

/** Sessions that have a target. A worker may be announced by the app and by its process. */
const targets = new Map<string, SDK.Target.Target>();

/** Asks each target for its children and gives DevTools a target for each. */
class AppTargets extends SDK.SDKModel.SDKModel {
  #children = new Set<string>();

  constructor(parent: SDK.Target.Target) {
    super(parent);
    parent.registerTargetDispatcher(this);
    void parent
      .targetAgent()
      .invoke_setAutoAttach({ autoAttach: true, waitForDebuggerOnStart: false, flatten: true });
  }

  attachedToTarget({ sessionId, targetInfo, waitingForDebugger }: Attached): void {
    if (targets.has(sessionId)) return;
    const type = targetInfo.type === 'node_worker' ? SDK.Target.Type.NODE_WORKER : SDK.Target.Type.NODE;
    const target = this.target()
      .targetManager()
      .createTarget(
        targetInfo.targetId,
        targetInfo.title,
        type,
        this.target(),
        sessionId,
        undefined,
        undefined,
        targetInfo,
      );
    targets.set(sessionId, target);
    if (type === SDK.Target.Type.NODE) openFirstFile(targetInfo.url);
    this.#children.add(sessionId);
    if (waitingForDebugger) void target.runtimeAgent().invoke_runIfWaitingForDebugger();
  }

  detachedFromTarget({ sessionId }: { sessionId: string }): void {
    targets.get(sessionId)?.dispose('target terminated');
    targets.delete(sessionId);
    this.#children.delete(sessionId);
  }

  override dispose(): void {
    for (const sessionId of [...this.#children]) this.detachedFromTarget({ sessionId });
  }

  // DevTools calls every method of a dispatcher; these events say nothing that matters here.
  targetCreated(): void {}
  targetInfoChanged(): void {}
  targetDestroyed(): void {}
  targetCrashed(): void {}
  receivedMessageFromTarget(): void {}
}

/** Once, before the first target is made. */
export function installAppTargets(): void {
  // DevTools shows console, sources and network of one outermost target at a time: let that be the app, so
  // that all its processes are in view together.
  SDK.Target.Target.prototype.outermostTarget = () =>
    SDK.TargetManager.TargetManager.instance().rootTarget();
  SDK.SDKModel.SDKModel.register(AppTargets, {
    capabilities: SDK.Target.Capability.TARGET,
    autostart: true,
  });
}
