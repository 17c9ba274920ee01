// Small things that every answer below <app>/debug/ shares: JSON, errors, bodies with a bound.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { PollError } from '../wire/poll-messages.ts';

/** Largest body that a viewer may send, in bytes. */
export const SEND_BYTES_MAX = 8_388_608;

const COMMON_FIELDS = { 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff' };

/** Fields of every answer that is JSON, but for its length. */
export const JSON_FIELDS = { ...COMMON_FIELDS, 'Content-Type': 'application/json; charset=utf-8' };

/** Answers with text that is JSON already. */
export function sendJson(response: ServerResponse, status: number, json: string): void {
  response.writeHead(status, { ...JSON_FIELDS, 'Content-Length': Buffer.byteLength(json) });
  response.end(json);
}

/** Answers with any text. */
export function sendText(
  response: ServerResponse,
  status: number,
  type: string,
  text: string | Buffer,
): void {
  response.writeHead(status, {
    ...COMMON_FIELDS,
    'Cross-Origin-Resource-Policy': 'same-origin',
    'Content-Type': type,
    'Content-Length': Buffer.byteLength(text),
  });
  response.end(text);
}

/** Answers with the page; fields that it needs are set already. */
export function sendHtml(response: ServerResponse, html: string): void {
  response.writeHead(200, {
    ...COMMON_FIELDS,
    'Content-Type': 'text/html; charset=utf-8',
    'Content-Length': Buffer.byteLength(html),
  });
  response.end(html);
}

/** 204: done, nothing to say. */
export function sendNothing(response: ServerResponse): void {
  response.writeHead(204, COMMON_FIELDS);
  response.end();
}

/** Answers with a {@link PollError}. `more` are further members of the JSON. */
export function sendError(
  response: ServerResponse,
  status: number,
  error: PollError,
  more: Record<string, unknown> = {},
): void {
  sendJson(response, status, JSON.stringify({ ...error, ...more }));
}

/** What was asked makes no sense. */
export function invalid(message: string): PollError {
  return { code: 'REQUEST_INVALID', message };
}

/** 405, with the methods that are right. */
export function sendWrongMethod(response: ServerResponse, allow: string): void {
  response.setHeader('Allow', allow);
  sendError(response, 405, invalid(`only ${allow} is served here`));
}

/**
 * Reads a body whole. `null` when it is too long or ends early; then the answer has been given, if anybody
 * is there to get it.
 */
export function readBody(
  request: IncomingMessage,
  response: ServerResponse,
  bytesMax: number,
): Promise<string | null> {
  return new Promise((resolve) => {
    const parts: Buffer[] = [];
    let size = 0;
    request.on('data', (part: Buffer) => {
      size += part.length;
      if (size <= bytesMax) {
        parts.push(part);
      } else if (!response.headersSent) {
        parts.length = 0;
        response.setHeader('Connection', 'close');
        const message = `the body is longer than ${bytesMax} bytes`;
        sendError(response, 413, { code: 'REQUEST_INVALID', message });
        resolve(null);
      }
    });
    request.on('end', () => resolve(size > bytesMax ? null : Buffer.concat(parts).toString()));
    request.on('close', () => resolve(null));
    request.on('error', () => resolve(null));
  });
}

/** A body that is a JSON array, or null. */
export function parseArray(text: string): unknown[] | null {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value : null;
  } catch {
    // Told to the sender as a bad body.
    return null;
  }
}

/** A number of a query, or null. */
export function wholeNumber(text: string | null): number | null {
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : null;
}
