// What a viewer says under a name where a text belongs. Anything may stand there: an object whose toString is a number
// cannot even be made a text.

/** The text, or '' where something else is said. */
export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
