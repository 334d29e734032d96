// A page in Chromium that does what it is told.
import { createRequire } from 'node:module'
import { Peer } from './peer.mjs'

const { chromium } = createRequire(new URL('../../browser/', import.meta.url))('playwright-core')

export class Chromium extends Peer {
  #browser
  #page

  static async start() {
    const peer = new Chromium('Chromium')
    peer.#browser = await chromium.launch({
      executablePath: '/usr/bin/chromium',
      args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
        '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage'],
    })
    // Pages made up below have no address: without the permission they may not reach this machine.
    const context = await peer.#browser.newContext({ ignoreHTTPSErrors: true, permissions: ['local-network-access'] })
    // Every site has one empty page: what a page's own address is decides its Origin, and that is all that matters.
    await context.route('**/*', (route) => route.fulfill({ contentType: 'text/html', body: '<!doctype html>' }))
    peer.#page = await context.newPage()
    await peer.#page.exposeFunction('tell', (event) => {
      if (event.event === 'message') event.payload = Buffer.from(event.payload, 'base64')
      peer.tell(event)
    })
    return peer
  }

  stop() {
    return this.#browser.close()
  }

  order(order) {
    this.#carryOut(order).catch((error) => this.tell({ event: 'failed', error: error.message }))
  }

  async #carryOut({ order, parts = [], ...rest }) {
    // A page of the host itself, unless told to be another one.
    const site = rest.origin ?? rest.url?.replace(/^ws/, 'http')
    if (order === 'open' && new URL(this.#page.url()).origin !== new URL(site).origin) await this.#page.goto(site)
    // A browser decides itself how to fragment what it sends.
    const payload = Buffer.concat(parts).toString('base64')
    await this.#page.evaluate(inPage, { order, ...rest, ...(parts.length > 0 && { payload }) })
  }
}

function inPage({ order, url, text, payload, code, reason }) {
  const tell = (event) => globalThis.tell(event)
  if (order === 'close') code === undefined ? globalThis.ws.close() : globalThis.ws.close(code, reason)
  if (order === 'send') {
    const bytes = Uint8Array.from(atob(payload), (character) => character.charCodeAt(0))
    globalThis.ws.send(text ? new TextDecoder().decode(bytes) : bytes)
  }
  if (order !== 'open') return
  const ws = new WebSocket(url)
  globalThis.ws = ws
  ws.binaryType = 'arraybuffer'
  let isOpen = false
  ws.onopen = () => {
    isOpen = true
    tell({ event: 'open', compressed: ws.extensions !== '' })
  }
  ws.onmessage = ({ data }) => {
    const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : new Uint8Array(data)
    let payload = ''
    for (let i = 0; i < bytes.length; i += 0x8000) payload += String.fromCharCode(...bytes.subarray(i, i + 0x8000))
    tell({ event: 'message', text: typeof data === 'string', payload: btoa(payload) })
  }
  ws.onclose = ({ code, reason }) => tell(isOpen ? { event: 'closed', code, reason } : { event: 'refused', code })
}
