import { test } from 'node:test';
import assert from 'node:assert/strict';
import { stepTunnel, type TunnelEvent, type TunnelState } from './upgrade.ts';

test('a tunnel has one answer to every event in every state', () => {
  const table: [TunnelState, TunnelEvent, TunnelState][] = [
    ['open', 'client-end', 'client-ended'],
    ['open', 'app-end', 'app-ended'],
    ['client-ended', 'client-end', 'client-ended'],
    ['client-ended', 'app-end', 'ended'],
    ['app-ended', 'client-end', 'ended'],
    ['app-ended', 'app-end', 'app-ended'],
    ['ended', 'client-end', 'ended'],
    ['ended', 'app-end', 'ended'],
  ];
  for (const [state, event, next] of table) assert.equal(stepTunnel(state, event), next, `${state} × ${event}`);
});
