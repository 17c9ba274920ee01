import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClaimPlace } from '../wire/join-messages.ts';
import { Claims, portPrefix, withJoined } from './claims.ts';
import type { Hold, JoinListener, JoinPrefix } from './claims.ts';

const LISTENER: JoinListener = {
  bound: { handle: { getsockname: () => 0, close: () => {} }, origin: 'http://[::]:8080', port: 8080 },
  address: '',
  isOnDemand: true,
};

interface Wish {
  pid: number;
  place?: ClaimPlace;
  prefix?: JoinPrefix;
  listener?: JoinListener;
  uid?: number;
}

function add(claims: Claims, wish: Wish): Hold {
  const place: ClaimPlace = wish.place ?? { kind: 'port', port: 8080, address: '', isSecure: false };
  const prefix = wish.prefix ?? portPrefix(8080, '');
  const { pid, listener = LISTENER, uid = null } = wish;
  return claims.add({ owner: {}, claim: 1, pid, uid, title: `app-${pid}.js`, place, prefix, listener, queue: {} });
}

function sharedAt(path: string): { place: ClaimPlace; prefix: JoinPrefix } {
  const prefix = { ...portPrefix(8080, ''), path, text: `http://*:8080${path}` };
  return { place: { kind: 'prefix', prefix: prefix.text }, prefix };
}

test('portPrefix names all addresses by * and one address by itself', () => {
  const texts = ['', '::', '0.0.0.0', '127.0.0.1', '::1'].map((address) => portPrefix(80, address).text);
  const any = 'http://*:80/';
  assert.deepEqual(texts, [any, any, any, 'http://127.0.0.1:80/', 'http://[::1]:80/']);
  assert.equal(portPrefix(443, '', 'https').text, 'https://*:443/');
});

test('a port is held by one process, and the error names it', () => {
  const claims = new Claims();
  add(claims, { pid: 7 });
  assert.throws(() => add(claims, { pid: 8 }), {
    code: 'PREFIX_TAKEN',
    message: 'the prefix http://*:8080/ is held by process 7 (app-7.js)',
  });
});

test('workers of one cluster share a port, those of another do not', () => {
  const claims = new Claims();
  const place: ClaimPlace = { kind: 'port', port: 8080, address: '', isSecure: false, cluster: '1 8080' };
  const first = add(claims, { pid: 7, place });
  assert.equal(claims.clusterMate(place, null), first);
  // What a cluster is called is no secret.
  assert.equal(claims.clusterMate(place, 1001), undefined);
  assert.throws(() => add(claims, { pid: 9, uid: 1001, place }), { code: 'PREFIX_TAKEN' });
  assert.equal(add(claims, { pid: 8, place }).process.group, first.process.group);
  assert.throws(() => add(claims, { pid: 9, place: { ...place, cluster: '2 8080' } }), {
    code: 'PREFIX_TAKEN',
  });
});

test('a URL prefix is not shared with another user', () => {
  const claims = new Claims();
  add(claims, { pid: 7, ...sharedAt('/a/') });
  assert.throws(() => add(claims, { pid: 8, uid: 1001, ...sharedAt('/a/') }), { code: 'PREFIX_TAKEN' });
});

test('processes share a URL prefix; each has a key and an id of its own', () => {
  const claims = new Claims();
  const [one, two] = [add(claims, { pid: 7, ...sharedAt('/a/') }), add(claims, { pid: 8, ...sharedAt('/a/') })];
  assert.equal(one.process.group, two.process.group);
  assert.notEqual(one.process.key, two.process.key);
  assert.notEqual(one.process.id, two.process.id);
  assert.equal(claims.tables().routes.length, 1);
  assert.deepEqual(claims.tables().groups.map(({ balance }) => balance), ['least-busy']);
});

test('a URL prefix and a port conflict only where the prefix is the same', () => {
  const claims = new Claims();
  add(claims, { pid: 7 });
  add(claims, { pid: 8, ...sharedAt('/a/') });
  assert.throws(() => add(claims, { pid: 9, ...sharedAt('/') }), { code: 'PREFIX_TAKEN' });
});

test('the last release of a listener that was bound on demand leaves it unused', () => {
  const claims = new Claims();
  const holds = [add(claims, { pid: 7, ...sharedAt('/a/') }), add(claims, { pid: 8, ...sharedAt('/b/') })];
  assert.deepEqual(claims.release(holds[0]!), { isListenerUnused: false });
  assert.deepEqual(claims.tables().groups.map(({ onDemand }) => onDemand), [false, true]);
  assert.deepEqual(claims.release(holds[1]!), { isListenerUnused: true });
  assert.deepEqual(claims.tables(), { routes: [], groups: [] });
  assert.equal(claims.all.length, 2);
  for (const hold of holds) claims.remove(hold);
  assert.equal(claims.all.length, 0);
});

test('a prefix on a listener that stays is known when its processes are gone, until one comes again', () => {
  const claims = new Claims();
  const listener = { ...LISTENER, isOnDemand: false };
  const hold = add(claims, { pid: 7, listener, ...sharedAt('/a/') });
  assert.deepEqual(claims.release(hold), { isListenerUnused: false });
  assert.equal(claims.tables().groups[0]!.onDemand, false);
  add(claims, { pid: 8, listener, ...sharedAt('/a/') });
  assert.deepEqual(claims.tables().groups.map(({ onDemand }) => onDemand), [true]);
});

test('paths of apps are kept to the listeners of the configuration where others exist', () => {
  const apps = { routes: [{ prefix: '/shop/', group: 'app:/shop/' }], groups: [] };
  assert.equal(withJoined(apps, { routes: [], groups: [] }, [80]), apps);
  const joined = { routes: [{ prefix: 'http://*:8080/', group: 'joined:x' }], groups: [] };
  assert.deepEqual(
    withJoined(apps, joined, [80]).routes.map(({ prefix }) => prefix),
    ['http://*:80/shop/', 'https://*:80/shop/', 'http://*:8080/'],
  );
});
