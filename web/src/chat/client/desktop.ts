/** Whether this device shows notifications of the system. Each device decides for itself. */
const STORED_AS = 'akashi.desktop-notifications'

export function canNotify(): boolean {
  return 'Notification' in window
}

/** Whether the person switched them on and the browser allows them. */
export function desktopIsOn(): boolean {
  return canNotify() && localStorage.getItem(STORED_AS) === 'on' && Notification.permission === 'granted'
}

/** Switches them on or off; asks the browser for permission. Resolves with whether they are on. */
export async function setDesktop(on: boolean): Promise<boolean> {
  if (on && (await Notification.requestPermission()) !== 'granted') return false
  localStorage.setItem(STORED_AS, on ? 'on' : 'off')
  return on
}
