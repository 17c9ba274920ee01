// What the command line does with configuration without a running host: schema, check, migrate.

export { CONFIG_NAMES, checkFolder, configSchema, migrateFolder, parseListenOrigin } from '../host/config-tools.ts';
export type { FolderCheck } from '../host/config-tools.ts';
