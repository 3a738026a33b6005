import { useTexts } from '../locales/index.ts'
import classes from './emoji-picker.module.css'

const groups = {
  hands: '👍 👎 👏 🙌 🙏 👌 ✌️ 🤝 💪 👀 🙇 🙋',
  faces: '😀 😄 😂 😊 😍 🤔 😅 😮 😢 😭 😡 🥳 😴 🤯 🫡 😎',
  signs: '❤️ 💯 ✅ ❌ ⭕ ❓ ❗ ⚠️ 🔥 ✨ 💡 🚀',
  things: '🎉 🎂 🍵 ☕ 🍣 🌸 🌈 📌 📎 📝 🔒 🐛',
} as const

interface EmojiPickerProps {
  readonly onPick: (emoji: string) => void
}

export function EmojiPicker({ onPick }: EmojiPickerProps) {
  const t = useTexts()
  return (
    <div className={classes['picker']}>
      {(Object.keys(groups) as (keyof typeof groups)[]).map((group) => (
        <fieldset key={group} className={classes['group']}>
          <legend>{t(`emoji.${group}`)}</legend>
          {groups[group].split(' ').map((emoji) => (
            <button key={emoji} type="button" onClick={() => onPick(emoji)}>
              {emoji}
            </button>
          ))}
        </fieldset>
      ))}
    </div>
  )
}
