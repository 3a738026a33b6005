/** The chat, at /chat and below. */
export default function Chat() {
  return null
}
