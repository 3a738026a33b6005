import {
  convertCssVariables,
  createTheme,
  DEFAULT_THEME,
  Drawer,
  defaultCssVariablesResolver,
  Loader,
  localStorageColorSchemeManager,
  Modal,
  mergeMantineTheme,
  Tooltip,
} from '@mantine/core'

const sans =
  'system-ui, -apple-system, "Segoe UI", "Hiragino Sans", "Hiragino Kaku Gothic ProN", "Yu Gothic UI", "Meiryo", "Noto Sans CJK JP", "Noto Sans JP", sans-serif'

/** 藍, the blue of ink, beside the vermilion of the seal. Shade 7 on white and white on it: 5.9 to 1. */
const ai = [
  '#eef3fc',
  '#dbe5f6',
  '#b5c9ea',
  '#8dacde',
  '#6c94d4',
  '#5684cd',
  '#4679c4',
  '#3567b0',
  '#2b5b9f',
  '#1b4c8a',
] as const

/** Delay in milliseconds before a tooltip, so that a hand passing by does not open it. */
const TOOLTIP_DELAY_MS = 400

export const theme = createTheme({
  primaryColor: 'ai',
  primaryShade: { light: 7, dark: 7 },
  colors: { ai },
  fontFamily: sans,
  fontFamilyMonospace: 'ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace',
  headings: { fontFamily: sans, fontWeight: '650' },
  fontSizes: { xs: '0.75rem', sm: '0.84375rem', md: '0.9375rem' },
  defaultRadius: 'md',
  cursorType: 'pointer',
  respectReducedMotion: true,
  components: {
    // The lock would write a style element, which the content security policy refuses; our pages scroll inside.
    Modal: Modal.extend({ defaultProps: { lockScroll: false, centered: true } }),
    Drawer: Drawer.extend({ defaultProps: { lockScroll: false } }),
    Tooltip: Tooltip.extend({ defaultProps: { openDelay: TOOLTIP_DELAY_MS, withArrow: true } }),
    Loader: Loader.extend({ defaultProps: { type: 'dots' } }),
  },
})

/** Where the choice of light and dark is kept; public/scheme.js reads it before the first paint. */
export const schemeManager = localStorageColorSchemeManager({ key: 'akashi.scheme' })

/**
 * The theme's variables in a style sheet of the script's own. Mantine would write a style element for them,
 * which the content security policy refuses.
 */
export function adoptTheme(): void {
  const sheet = new CSSStyleSheet()
  const merged = mergeMantineTheme(DEFAULT_THEME, theme)
  sheet.replaceSync(convertCssVariables(defaultCssVariablesResolver(merged)))
  document.adoptedStyleSheets = [sheet, ...document.adoptedStyleSheets]
}
