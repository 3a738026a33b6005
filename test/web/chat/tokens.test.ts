import { describe, expect, it } from 'vitest'
import { mentionedIn, tokenize } from '../../../web/src/chat/model/tokens.ts'

const links = (text: string) => tokenize(text).flatMap((token) => (token.kind === 'link' ? [token.href] : []))
const marks = (text: string, ...words: string[]) =>
  tokenize(text, { words }).flatMap((token) => (token.kind === 'mark' ? [token.text] : []))

describe('the text of a message', () => {
  it.each([
    ['see https://example.com/a?b=c#d.', ['https://example.com/a?b=c#d']],
    ['資料はhttps://example.com/docsにあります。', ['https://example.com/docs']],
    ['(https://en.wikipedia.org/wiki/Seal_(emblem))', ['https://en.wikipedia.org/wiki/Seal_(emblem)']],
    ['http://a.example, HTTPS://B.example!', ['http://a.example/', 'https://b.example/']],
    ['javascript:alert(1) data:text/html,x vbscript:x file:///etc/passwd //evil.example', []],
    ['https://bank.example@evil.example/ https:// http://', []],
    ['"https://a.example"><script>alert(1)</script>', ['https://a.example/']],
    ['java\nscript:alert(1) JaVaScRiPt://x%0aalert(1)', []],
  ])('%s', (text, found) => {
    expect(links(text)).toEqual(found)
  })

  it('comes back whole, whatever is found in it', () => {
    for (const text of ['a https://x.example b @ken c', '<b>@ken</b>', '🎉https://x.example🎉', '']) {
      const tokens = tokenize(text, { mentions: new Map([['ken', '1']]), words: ['b', 'x'] })
      expect(tokens.map((token) => token.text).join('')).toBe(text)
    }
  })

  it('knows those who are mentioned', () => {
    const people = new Map([
      ['ken', '1'],
      ['ken.b', '2'],
      ['葵', '3'],
    ])
    expect(mentionedIn('@ken. @葵、@ken.b. @nobody mail@ken', people)).toEqual(['1', '3', '2'])
  })

  it('marks found words, whatever their width and case', () => {
    expect(marks('監査ログの監査', '監査')).toEqual(['監査', '監査'])
    expect(marks('ＡＫＡＳＨＩ and Akashi', 'akashi')).toEqual(['ＡＫＡＳＨＩ', 'Akashi'])
    expect(marks('ｶﾀｶﾅ', 'カタカナ')).toEqual(['ｶﾀｶﾅ'])
    expect(marks('nothing', '監')).toEqual([])
  })
})
