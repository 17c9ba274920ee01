// Host -> app process: which file holds more variables for the program. JSON in an environment variable, which the
// preload takes away.

/** Holds an {@link EnvFile}. */
export const ENV_FILE_VARIABLE = 'SLIPSTREAM_ENV_FILE';

/** What the preload is told. */
export interface EnvFile {
  /** Absolute. */
  path: string;
  /** Names that the file does not change: they were set closer to the app. */
  kept: readonly string[];
}
