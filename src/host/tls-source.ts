// What fronts need for TLS, gathered from the configuration and from SLIPSTREAM_HOME/tls, and gathered again when
// a file changes. What is broken is refused with its reason while the former good one stays. Rotates ticket keys.

import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, statSync, watch, type FSWatcher } from 'node:fs';
import { dirname, join } from 'node:path';
import * as tls from 'node:tls';
import type { Clock, Timer } from '../base/clock.ts';
import { HostError, messageOf } from '../base/host-error.ts';
import type { Log } from '../base/log.ts';
import {
  judgePair, pem, pemBlocks, readChain, readPair, storedCertificates, tlsFolder, type ReadPair,
} from '../tls/tls.ts';
import type {
  ClientTrust, HandshakeSettings, SecureHost, TlsCertificate, TlsState, TlsVersion,
} from '../wire/tls-messages.ts';
import type { CertificateSnapshot } from '../wire/status.ts';
import type { TlsConfig } from './tls-config.ts';

/** Files of a renewal are written one after the other: look when it is quiet. */
const SETTLE_MS = 150;
/** Also without a notice of a change: some file systems send none. Expiry is judged then, too. */
const LOOK_AGAIN_MS = 60_000;
const WARN_AGAIN_MS = 86_400_000;
const TICKET_KEY_BYTES = 48;
const HTTPS_PORT = 443;
/** Findings that cannot wait for `slipstream tls check`. */
const PRESSING = /^(?:expire|not valid|is for|refused)/;

/** A listener of the host, secure or not: as the configuration names it, if it does, and as the front knows it. */
export interface KnownListener {
  text?: string;
  origin: string;
  port: number;
}

/** Where to look, and whom to tell. */
export interface TlsSourceOptions {
  home: string;
  config(): TlsConfig;
  listeners(): readonly KnownListener[];
  clock: Clock;
  log: Log;
  onChange(state: TlsState): void;
}

interface Found {
  names: string[];
  file: string;
  read: ReadPair;
}

