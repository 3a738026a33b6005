import { useSearchParams } from 'react-router'

export type Filters<Name extends string> = Readonly<Record<Name, string>>

/** Filters that are kept in the address, so that a search can be shared, kept and returned to. Empty: not set. */
export function useFilters<Name extends string>(
  names: readonly Name[],
): readonly [Filters<Name>, (changes: Partial<Record<Name, string>>) => void] {
  const [search, setSearch] = useSearchParams()
  const values = Object.fromEntries(names.map((name) => [name, search.get(name) ?? ''])) as Record<
    Name,
    string
  >
  const change = (changes: Partial<Record<Name, string>>) =>
    setSearch(
      (before) => {
        const next = new URLSearchParams(before)
        for (const [name, value] of Object.entries<string | undefined>(changes)) {
          if (value === undefined || value === '') next.delete(name)
          else next.set(name, value)
        }
        return next
      },
      { replace: true },
    )
  return [values, change]
}

/** What is set, as a request takes it. */
export function given<Name extends string>(filters: Filters<Name>): Partial<Filters<Name>> {
  return Object.fromEntries(Object.entries<string>(filters).filter(([, value]) => value !== '')) as Partial<
    Filters<Name>
  >
}
