// One file as an answer: its type, validators, conditions, a range of it, without a body to HEAD (RFC 9110).

import type { FileHandle } from 'node:fs/promises';
import type { Stats } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';

/** Files up to this size are read in one go. */
const WHOLE_BYTES_MAX = 65_536;

export interface FileAnswer {
  request: IncomingMessage;
  response: ServerResponse;
  /** Open; closed here. */
  handle: FileHandle;
  stats: Stats;
  mediaType: string;
  /** Value of Cache-Control; '' for none. */
  cacheControl: string;
  /** Default 200. Others are sent whole and without validators. */
  status?: number;
}

/** Part of a file: first and last byte. */
export interface ByteRange {
  first: number;
  last: number;
}

/** A strong validator: another size or time is another file. */
export function entityTag(stats: Pick<Stats, 'size' | 'mtimeMs'>): string {
  return `"${stats.size.toString(16)}-${Math.round(stats.mtimeMs * 1000).toString(16)}"`;
}

/**
 * The one range that is asked for. `whole`: none, several, or one that cannot be read; RFC 9110 14.2 lets us send all
 * then. `outside`: it begins behind the end.
 */
export function rangeOf(field: string | undefined, size: number): ByteRange | 'whole' | 'outside' {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/i.exec(field?.trim() ?? '');
  if (match === null || (match[1] === '' && match[2] === '')) return 'whole';
  if (match[1] === '') {
    const length = Number(match[2]);
    if (length === 0 || size === 0) return 'outside';
    return { first: Math.max(0, size - length), last: size - 1 };
  }
  const first = Number(match[1]);
  const last = match[2] === '' ? size - 1 : Math.min(Number(match[2]), size - 1);
  if (match[2] !== '' && Number(match[2]) < first) return 'whole';
  return first >= size ? 'outside' : { first, last };
}

/** What the conditions of a request lead to (RFC 9110 13.2.2). */
export function conditionOf(
  headers: Readonly<Record<string, string | string[] | undefined>>,
  tag: string,
  modifiedMs: number,
): 'send' | 'not-modified' | 'failed' {
  const seconds = Math.floor(modifiedMs / 1000);
  const isBefore = (field: string): boolean | null => {
    const time = Date.parse(field);
    return Number.isNaN(time) ? null : seconds <= Math.floor(time / 1000);
  };
  const match = text(headers['if-match']);
  const unmodified = text(headers['if-unmodified-since']);
  if (match !== undefined) {
    if (!namesTag(match, tag, false)) return 'failed';
  } else if (unmodified !== undefined && isBefore(unmodified) === false) return 'failed';
  const none = text(headers['if-none-match']);
  if (none !== undefined) return namesTag(none, tag, true) ? 'not-modified' : 'send';
  const since = text(headers['if-modified-since']);
  return since !== undefined && isBefore(since) === true ? 'not-modified' : 'send';
}

function text(field: string | string[] | undefined): string | undefined {
  return Array.isArray(field) ? field.join(', ') : field;
}

function namesTag(field: string, tag: string, isWeak: boolean): boolean {
  if (field.trim() === '*') return true;
  return field.split(',').some((one) => (isWeak ? one.trim().replace(/^W\//, '') : one.trim()) === tag);
}

/** Sends the file. Resolves when it is out or the client is gone. */
export async function sendFile(answer: FileAnswer): Promise<void> {
  const { request, response, handle, stats, mediaType, cacheControl, status = 200 } = answer;
  try {
    const tag = entityTag(stats);
    response.setHeader('Content-Type', mediaType);
    if (status === 200) {
      response.setHeader('Last-Modified', stats.mtime.toUTCString());
      response.setHeader('Accept-Ranges', 'bytes');
      response.setHeader('ETag', tag);
      if (cacheControl !== '') response.setHeader('Cache-Control', cacheControl);
      const condition = conditionOf(request.headers, tag, stats.mtimeMs);
      if (condition !== 'send') {
        response.removeHeader('Content-Type');
        response.writeHead(condition === 'failed' ? 412 : 304).end();
        return;
      }
    }
    const isRanged = status === 200 && mayRange(request, tag, stats);
    const range = isRanged ? rangeOf(request.headers.range, stats.size) : 'whole';
    if (range === 'outside') {
      response.removeHeader('Content-Type');
      response.writeHead(416, { 'Content-Range': `bytes */${stats.size}`, 'Content-Length': 0 }).end();
      return;
    }
    const { first, last } = range === 'whole' ? { first: 0, last: stats.size - 1 } : range;
    const fields: Record<string, string | number> = { 'Content-Length': last - first + 1 };
    if (range !== 'whole') fields['Content-Range'] = `bytes ${first}-${last}/${stats.size}`;
    response.writeHead(range === 'whole' ? status : 206, fields);
    if (request.method === 'HEAD' || last < first) response.end();
    else await sendBytes(response, handle, first, last);
  } finally {
    await handle.close();
  }
}

/** RFC 9110 13.1.5. */
function mayRange(request: IncomingMessage, tag: string, stats: Stats): boolean {
  const field = text(request.headers['if-range'])?.trim();
  if (request.method !== 'GET') return false;
  return field === undefined || field === tag || field === stats.mtime.toUTCString();
}

async function sendBytes(response: ServerResponse, handle: FileHandle, first: number, last: number): Promise<void> {
  const length = last - first + 1;
  if (length > WHOLE_BYTES_MAX) {
    const stream = handle.createReadStream({ start: first, end: last, autoClose: false });
    // A client that left, or a file that became shorter: the answer is cut, which its length tells.
    await pipeline(stream, response).catch(() => void response.destroy());
    return;
  }
  const bytes = Buffer.allocUnsafe(length);
  const { bytesRead } = await handle.read(bytes, 0, length, first);
  if (bytesRead < length) response.destroy();
  else response.end(bytes);
}
