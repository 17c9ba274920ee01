// The little of DevTools that this folder touches, as types. The package is bare TypeScript under other
// compiler options and cannot be checked along with ours; the build fails when an import is not there.

declare module 'chrome-devtools-frontend/front_end/Images/Images.js';
declare module 'chrome-devtools-frontend/front_end/ui/dom_extension/dom_extension.js';
declare module 'chrome-devtools-frontend/front_end/*-meta.js';

declare module 'chrome-devtools-frontend/front_end/core/common/common.js' {
  export namespace Console {
    const Console: { instance(): { log(text: string): void; error(text: string): void } };
  }
  export namespace Revealer {
    function reveal(revealable: object, omitFocus?: boolean): Promise<void>;
  }
  export namespace Runnable {
    interface Runnable {
      run(): Promise<void>;
    }
    function registerEarlyInitializationRunnable(make: () => Runnable): void;
  }
}

declare module 'chrome-devtools-frontend/front_end/core/host/host.js' {
  interface PageHost {
    connectionReady(): void;
    getHostConfig(callback: (config: object) => void): void;
    inspectedURLChanged(url: string): void;
    openInNewTab(url: string): void;
    loadNetworkResource(
      url: string,
      headers: string,
      streamId: number,
      callback: (result: { statusCode: number }) => void,
    ): void;
  }
  export namespace InspectorFrontendHost {
    const InspectorFrontendHostInstance: PageHost;
  }
  export namespace ResourceLoader {
    function streamWrite(streamId: number, text: string): void;
  }
}

declare module 'chrome-devtools-frontend/front_end/core/i18n/i18n.js' {
  export namespace i18n {
    function lockedString(text: string): string;
  }
}

declare module 'chrome-devtools-frontend/front_end/core/protocol_client/protocol_client.js' {
  export namespace ConnectionTransport {
    abstract class ConnectionTransport {
      onMessage: ((message: object | string) => void) | null;
      abstract setOnMessage(onMessage: (message: object | string) => void): void;
      abstract setOnDisconnect(onDisconnect: (reason: string) => void): void;
      abstract sendRawMessage(message: string): void;
      abstract disconnect(): Promise<void>;
      static setFactory(make: () => ConnectionTransport): void;
    }
  }
}

declare module 'chrome-devtools-frontend/front_end/core/sdk/sdk.js' {
  export namespace Target {
    const Type: { readonly BROWSER: 'browser'; readonly NODE: 'node'; readonly NODE_WORKER: 'node-worker' };
    const Capability: { readonly TARGET: number };
    interface TargetInfo {
      targetId: string;
      type: string;
      title: string;
      url: string;
    }
    class Target {
      targetManager(): TargetManager.TargetManager;
      outermostTarget(): Target | null;
      setInspectedURL(url: string): void;
      registerTargetDispatcher(dispatcher: object): void;
      targetAgent(): { invoke_setAutoAttach(parameters: object): Promise<unknown> };
      runtimeAgent(): { invoke_runIfWaitingForDebugger(): Promise<unknown> };
      dispose(reason: string): void;
    }
  }
  export namespace DebuggerModel {
    interface EditAnswer {
      /** Why it was not performed at all. */
      getError(): string | undefined;
      status?: string;
      exceptionDetails?: { text: string; lineNumber: number };
    }
    class DebuggerModel {
      agent: { invoke_setScriptSource(parameters: object): Promise<EditAnswer> };
      isPaused(): boolean;
      scriptsForSourceURL(url: string): Script.Script[];
      sourceMapManager(): { sourceMapForClientPromise(script: Script.Script): Promise<unknown> };
    }
  }
  export namespace Script {
    interface Script {
      scriptId: string;
      sourceURL: string;
      debuggerModel: DebuggerModel.DebuggerModel;
    }
  }
  export namespace SourceMap {
    class SourceMap {
      translateCallSite(line: number, column: number): { name?: string }[];
    }
  }
  export namespace TargetManager {
    class TargetManager {
      static instance(): TargetManager;
      models<Model>(model: new (...none: never) => Model): Model[];
      rootTarget(): Target.Target | null;
      createTarget(
        id: string,
        name: string,
        type: 'browser' | 'node' | 'node-worker',
        parent: Target.Target | null,
        sessionId?: string,
        waitForDebuggerInPage?: boolean,
        connection?: undefined,
        targetInfo?: Target.TargetInfo,
      ): Target.Target;
    }
  }
  export namespace SDKModel {
    class SDKModel {
      constructor(target: Target.Target);
      target(): Target.Target;
      dispose(): void;
      static register(
        model: new (target: Target.Target) => SDKModel,
        options: { capabilities: number; autostart: boolean },
      ): void;
    }
  }
}

