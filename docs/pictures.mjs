// Photographs for the README: docs/pictures.sh runs this with the address of a chat.
import { createRequire } from 'node:module'

const { chromium } = createRequire(new URL('../tests/browser/', import.meta.url))('playwright-core')
const [chat, pictures] = process.argv.slice(2)
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'] })

async function open(url, options) {
  const page = await (await browser.newContext({ locale: 'en-GB', ...options })).newPage()
  await page.goto(url)
  return page
}

/** The drawing as a page shows it, to be looked at. */
for (const colorScheme of ['light', 'dark']) {
  const page = await open(new URL('layers.svg', import.meta.url).href, { colorScheme, viewport: { width: 760, height: 634 } })
  await page.screenshot({ path: `${pictures}/layers-${colorScheme}.png` })
}

/** Two people, each at a window of her own. */
const people = [['미나', 'light'], ['준호', 'dark']]
const pages = []
for (const [name, colorScheme] of people) {
  const page = await open(chat, { colorScheme, viewport: { width: 480, height: 630 } })
  await page.fill('#name', name)
  await page.click('#join')
  await page.waitForFunction(() => document.querySelector('#status').textContent.startsWith('connected'))
  pages.push(page)
}
const lines = [
  [0, '안녕하세요! 오늘 저녁에 시간 어때요?'], [1, '좋아요 👍 여섯 시에 역 앞에서 볼까요?'],
  [0, '네! 하나도 같이 가요 🍜'], [1, 'Shall I book a table for three?'], [0, '부탁해요 🙏 매운 거 말고요 ㅎㅎ'], [1, '알겠어요. 이따 봐요 👋🏽'],
]
for (const [who, text] of lines) {
  await pages[who].fill('#text', text)
  await pages[who].press('#text', 'Enter')
  for (const page of pages) {
    await page.waitForFunction((text) => [...document.querySelectorAll('#lines .said p')].some((p) => p.textContent === text), text)
  }
}
// Side by side, as one picture.
const shots = await Promise.all(pages.map((page) => page.screenshot()))
const both = await open('about:blank', { viewport: { width: 976, height: 630 } })
await both.setContent(`<body style="margin:0;display:flex;gap:16px;background:transparent">${shots.map((shot) =>
  `<img src="data:image/png;base64,${shot.toString('base64')}">`).join('')}`)
await both.waitForFunction(() => [...document.images].every((image) => image.complete))
await both.screenshot({ path: `${pictures}/chat.png`, omitBackground: true })
await browser.close()
