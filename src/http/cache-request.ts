// What a cache wants to know of a request: one pass over its fields, which costs a look at the length and the
// first letter of most names. Fields that steer programs without being named by Vary are gathered for the
// key: whoever sends such a field gets answers of his own and cannot poison those of others.

import { parseCacheControl } from './cache-control.ts';
import type { CacheDirectives } from './cache-control.ts';
import { joinValues } from './field-lines.ts';
import type { RequestHead } from './request-head.ts';

/** The part of a request head that the cache reads. `fields` as the app would see them. */
export type CacheRequest = Readonly<Pick<
  RequestHead,
  'method' | 'version' | 'target' | 'fields' | 'host' | 'path' | 'query' | 'body' | 'upgrade'
>>;

/** Fields by which programs and frameworks let a client choose host, scheme, path or method. */
const STEERING = new Set([
  'x-forwarded-host', 'x-forwarded-proto', 'x-forwarded-port', 'x-forwarded-scheme', 'x-forwarded-ssl',
  'x-forwarded-prefix', 'x-forwarded-path', 'x-forwarded-server', 'x-forwarded-protocol', 'x-forwarded-uri',
  'x-host', 'x-original-host', 'x-original-url', 'x-original-uri', 'x-rewrite-url', 'x-url-scheme',
  'x-scheme',
  'x-http-method', 'x-http-method-override', 'x-method-override', 'x-http-host-override', 'front-end-https',
]);

const EMPTY = '';

function isOneOf(name: string, lower: string): boolean {
  return name === lower || name.toLowerCase() === lower;
}

/** What a Forwarded says of host and scheme: RFC 7239 5.3 and 5.4. Who asks does not steer. */
function forwardedClaims(value: string): string {
  const claims = value.split(/[;,]/).map((pair) => pair.trim());
  return claims.filter((pair) => !/^(?:for|by)=/i.test(pair)).join(';');
}

/** The caching fields of one request; may be reused for the next. */
export class CachingFields {
  /** Null: absent. */
  range: string | null = null;
  ifRange: string | null = null;
  ifNoneMatch: string | null = null;
  ifModifiedSince: string | null = null;
  hasAuthorization = false;
  /** If-Match or If-Unmodified-Since: RFC 9111 4.3.2 leaves them to the origin. */
  hasPrecondition = false;
  /** `Translate: f`: the client wants the source of a page. */
  isUntranslated = false;
  /** An Expect other than 100-continue. */
  isUnexpected = false;
  /** Steering fields with their values; '' without any. */
  steering = EMPTY;
  #cacheControl: string | null = null;
  #pragma: string | null = null;

  /** Reads the fields of a request. */
  read(fields: readonly string[]): void {
    this.#clear();
    for (let index = 0; index < fields.length; index += 2) {
      const name = fields[index]!;
      const first = name.charCodeAt(0) | 0x20;
      switch (first) {
        case 0x78: // x
          if (name.charCodeAt(1) === 0x2d) this.#noteSteering(name, fields[index + 1]!);
          break;
        case 0x66: // f
          this.#noteForwarded(name, fields[index + 1]!);
          break;
        case 0x69: // i
          if (name.charCodeAt(2) === 0x2d) this.#noteCondition(name, fields[index + 1]!);
          break;
        case 0x61: // a
          if (name.length === 13 && isOneOf(name, 'authorization')) this.hasAuthorization = true;
          break;
        case 0x63: // c
          if (name.length === 13 && isOneOf(name, 'cache-control')) {
            this.#cacheControl = joinValues(this.#cacheControl, fields[index + 1]!);
          }
          break;
        case 0x70: // p
          if (name.length === 6 && isOneOf(name, 'pragma')) {
            this.#pragma = joinValues(this.#pragma, fields[index + 1]!);
          }
          break;
        case 0x72: // r
          if (name.length === 5 && isOneOf(name, 'range')) {
            this.range = joinValues(this.range, fields[index + 1]!);
          }
          break;
        case 0x65: // e
          if (name.length === 6 && isOneOf(name, 'expect')) {
            this.isUnexpected ||= fields[index + 1]!.toLowerCase() !== '100-continue';
          }
          break;
        case 0x74: // t
          if (name.length === 9 && isOneOf(name, 'translate')) {
            this.isUntranslated ||= fields[index + 1]!.toLowerCase() === 'f';
          }
          break;
      }
    }
  }

  /** The client asks only whether something changed. */
  get isConditional(): boolean {
    return this.ifNoneMatch !== null || this.ifModifiedSince !== null;
  }

  /** Neither the body nor the head is asked for in parts or on conditions. */
  get isPlain(): boolean {
    return this.range === null && this.ifNoneMatch === null && this.ifModifiedSince === null
      && this.ifRange === null;
  }

  /** No directive was sent, which is the usual case. */
  get hasDirectives(): boolean {
    return this.#cacheControl !== null || this.#pragma !== null;
  }

  /** What the client wants of caches. RFC 9111 5.4: without Cache-Control a Pragma counts. */
  directives(): Readonly<CacheDirectives> {
    if (this.#cacheControl !== null) return parseCacheControl(this.#cacheControl);
    if (this.#pragma === null) return parseCacheControl(null);
    return parseCacheControl(this.#pragma.toLowerCase().includes('no-cache') ? 'no-cache' : null);
  }

  #clear(): void {
    this.range = null;
    this.ifRange = null;
    this.ifNoneMatch = null;
    this.ifModifiedSince = null;
    this.hasAuthorization = false;
    this.hasPrecondition = false;
    this.isUntranslated = false;
    this.isUnexpected = false;
    this.steering = EMPTY;
    this.#cacheControl = null;
    this.#pragma = null;
  }

  #noteSteering(name: string, value: string): void {
    const plain = name.toLowerCase();
    if (STEERING.has(plain)) this.steering += `${plain}:${value}\n`;
  }

  #noteForwarded(name: string, value: string): void {
    if (name.length === 9 && isOneOf(name, 'forwarded')) {
      const claims = forwardedClaims(value);
      if (claims !== '') this.steering += `forwarded:${claims}\n`;
    } else if (name.length === 15) {
      this.#noteSteering(name, value);
    }
  }

  #noteCondition(name: string, value: string): void {
    switch (name.toLowerCase()) {
      case 'if-none-match':
        this.ifNoneMatch = joinValues(this.ifNoneMatch, value);
        break;
      case 'if-modified-since':
        this.ifModifiedSince = joinValues(this.ifModifiedSince, value);
        break;
      case 'if-range':
        this.ifRange = joinValues(this.ifRange, value);
        break;
      case 'if-match':
      case 'if-unmodified-since':
        this.hasPrecondition = true;
        break;
    }
  }
}
