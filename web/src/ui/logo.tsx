/** The seal 証, beside a heading that names the page. */
export function Logo({ size = 32 }: { readonly size?: number }) {
  return <img src="/seal.svg" width={size} height={size} alt="" />
}