/** See the head of this file. */
export class TlsSource {
  readonly #options: TlsSourceOptions;
  #ticketKeys = randomBytes(TICKET_KEY_BYTES).toString('base64');
  /** The last good pair of each file. */
  #good = new Map<string, ReadPair>();
  #goodTrust = new Map<string, ClientTrust>();
  #status: CertificateSnapshot[] = [];
  #watchers: FSWatcher[] = [];
  #timers: { look: Timer | null; settle: Timer | null; rotate: Timer | null } = {
    look: null, settle: null, rotate: null,
  };
  #shown = '';
  /** How many there were at the latest look. */
  #certificates = 0;
  #warnedMs = new Map<string, number>();

  constructor(options: TlsSourceOptions) {
    this.#options = options;
  }

  get #secure(): KnownListener[] {
    return this.#options.listeners().filter(({ origin }) => origin.startsWith('https:'));
  }

  /** Names, ends and findings of all certificates. No secrets. */
  get status(): readonly CertificateSnapshot[] {
    return this.#status;
  }

  /** What is wrong or soon will be, a line a file. */
  get warnings(): string[] {
    const pressing = this.#status.filter(({ findings }) => findings.some((text) => PRESSING.test(text)));
    return pressing.map(({ names, findings }) => `${names.join(', ')}: ${findings.join('; ')}`);
  }

  /**
   * The state at the start: everything must be good. Without an https listener nothing is looked at.
   * @throws HostError TLS_CERTIFICATE_INVALID, TLS_CERTIFICATE_MISSING
   */
  start(): TlsState {
    const state = this.#gather((error) => {
      throw error;
    });
    this.#shown = JSON.stringify(state);
    if (this.#secure.length === 0) return state;
    this.#mustHaveOne();
    this.#watch();
    this.#scheduleRotation();
    return state;
  }

  /** A secure listener is about to be opened. @throws HostError TLS_CERTIFICATE_MISSING */
  added(): void {
    this.refresh();
    this.#mustHaveOne();
  }

  #mustHaveOne(): void {
    if (this.#certificates === 0) throw missingCertificate(this.#secure.at(-1)?.text ?? '');
  }

  /** As {@link added}, for an edit that does not hold yet. */
  requireCertificate(config: TlsConfig, listener: string): void {
    const none = (): void => {};
    if (this.#configured(config, none).length + this.#stored(none).length === 0) throw missingCertificate(listener);
  }

  /** The state of the moment, for a new front. What is broken is left out or stays as it was. */
  current(): TlsState {
    return this.#gather((error) => this.#options.log.debug('certificate-refused', { reason: messageOf(error) }));
  }

  stop(): void {
    for (const watcher of this.#watchers) watcher.close();
    this.#watchers = [];
    for (const timer of Object.values(this.#timers)) timer?.stop();
  }

  /** Files or settings may have changed. */
  refresh(): void {
    const { log, onChange } = this.#options;
    let state: TlsState;
    try {
      state = this.#gather((error) => this.#warn('certificate-refused', messageOf(error)));
    } catch (error) {
      this.#warn('tls-refused', messageOf(error));
      return;
    }
    if (this.#secure.length > 0) {
      this.#watch();
      if (this.#timers.rotate === null) this.#scheduleRotation();
    }
    const shown = JSON.stringify(state);
    if (shown === this.#shown) return;
    this.#shown = shown;
    log.info('certificates-changed', { certificates: state.certificates.length });
    onChange(state);
  }

  /** Says it once a day. */
  #warn(event: string, reason: string): void {
    const nowMs = this.#options.clock.now();
    const lastMs = this.#warnedMs.get(reason);
    if (lastMs !== undefined && nowMs - lastMs < WARN_AGAIN_MS) return;
    this.#warnedMs.set(reason, nowMs);
    this.#options.log.warn(event, { reason });
  }

  #gather(onFault: (error: unknown) => void): TlsState {
    const config = this.#options.config();
    const handshake = handshakeOf(config.settings);
    this.#status = [];
    const hosts = this.#hosts(config, onFault);
    const cleartextHttp2 = this.#cleartextHttp2(config, onFault);
    const ownHandshakes = this.#ownHandshakes(config, onFault);
    if (this.#secure.length === 0) {
      return {
        handshake, ownHandshakes, certificates: [], clientTrust: {}, hosts, cleartextHttp2,
        ticketKeys: this.#ticketKeys,
      };
    }
    const found = [...this.#configured(config, onFault), ...this.#stored(onFault)];
    for (const { names, file, read } of found) this.#judge(names, file, read);
    const clientTrust = this.#clientTrust(config, onFault);
    const certificates = groupByName(found);
    this.#certificates = certificates.length;
    for (const one of [handshake, ...Object.values(ownHandshakes)]) checkMaterial(one, certificates);
    return {
      handshake, ownHandshakes, certificates, clientTrust, hosts, cleartextHttp2, ticketKeys: this.#ticketKeys,
    };
  }

  #hosts(config: TlsConfig, onFault: (error: unknown) => void): SecureHost[] {
    return config.hosts.map(({ names, listen, redirect, hsts }) => {
      const redirectPort = redirect === 'off' ? null
        : redirect === 'default' ? (this.#secure[0]?.port ?? HTTPS_PORT) : redirect;
      if (listen === undefined) return { names, redirectPort, hsts };
      const ports = this.#named(listen, 'tls.hosts', onFault).map(({ port }) => port);
      return { names, ports, redirectPort, hsts };
    });
  }

  #ownHandshakes(config: TlsConfig, onFault: (error: unknown) => void): Record<string, HandshakeSettings> {
    const own = config.listeners.flatMap(({ listen, settings }) =>
      this.#named(listen, 'tls.listeners', onFault).map(({ origin }) => [origin, handshakeOf(settings)] as const));
    return Object.fromEntries(own);
  }

  #cleartextHttp2({ settings }: TlsConfig, onFault: (error: unknown) => void): string[] {
    const named = settings.http2Cleartext.flatMap((listen) => this.#named(listen, 'tls.http2Cleartext', onFault));
    return named.map(({ origin }) => origin);
  }

  /** Listeners by what the configuration calls them. */
  #named(listen: string, setting: string, onFault: (error: unknown) => void): KnownListener[] {
    const plain = listen.replace(/\/$/, '');
    const named = this.#options.listeners().filter(({ text, origin }) =>
      text?.replace(/\/$/, '') === plain || origin === plain);
    if (named.length === 0) {
      onFault(new HostError('CONFIG_INVALID', `${setting}: "${listen}" does not stand in "listen"`));
    }
    return named;
  }

  #configured(config: TlsConfig, onFault: (error: unknown) => void): Found[] {
    const found: Found[] = [];
    for (const { hosts, certFile, keyFile } of config.certificates) {
      const read = this.#lastGood(`${certFile}\n${keyFile}`, hosts, certFile, onFault, () =>
        readPair({
          cert: contentOf(certFile), key: contentOf(keyFile), certWhere: certFile, keyWhere: keyFile,
        }),
      );
      if (read !== undefined) found.push({ names: hosts.length > 0 ? hosts : read.names, file: certFile, read });
    }
    return found;
  }

  #stored(onFault: (error: unknown) => void): Found[] {
    const found: Found[] = [];
    for (const stored of storedCertificates(this.#options.home)) {
      const { name, file } = stored;
      const read = this.#lastGood(file, [name], file, onFault, () => {
        if ('read' in stored) return stored.read;
        throw new HostError('TLS_CERTIFICATE_INVALID', stored.problem);
      });
      if (read !== undefined) found.push({ names: [name], file, read });
    }
    return found;
  }

  #lastGood(
    key: string,
    names: string[],
    file: string,
    onFault: (error: unknown) => void,
    make: () => ReadPair,
  ): ReadPair | undefined {
    try {
      const read = make();
      this.#good.set(key, read);
      return read;
    } catch (error) {
      this.#status.push({ names, file, listeners: [], findings: [`refused: ${messageOf(error)}`] });
      onFault(error);
      return this.#good.get(key);
    }
  }

  #judge(names: string[], file: string, read: ReadPair): void {
    const findings = names.flatMap((name) => judgePair(read, name, Date.now()));
    const texts = [...new Set(findings.map(({ text }) => text))];
    const validTo = new Date(read.validTo).toISOString();
    const { kind, issuer, fingerprint } = read;
    const listeners = this.#listenersOf(names);
    this.#status.push({ names, file, listeners, kind, issuer, validTo, fingerprint, findings: texts });
    const pressing = texts.filter((text) => PRESSING.test(text));
    for (const text of pressing) this.#warn('certificate-warning', `${names.join(', ')}: ${text} (${file})`);
  }

  /** Who shows a certificate: a listener that it is for, or all of them. */
  #listenersOf(names: readonly string[]): string[] {
    const isForAll = names.some((name) => !name.startsWith('https://'));
    return this.#secure.map(({ origin }) => origin).filter((origin) => isForAll || names.includes(origin));
  }

  #clientTrust(config: TlsConfig, onFault: (error: unknown) => void): Record<string, ClientTrust> {
    const trust: Record<string, ClientTrust> = {};
    for (const { text, origin } of this.#secure) {
      const plain = text?.replace(/\/$/, '');
      const row = config.clients.find(({ listen }) => listen === plain || listen === origin)
        ?? config.clients.find(({ listen }) => listen === '*');
      if (row === undefined || row.mode === 'off') continue;
      try {
        this.#goodTrust.set(origin, {
          mode: row.mode,
          authorities: row.trust.flatMap(filesAt).map((file) =>
            readChain(contentOf(file), file).map((one) => one.toString()).join('')),
          revocationLists: row.revocationLists.flatMap(filesAt).flatMap(revocationListsIn),
        });
      } catch (error) {
        onFault(error);
      }
      // Never without: a listener that is to ask for certificates would let everybody in.
      trust[origin] = this.#goodTrust.get(origin) ?? { mode: row.mode, authorities: [], revocationLists: [] };
    }
    return trust;
  }

  #watch(): void {
    for (const watcher of this.#watchers) watcher.close();
    this.#watchers = [];
    for (const folder of this.#folders()) {
      try {
        const watcher = watch(folder, { persistent: false }, () => this.#settle());
        watcher.on('error', () => watcher.close());
        this.#watchers.push(watcher);
      } catch (error) {
        // Not there yet, or no more watches: the next look finds what changed.
        this.#options.log.debug('watch-failed', { folder, reason: messageOf(error) });
      }
    }
    this.#timers.look?.stop();
    this.#timers.look = this.#options.clock.after(LOOK_AGAIN_MS, () => this.refresh());
  }

  #folders(): Set<string> {
    const { home } = this.#options;
    const config = this.#options.config();
    const folders = new Set<string>([home, tlsFolder(home), join(tlsFolder(home), 'certificates')]);
    for (const { file } of storedCertificates(home)) folders.add(dirname(file));
    for (const { certFile, keyFile } of config.certificates) folders.add(dirname(certFile)).add(dirname(keyFile));
    for (const path of config.clients.flatMap((row) => [...row.trust, ...row.revocationLists])) {
      folders.add(isFolder(path) ? path : dirname(path));
    }
    return folders;
  }

  #settle(): void {
    this.#timers.settle?.stop();
    this.#timers.settle = this.#options.clock.after(SETTLE_MS, () => this.refresh());
  }

  #scheduleRotation(): void {
    const { ticketRotationMs } = this.#options.config().settings;
    this.#timers.rotate = this.#options.clock.after(ticketRotationMs, () => {
      this.#ticketKeys = randomBytes(TICKET_KEY_BYTES).toString('base64');
      this.refresh();
      this.#scheduleRotation();
    });
  }
}

