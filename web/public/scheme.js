// Runs before the first paint, so that a page in the dark is never white first.
const chosen = localStorage.getItem('akashi.scheme')
const dark = chosen === 'dark' || (chosen !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches)
document.documentElement.dataset.mantineColorScheme = dark ? 'dark' : 'light'
