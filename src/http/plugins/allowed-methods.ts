import type { App } from '../schema.ts'

/** The methods of each path, for `Allow`; filled as routes are registered. */
export class AllowedMethods {
  readonly #routes = new Map<string, { readonly pattern: RegExp; readonly methods: Set<string> }>()

  watch(app: App): void {
    app.addHook('onRoute', ({ url, method }) => {
      const entry = this.#routes.get(url) ?? { pattern: patternOf(url), methods: new Set() }
      for (const name of [method].flat()) {
        entry.methods.add(name)
      }
      this.#routes.set(url, entry)
    })
  }

  /** Sorted; empty where no route has the path. */
  of(path: string): string[] {
    const matching = [...this.#routes.values()].filter(({ pattern }) => pattern.test(path))
    return [...new Set(matching.flatMap(({ methods }) => [...methods]))].sort()
  }
}

/** Route patterns use only `:name` for a segment and a last `*`. */
function patternOf(url: string): RegExp {
  const source = url
    .replace(/[.+?^${}()|[\]\\]/g, '\\$&')
    .replace(/:\w+/g, '[^/]+')
    .replace('*', '.*')
  return new RegExp(`^${source}$`)
}
