import { test } from 'node:test';
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HandClock } from '../base/clock.ts';
import { HostError } from '../base/host-error.ts';
import { createLog } from '../base/log.ts';
import { inDays, made, madeAuthority, madeRevocationList } from '../../test/made-certificates.ts';
import type { TlsState } from '../wire/tls-messages.ts';
import { defaultTlsConfig, type TlsConfig } from './tls-config.ts';
import { TlsSource } from './tls-source.ts';

interface TestSource {
  place: string;
  config: TlsConfig;
  source: TlsSource;
  clock: HandClock;
  states: TlsState[];
  lines: string[];
  /** Writes a pair as name.pem and name.key. */
  write(name: string, pair: { cert: string; key: string }): void;
}

const LISTENER = { text: 'https://localhost:8443', origin: 'https://127.0.0.1:8443', port: 8443 };
const PLAIN = { text: 'http://*:80', origin: 'http://[::]:80', port: 80 };

function withSource(body: (test: TestSource) => void): void {
  const place = mkdtempSync(join(tmpdir(), 'slip-tls-'));
  const clock = new HandClock();
  const states: TlsState[] = [];
  const lines: string[] = [];
  const config = defaultTlsConfig();
  const source = new TlsSource({
    home: join(place, 'home'),
    config: () => config,
    listeners: () => [PLAIN, LISTENER],
    clock,
    log: createLog({ json: true, write: (line) => lines.push(line) }),
    onChange: (state) => states.push(state),
  });
  const write = (name: string, pair: { cert: string; key: string }): void => {
    writeFileSync(join(place, `${name}.pem`), pair.cert);
    writeFileSync(join(place, `${name}.key`), pair.key);
    if (config.certificates.some(({ certFile }) => certFile === join(place, `${name}.pem`))) return;
    config.certificates.push({
      hosts: [], certFile: join(place, `${name}.pem`), keyFile: join(place, `${name}.key`),
    });
  };
  try {
    body({ place, config, source, clock, states, lines, write });
  } finally {
    source.stop();
    rmSync(place, { recursive: true, force: true });
  }
}

function isCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof HostError && error.code === code;
}

test('an https listener without a certificate stops the start', () => {
  withSource(({ source }) => assert.throws(() => source.start(), isCode('TLS_CERTIFICATE_MISSING')));
});

test('certificates carry the names in them, and kinds of keys of the same names stand side by side', () => {
  withSource(({ source, write }) => {
    write('ec', made('shop.test', { names: ['shop.test', 'www.shop.test'] }));
    write('rsa', made('shop.test', { kind: 'rsa', names: ['shop.test', 'www.shop.test'] }));
    const { certificates, ticketKeys } = source.start();
    assert.deepEqual(certificates.map(({ names, pairs }) => [names, pairs.length]), [
      [['shop.test', 'www.shop.test'], 2],
    ]);
    assert.equal(Buffer.from(ticketKeys, 'base64').length, 48);
  });
});

test('a renewal is told once, and a broken file leaves the former certificate in place', () => {
  withSource(({ source, write, states, lines }) => {
    write('shop', made('shop.test', { names: ['shop.test'] }));
    source.start();
    source.refresh();
    assert.equal(states.length, 0);
    const renewed = made('shop.test', { names: ['shop.test'] });
    write('shop', renewed);
    source.refresh();
    assert.equal(states.length, 1);
    const shown = states[0]!.certificates[0]!.pairs[0]!.cert;
    write('shop', { cert: made('shop.test').cert, key: renewed.key });
    source.refresh();
    source.refresh();
    assert.equal(states.length, 1);
    assert.equal(source.current().certificates[0]!.pairs[0]!.cert, shown);
    const refused = lines.filter((line) => line.includes('certificate-refused'));
    assert.equal(refused.length, 1);
    assert.match(refused[0]!, /the key does not belong to the certificate/);
    assert.match(source.status[0]!.findings.join(), /refused/);
    assert.ok(!lines.join().includes('PRIVATE KEY') && !JSON.stringify(source.status).includes('PRIVATE KEY'));
  });
});

test('a broken file at the start stops it', () => {
  withSource(({ source, write }) => {
    write('shop', { cert: 'x', key: 'y' });
    assert.throws(() => source.start(), isCode('TLS_CERTIFICATE_INVALID'));
  });
});

