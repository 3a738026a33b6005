/** 証, the seal. */
export function Mark({ size = 32 }: { readonly size?: number }) {
  return <img src="/seal.svg" width={size} height={size} alt="" />
}