function missingCertificate(listener: string): HostError {
  const ways = 'slipstream tls dev makes one for localhost, slipstream tls add stores yours';
  return new HostError('TLS_CERTIFICATE_MISSING', `there is no certificate for ${listener}; ${ways}`);
}

function handshakeOf(settings: TlsConfig['settings']): HandshakeSettings {
  const { minVersion, maxVersion, ciphers, curves, http2 } = settings;
  return { minVersion: minVersion as TlsVersion, maxVersion: maxVersion as TlsVersion, ciphers, curves, http2 };
}

/** Pairs of one name are shown side by side, one of a kind; the first of a kind counts. */
function groupByName(found: readonly Found[]): TlsCertificate[] {
  const byNames = new Map<string, { names: string[]; pairs: Map<string, ReadPair> }>();
  for (const { names, read } of found) {
    const key = names.join(' ');
    const group = byNames.get(key) ?? { names, pairs: new Map<string, ReadPair>() };
    byNames.set(key, group);
    if (!group.pairs.has(read.kind)) group.pairs.set(read.kind, read);
  }
  return [...byNames.values()].map(({ names, pairs }) => ({
    names,
    pairs: [...pairs.values()].map(({ pair }) => pair),
  }));
}

/** Proves that OpenSSL takes it before a front is told. @throws HostError TLS_CERTIFICATE_INVALID */
function checkMaterial(handshake: HandshakeSettings, certificates: readonly TlsCertificate[]): void {
  const { ciphers, curves, minVersion, maxVersion } = handshake;
  for (const { names, pairs } of certificates) {
    try {
      tls.createSecureContext({
        cert: pairs.map(({ cert }) => cert), key: pairs.map(({ key }) => key),
        ciphers, ecdhCurve: curves, minVersion, maxVersion,
      });
    } catch (error) {
      const text = `the certificate for ${names.join(', ')}, or tls.ciphers or tls.curves, cannot be used`;
      throw new HostError('TLS_CERTIFICATE_INVALID', `${text}: ${messageOf(error)}`, { cause: error });
    }
  }
}

function contentOf(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new HostError('TLS_CERTIFICATE_INVALID', `cannot read ${file}: ${messageOf(error)}`, { cause: error });
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** The file, or the certificates and lists in the folder. */
function filesAt(path: string): string[] {
  if (!isFolder(path)) return [path];
  const names = readdirSync(path).filter((name) => /\.(?:pem|crt|cer|crl|der)$/i.test(name)).sort();
  return names.map((name) => join(path, name));
}

function revocationListsIn(file: string): string[] {
  const content = contentOf(file);
  const text = content.toString('latin1');
  const blocks = text.includes('-----BEGIN ') ? pemBlocks(text, 'X509 CRL') : [pem('X509 CRL', content)];
  for (const crl of blocks) {
    try {
      tls.createSecureContext({ crl });
    } catch (error) {
      const text = `${file}: it is no revocation list that can be read: ${messageOf(error)}`;
      throw new HostError('TLS_CERTIFICATE_INVALID', text, { cause: error });
    }
  }
  return blocks;
}
