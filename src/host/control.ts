// What the command line may ask of a running host, verb by verb. The socket is control-server.ts.

import { HostError } from '../base/host-error.ts';
import type { CacheAnswer, CacheAsk, CachePurge } from '../wire/cache-messages.ts';
import type { App, Apps } from '../apps/apps.ts';
import type { ControlClient, ControlHandlers } from './control-server.ts';
import type { ControlRequestOf, Explanation, ReloadResult } from '../wire/control-messages.ts';
import type { AppSnapshot, HostSnapshot } from '../wire/status.ts';

const LINES_MAX = 100_000;

/** The host, as its control needs it. */
export interface ControlledHost {
  apps: Apps;
  status(): Promise<HostSnapshot>;
  explain(app: App | undefined): Explanation;
  /** Asks the front about its cache; null: it did not answer. */
  cache(ask: CacheAsk): Promise<CacheAnswer | null>;
  /** Looks for new folders. */
  scan(): Promise<void>;
}

/** The handlers of a host. */
export function controlHandlers(host: ControlledHost): ControlHandlers {
  return {
    status: () => host.status(),
    logs: (request, client) => logs(host, request, client),
    reload: (request, client) => reload(host, request, client),
    async start({ app: name }, client) {
      const app = await find(host, name);
      client.send({ kind: 'progress', text: `starting ${app.name}` });
      const failure = await host.apps.start(app);
      if (failure !== undefined) throw new HostError(failure.code, failure.message);
      return snapshotOf(host, app);
    },
    async stop({ app: name }, client) {
      const app = await find(host, name);
      client.send({ kind: 'progress', text: `stopping ${app.name}: requests under way may finish` });
      await host.apps.pause(app);
      return snapshotOf(host, app);
    },
    async 'cache-show'({ target }) {
      const answer = await host.cache({ kind: 'show', ...(typeof target === 'string' ? { target } : {}) });
      if (answer?.kind !== 'shown') throw new HostError('CACHE_UNREACHABLE', 'the front did not answer in time');
      return { report: answer.report, rows: answer.rows };
    },
    'cache-purge': (request) => purge(host, request),
    async explain({ app }) {
      return host.explain(app === undefined ? undefined : await find(host, app));
    },
  };
}

async function purge(host: ControlledHost, request: ControlRequestOf<'cache-purge'>): Promise<void> {
  const { target, tag, isRecursive } = request;
  const order: CachePurge = {
    ...(typeof target === 'string' ? { target } : {}),
    ...(typeof tag === 'string' ? { tag } : {}),
    isRecursive: isRecursive === true,
  };
  const answer = await host.cache({ kind: 'purge', purge: order });
  if (answer?.kind !== 'purged') throw new HostError('CACHE_UNREACHABLE', 'the front did not answer in time');
  if (!answer.isValid) {
    throw new HostError('CACHE_TARGET_INVALID', `"${target}" is neither a URL nor a path such as /shop/list`);
  }
}

/** A folder that was made a moment ago is known too. */
async function find(host: ControlledHost, name: unknown): Promise<App> {
  if (typeof name !== 'string') throw new HostError('CONTROL_INVALID', 'the request names no app');
  try {
    return host.apps.find(name);
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    await host.scan();
    return host.apps.find(name);
  }
}

async function snapshotOf(host: ControlledHost, app: App): Promise<AppSnapshot | undefined> {
  return (await host.status()).apps.find(({ path }) => path === app.path);
}

async function logs(
  host: ControlledHost,
  request: ControlRequestOf<'logs'>,
  client: ControlClient,
): Promise<void> {
  const app = await find(host, request.app);
  const count = Math.min(Math.max(0, Number(request.lines) || 0), LINES_MAX);
  const printed = await host.apps.logs.tail(app, count);
  for (const line of printed) client.send({ kind: 'output', ...line });
  if (request.follow !== true || client.gone.aborted) return;
  const unfollow = host.apps.logs.follow(app, (line) => client.send({ kind: 'output', ...line }));
  await new Promise<void>((resolve) => {
    client.gone.addEventListener('abort', () => resolve(), { once: true });
  });
  unfollow();
}

async function reload(
  host: ControlledHost,
  request: ControlRequestOf<'reload'>,
  client: ControlClient,
): Promise<ReloadResult> {
  const apps = request.app === undefined ? host.apps.list() : [await find(host, request.app)];
  const result: ReloadResult = { apps: [] };
  // One after the other: all at once would start twice the processes of the machine.
  for (const app of apps) {
    const outcome = await host.apps.reload(app, 'a command', () => {
      client.send({ kind: 'progress', text: `${app.name}: new processes are starting` });
    });
    if (outcome === undefined) {
      client.send({ kind: 'progress', text: `${app.name}: new processes have taken over` });
      result.apps.push({ name: app.name, outcome: 'reloaded' });
    } else if (outcome === 'not-running') {
      client.send({ kind: 'progress', text: `${app.name}: not running` });
      result.apps.push({ name: app.name, outcome });
    } else {
      const isUp = host.apps.status().find(({ path }) => path === app.path)?.state === 'ready';
      const rest = isUp ? ', the old processes go on' : '';
      client.send({ kind: 'progress', text: `${app.name}: failed${rest}` });
      result.apps.push({ name: app.name, outcome: 'failed', message: outcome.message });
    }
  }
  return result;
}
