/** How confidential data is. */
export const classifications = ['public', 'internal', 'confidential', 'restricted'] as const
export type Classification = (typeof classifications)[number]
