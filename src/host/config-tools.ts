// The door for those who work with configuration while no host runs.

export { checkFolder } from './check-folder.ts';
export type { FolderCheck } from './check-folder.ts';
export { CONFIG_NAMES, findConfigFile } from './config-file.ts';
export { configSchema } from './config-schema.ts';
export { parseListenOrigin } from './listen-origin.ts';
export { migrateFolder } from './migrate-folder.ts';
