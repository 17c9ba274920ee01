// What DevTools sees in place of window.localStorage: its settings live with the app on the server, because
// the page shares its origin, and so its localStorage, with the app that is debugged.

/** Name of a setting -> its value in JSON, as DevTools writes it. */
export type SettingValues = Readonly<Record<string, string>>;

/** The methods of a Storage (HTML Standard, 12.2.1); its properties are the settings. */
export interface SettingStorage {
  readonly length: number;
  getItem(name: string): string | null;
  setItem(name: string, value: string): void;
  removeItem(name: string): void;
  clear(): void;
  key(index: number): string | null;
}

/** Hears of each change; null is a removal. Not called for a value that is the same as before. */
export type SettingChanged = (name: string, value: string | null) => void;

function methodsOf(values: Map<string, string>, put: SettingChanged): Omit<SettingStorage, 'length'> {
  return {
    getItem: (name: string): string | null => values.get(String(name)) ?? null,
    setItem: (name: string, value: string): void => put(String(name), String(value)),
    removeItem: (name: string): void => put(String(name), null),
    clear: (): void => {
      for (const name of [...values.keys()]) put(name, null);
    },
    key: (index: number): string | null => [...values.keys()][index] ?? null,
  };
}

/** A storage in memory: methods, properties, `in`, `delete` and enumeration. */
export function createSettingStorage(initial: SettingValues, changed: SettingChanged): SettingStorage {
  const values = new Map(Object.entries(initial));
  function put(name: string, value: string | null): void {
    if ((values.get(name) ?? null) === value) return;
    if (value === null) values.delete(name);
    else values.set(name, value);
    changed(name, value);
  }
  const methods: Readonly<Record<string, unknown>> = { ...methodsOf(values, put) };
  return new Proxy({} as SettingStorage, {
    get(_target, name) {
      if (typeof name !== 'string') return undefined;
      if (Object.hasOwn(methods, name)) return methods[name];
      return name === 'length' ? values.size : values.get(name);
    },
    set(_target, name, value) {
      if (typeof name === 'string') put(name, String(value));
      return true;
    },
    has: (_target, name) => typeof name === 'string' && values.has(name),
    deleteProperty(_target, name) {
      if (typeof name === 'string') put(name, null);
      return true;
    },
    ownKeys: () => [...values.keys()],
    getOwnPropertyDescriptor(_target, name) {
      const value = typeof name === 'string' ? values.get(name) : undefined;
      if (value === undefined) return undefined;
      return { value, writable: true, enumerable: true, configurable: true };
    },
  });
}
