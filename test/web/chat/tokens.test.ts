import type { Person } from '@akashi/contract'
import { describe, expect, it } from 'vitest'
import { parseMarkdown, plainText } from '../../../web/src/chat/model/markdown.ts'
import { namesOf, unfinishedMention } from '../../../web/src/chat/model/mentions.ts'
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
  ])('has the links of %s', (text, found) => {
    expect(links(text)).toEqual(found)
  })

  it('stays whole, whatever is found in it', () => {
    for (const text of ['a https://x.example b @ken c', '<b>@ken</b>', '🎉https://x.example🎉', '', 'ｶﾞｷﾞ']) {
      const tokens = tokenize(text, { mentions: new Map([['ken', '1']]), words: ['b', 'x', 'ガ'] })
      expect(tokens.map((token) => token.text).join('')).toBe(text)
    }
  })
})

describe('mentions', () => {
  const people = new Map([
    ['ken', '1'],
    ['ken.b', '2'],
    ['葵', '3'],
    ['aoi', '4'],
    ['Jane Doe', '5'],
    ['taro.yamada@example.co.jp', '6'],
    ['jose\u0301x', '7'],
  ])

  it.each([
    ['@ken. @葵、@ken.b. @nobody mail@ken', ['1', '3', '2']],
    ['@aoiさん、お願いします', ['4']],
    ['お疲れ様@aoi', ['4']],
    ['＠aoi どうぞ', ['4']],
    ['＠ＡＯＩさん', ['4']],
    ['(@Jane Doe) and @taro.yamada@example.co.jp', ['5', '6']],
    ['@jos\u00e9x', ['7']],
    ['**@aoi** and > not a quote', ['4']],
    ['@aoife @aoi-san @aoi_2 @aoi.sato @ken.bob', []],
    ['ssh root@aoi, mail bob@aoi.example, https://x.example/@aoi', []],
    ['`@aoi`\n```\n@ken\n```', []],
  ])('%s', (text, ids) => {
    expect(mentionedIn(text, people)).toEqual(ids)
  })

  it('of names that differ only in case or width are those that are written so', () => {
    const alike = new Map([
      ['Admin', '1'],
      ['admin', '2'],
    ])
    expect(mentionedIn('@admin @ADMIN', alike)).toEqual(['2'])
    expect(mentionedIn('@Admin', alike)).toEqual(['1'])
  })

  it('may be by display name, unless it is ambiguous or somebody’s user name', () => {
    const person = (id: string, username: string, displayName: string): Person => ({
      id,
      username,
      displayName,
      avatarUrl: null,
    })
    const names = namesOf([
      person('1', 'yamada', '山田 太郎'),
      person('2', 'sato', '佐藤'),
      person('3', 'sato2', '佐藤'),
      person('4', 'mallory', 'yamada'),
    ])
    expect(mentionedIn('@山田 太郎さん @佐藤 @yamada', names)).toEqual(['1'])
  })

  it.each([
    ['@ta', 'ta'],
    ['お願いします@ta', 'ta'],
    ['＠', ''],
    ['mail bob@ta', null],
    ['@ta ', null],
  ])('are offered for %s', (text, name) => {
    expect(unfinishedMention(text)?.name ?? null).toBe(name)
  })
})

describe('marks of found words', () => {
  it.each([
    ['監査ログの監査', ['監査'], ['監査', '監査']],
    ['ＡＫＡＳＨＩ and Akashi', ['akashi'], ['ＡＫＡＳＨＩ', 'Akashi']],
    ['ｶﾀｶﾅ', ['カタカナ'], ['ｶﾀｶﾅ']],
    ['ｻｰﾊﾞｰ', ['サーバー'], ['ｻｰﾊﾞｰ']],
    ['ｶﾞｷﾞ', ['ガ'], ['ｶﾞ']],
    ['か\u3099くせい', ['が'], ['か\u3099']],
    ['10時〜12時 10時～12時', ['時～1'], ['時〜1', '時～1']],
    ['−5度 －5度', ['−5'], ['−5', '－5']],
    ['aab', ['ab', 'aa'], ['aab']],
    ['❤️', ['❤'], ['❤️']],
    ['nothing', ['監'], []],
  ])('%s', (text, words, found) => {
    expect(marks(text, ...words)).toEqual(found)
  })
})

describe('Markdown', () => {
  const text = (value: string) => ({ kind: 'text', text: value })

  it('knows blocks, and leaves everything else alone', () => {
    expect(parseMarkdown('a\n\nb')).toEqual([{ kind: 'paragraph', children: [text('a\n\nb')] }])
    expect(parseMarkdown('see:\n\n```sql\nselect *\n  from x\n```\nthen')).toEqual([
      { kind: 'paragraph', children: [text('see:')] },
      { kind: 'code', text: 'select *\n  from x' },
      { kind: 'paragraph', children: [text('then')] },
    ])
    expect(parseMarkdown('> a\n> > b')).toEqual([
      {
        kind: 'quote',
        blocks: [
          { kind: 'paragraph', children: [text('a')] },
          { kind: 'quote', blocks: [{ kind: 'paragraph', children: [text('b')] }] },
        ],
      },
    ])
    expect(parseMarkdown('3. x\n4. y')).toEqual([
      { kind: 'list', start: 3, items: [[text('x')], [text('y')]] },
    ])
    expect(parseMarkdown('- x')).toEqual([{ kind: 'list', start: null, items: [[text('x')]] }])
  })

  it('knows inline marks', () => {
    expect(parseMarkdown('これは**重要**です')).toEqual([
      {
        kind: 'paragraph',
        children: [text('これは'), { kind: 'strong', children: [text('重要')] }, text('です')],
      },
    ])
    expect(parseMarkdown('`a*b*` *c* ~~d~~')).toEqual([
      {
        kind: 'paragraph',
        children: [
          { kind: 'code', text: 'a*b*' },
          text(' '),
          { kind: 'em', children: [text('c')] },
          text(' '),
          { kind: 'del', children: [text('d')] },
        ],
      },
    ])
  })

  it.each([
    'snake_case_name and 2*3*4 and 2**3**4',
    '**not closed',
    '```\nnot closed',
    '2 * 3 * 4',
    '>_<',
    'https://example.com/_a_/*b*/~~c~~',
    '<b>no html</b> <script>alert(1)</script>',
    '[text](https://example.com)',
    '@_name_',
    '***',
  ])('leaves %s as it is', (written) => {
    expect(plainText(written)).toBe(written)
  })

  it('takes no time for what looks like much', () => {
    for (const written of ['*'.repeat(4_000), '`a'.repeat(2_000), '**a '.repeat(1_000), '> '.repeat(2_000)]) {
      expect(plainText(written).length).toBeLessThanOrEqual(4_000)
    }
  })

  it('loses its marks in one line', () => {
    expect(plainText('**a** `b`\n- c\n- d')).toBe('a b c d')
  })
})
