// A JSON Schema (draft 2020-12) of slipstream.yml, made from the tables of settings.

import { APP_SETTINGS } from '../apps/apps.ts';
import { FRONT_LIMITS } from '../base/limits.ts';
import type { SettingRow, SettingTable } from '../base/setting.ts';
import { HOST_SETTINGS } from './host-config.ts';

type Schema = Record<string, unknown>;

function valueSchema(row: SettingRow): Schema {
  switch (row.type) {
    case 'integer':
      return { type: 'integer', minimum: row.min, maximum: row.max };
    case 'boolean':
      return { type: 'boolean' };
    case 'string':
      return { type: 'string' };
    case 'strings':
      return { type: 'array', items: { type: 'string' } };
    case 'choice':
      return { enum: row.choices };
    case 'map':
      return { type: 'object', additionalProperties: { type: 'string' } };
  }
}

function propertiesOf(table: SettingTable): Record<string, Schema> {
  const entries = Object.entries(table).map(([name, row]): [string, Schema] => {
    const unit = row.type === 'integer' ? ` (${row.unit})` : '';
    return [name, { ...valueSchema(row), default: row.default, description: row.text + unit }];
  });
  return Object.fromEntries(entries);
}

function objectOf(table: SettingTable, description: string): Schema {
  return { type: 'object', description, properties: propertiesOf(table), additionalProperties: false };
}

/** The schema of the file at the root. A file in an app's folder is `$defs.app`. */
export function configSchema(): Schema {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'slipstream.yml',
    $defs: { app: objectOf(APP_SETTINGS, 'Settings of an app.') },
    type: 'object',
    properties: {
      ...propertiesOf(HOST_SETTINGS),
      limits: objectOf(FRONT_LIMITS, 'Limits of the front.'),
      defaults: { $ref: '#/$defs/app' },
      apps: {
        type: 'object',
        description: 'Settings of single apps, by path.',
        additionalProperties: { $ref: '#/$defs/app' },
      },
    },
    // Other sections of the file have rules of their own.
    additionalProperties: true,
  };
}