declare module 'chrome-devtools-frontend/front_end/entrypoints/main/main.js' {
  export namespace MainImpl {
    const MainImpl: new () => object;
  }
}

declare module 'chrome-devtools-frontend/front_end/models/bindings/bindings.js' {
  export namespace DebuggerWorkspaceBinding {
    interface Binding {
      scriptsForUISourceCode(code: object): { sourceURL: string }[];
    }
    const DebuggerWorkspaceBinding: { instance(): Binding };
  }
}

declare module 'chrome-devtools-frontend/front_end/models/workspace/workspace.js' {
  export namespace UISourceCode {
    interface UISourceCode {
      url(): string;
      contentType(): { isFromSourceMap(): boolean };
      project(): { type(): string };
    }
  }
  export namespace Workspace {
    const Events: { readonly UISourceCodeAdded: 'added'; readonly WorkingCopyCommittedByUser: 'saved' };
    interface Saved {
      uiSourceCode: UISourceCode.UISourceCode;
      content: string;
    }
    const projectTypes: { readonly Network: string };
    interface WorkspaceImpl {
      uiSourceCodes(): UISourceCode.UISourceCode[];
      addEventListener(type: 'added', listener: (event: { data: UISourceCode.UISourceCode }) => void): void;
      addEventListener(type: 'saved', listener: (event: { data: Saved }) => void): void;
      removeEventListener(type: 'added', listener: (event: { data: UISourceCode.UISourceCode }) => void): void;
    }
    const WorkspaceImpl: { instance(): WorkspaceImpl };
  }
}

declare module 'chrome-devtools-frontend/front_end/panels/sources/sources.js' {
  export namespace UISourceCodeFrame {
    class UISourceCodeFrame {
      hasFocus(): boolean;
      uiSourceCode(): {
        url(): string;
        contentType(): { isFromSourceMap(): boolean };
      };
    }
  }
  export namespace SourcesNavigator {
    const NetworkNavigatorView: {
      instance(options: { forceNew: boolean | null; networkProjectManager: unknown }): object;
    };
  }
}

declare module 'chrome-devtools-frontend/front_end/ui/legacy/components/utils/utils.js' {
  export namespace TargetDetachedDialog {
    const TargetDetachedDialog: { connectionLost(reason: string): void };
  }
}

declare module 'chrome-devtools-frontend/front_end/ui/legacy/legacy.js' {
  export namespace Context {
    interface Context {
      flavor<Flavor>(type: new (...none: never) => Flavor): Flavor | null;
    }
    const Context: { instance(): Context };
  }
  export namespace ViewManager {
    const ViewLocationValues: { readonly NAVIGATOR_VIEW: string };
    const ViewPersistence: { readonly PERMANENT: string };
    function maybeRemoveViewExtension(id: string): boolean;
    function registerViewExtension(view: {
      location: string;
      id: string;
      title: () => string;
      commandPrompt: () => string;
      order: number;
      persistence: string;
      loadView(universe: { networkProjectManager: unknown }): Promise<object>;
    }): void;
  }
}