test('a certificate that ends soon is warned of once a day', () => {
  withSource(({ source, write, lines, clock }) => {
    write('shop', made('shop.test', { names: ['shop.test'], notAfter: inDays(20) }));
    source.start();
    const warnings = (): number => lines.filter((line) => line.includes('certificate-warning')).length;
    assert.equal(warnings(), 1);
    clock.advance(3_600_000);
    assert.equal(warnings(), 1);
    clock.advance(86_400_000);
    assert.equal(warnings(), 2);
    assert.match(source.status[0]!.findings.join(), /expires on/);
  });
});

test('ticket keys are replaced in time', () => {
  withSource(({ source, write, states, clock, config }) => {
    write('shop', made('shop.test', { names: ['shop.test'] }));
    const first = source.start().ticketKeys;
    clock.advance(config.settings.ticketRotationMs);
    assert.equal(states.length, 1);
    assert.notEqual(states[0]!.ticketKeys, first);
    clock.advance(config.settings.ticketRotationMs);
    assert.equal(states.length, 2);
  });
});

test('who is asked for certificates is settled by listener; what is broken never lets everybody in', () => {
  withSource(({ source, write, place, config }) => {
    write('shop', made('shop.test', { names: ['shop.test'] }));
    const authority = madeAuthority();
    const folder = join(place, 'trust');
    mkdirSync(folder);
    writeFileSync(join(folder, 'a.pem'), authority.cert + madeAuthority('Second').cert);
    writeFileSync(join(folder, 'notes.txt'), 'no certificate');
    writeFileSync(join(place, 'list.crl'), madeRevocationList(authority.issuer, []));
    config.clients.push({
      listen: LISTENER.text, mode: 'require', trust: [folder], revocationLists: [join(place, 'list.crl')],
    });
    const { clientTrust } = source.start();
    const trust = clientTrust[LISTENER.origin]!;
    assert.equal(trust.mode, 'require');
    assert.equal(trust.authorities.join('').match(/BEGIN/g)?.length, 2);
    assert.equal(trust.revocationLists.length, 1);
    writeFileSync(join(folder, 'a.pem'), 'broken -----BEGIN ');
    assert.deepEqual(source.current().clientTrust[LISTENER.origin], trust);
    config.clients[0] = { ...config.clients[0]!, mode: 'off' };
    assert.deepEqual(source.current().clientTrust, {});
  });
});

test('a listener gets the handshake that its row says; one that OpenSSL does not take is refused', () => {
  withSource(({ config, source, states, write, lines }) => {
    write('a', made('a.test'));
    assert.deepEqual(source.start().ownHandshakes, {});
    const settings = { ...config.settings, maxVersion: 'TLSv1.2', curves: 'prime256v1' };
    config.listeners.push({ listen: LISTENER.text, settings });
    source.refresh();
    const own = states.at(-1)?.ownHandshakes?.[LISTENER.origin];
    assert.deepEqual([own?.maxVersion, own?.curves, own?.http2], ['TLSv1.2', 'prime256v1', true]);
    config.listeners[0] = { listen: LISTENER.text, settings: { ...settings, curves: 'nonsense' } };
    source.refresh();
    assert.equal(states.length, 1);
    assert.match(lines.join(), /tls-refused.*tls\.curves, cannot be used/);
    config.listeners[0] = { listen: 'https://*:1', settings };
    assert.throws(() => source.start(), isCode('CONFIG_INVALID'));
  });
});

test('hosts are told with the ports of their listeners, also when nothing but them changes', () => {
  withSource(({ config, source, states, write }) => {
    write('a', made('a.test'));
    config.hosts.push({ names: ['a.test'], listen: 'http://*:80', redirect: 'default', hsts: null });
    assert.deepEqual(source.start().hosts, [{ names: ['a.test'], ports: [80], redirectPort: 8443, hsts: null }]);
    config.hosts[0] = { names: ['*'], listen: undefined, redirect: 'off', hsts: 'max-age=1' };
    source.refresh();
    assert.deepEqual(states[0]?.hosts, [{ names: ['*'], redirectPort: null, hsts: 'max-age=1' }]);
    config.hosts[0] = { names: ['*'], listen: 'http://*:81', redirect: 'default', hsts: null };
    assert.throws(() => source.start(), isCode('CONFIG_INVALID'));
  });
});
