// Every two peers of which one is ours, straight and through nginx, with compression and without; see `checks.mjs`.
// Prints a line for each two and, last, `N passed, M failed`. `pairs.mjs WORD...` runs those whose line has all the words.
import assert from 'node:assert/strict'
import { fileURLToPath } from 'node:url'
import { around, behind, ours, within } from './checks.mjs'
import { Chromium } from './chromium.mjs'
import { makeCertificate, startNginx } from './nginx.mjs'
import { NodeClient, NodeServer, Program } from './peer.mjs'
import { Relay } from './relay.mjs'

const { PEER, PYTHON } = process.env
const pairs = [
  ...['Chromium', 'Node', 'Python'].flatMap((client) => [[client, 'tokio'], [client, 'blocking']]),
  ...['tokio', 'blocking'].flatMap((client) => [[client, 'Node'], [client, 'Python'], [client, client]]),
]
const wholeTime = 240_000 // milliseconds
const words = process.argv.slice(2)

process.setMaxListeners(0) // each peer ends with us
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1))

const certificate = makeCertificate()
const relay = new Relay()
const relayPort = await relay.listen()
const [port, hostlessPort, impatientPort] = await startNginx(certificate, relayPort, [
  [], [['proxy_set_header Host $http_host;', '']], [['proxy_read_timeout 60s;', 'proxy_read_timeout 1s;']],
])
const url = (port) => `wss://localhost:${port}/`
const paths = { straight: `ws://127.0.0.1:${relayPort}/`, nginx: url(port) }

const pythonPeer = fileURLToPath(new URL('python.py', import.meta.url))
const start = {
  Chromium: () => Chromium.start(),
  Node: (role, { deflate }) => role === 'client' ? new NodeClient(certificate.certificate) : new NodeServer(deflate),
  Python: (role, options) => new Program(`Python's ${role}`, PYTHON, [pythonPeer, role, ...flags(options)]),
  tokio: (role, options) => new Program(`our tokio ${role}`, PEER, ['tokio', role, ...flags(options)]),
  blocking: (role, options) => new Program(`our blocking ${role}`, PEER, ['blocking', role, ...flags(options)]),
}
function flags({ trust, deflate, keepalive }) {
  return [...(trust ? ['--trust', trust] : []), ...(deflate ? ['--deflate'] : []), ...(keepalive ? ['--keepalive', keepalive] : [])]
}
const running = new Map()
async function peer(name, role, options) {
  const key = JSON.stringify([name, role, options])
  if (!running.has(key)) {
    const peer = await start[name](role, options)
    if (role === 'server') peer.port = (await peer.event('listening')).port
    running.set(key, peer)
  }
  return running.get(key)
}

/** Two peers, what is between them, and the connections that they open one after another. */
class Conversation {
  constructor(details) {
    Object.assign(this, details)
    relay.target = this.server.port
  }

  async open(details) {
    this.client.order({ order: 'open', url: this.url, deflate: this.compressed, ...details })
    const opened = [await this.client.event('open'), await this.server.event('open')]
    for (const { compressed } of opened) assert.equal(compressed, this.compressed, 'whether compression was agreed on')
  }

  async close() {
    this.client.order({ order: 'close', code: 1000, reason: '' })
    for (const peer of [this.client, this.server]) assert.equal((await peer.event('closed')).code, 1000)
  }
}

let [passed, failed] = [0, 0]
async function run(client, server, path, { compressed = false, keepalive, checks }) {
  const line = `${client} to ${server}, ${path}${compressed ? ', compressed' : ''}: ${Object.keys(checks).join(', ')}`
  if (!words.every((word) => line.includes(word))) return
  const conversation = new Conversation({
    client: await peer(client, 'client', { trust: certificate.certificate }),
    server: await peer(server, 'server', { deflate: compressed, keepalive }),
    relay, compressed, url: paths[path], hostless: url(hostlessPort), impatient: url(impatientPort),
  })
  const [begin, complaints] = [Date.now(), []]
  for (const [name, check] of Object.entries(checks)) {
    try {
      const opens = name in within
      if (opens) await conversation.open()
      await check(conversation)
      if (opens) await conversation.close()
      passed += 1
    } catch (error) {
      failed += 1
      complaints.push(`${name}: ${error.message ?? error}`)
      await reset(conversation)
    }
  }
  console.log(`${complaints.length > 0 ? 'FAILED' : 'ok    '}  ${line}, ${Date.now() - begin} ms`)
  for (const complaint of complaints) console.log(`        ${complaint.replaceAll('\n', '\n        ')}`)
}

/** Whatever a failed check has left open ends; the next one begins anew. */
async function reset({ client, server }) {
  relay.cut()
  await new Promise((later) => setTimeout(later, 300))
  for (const peer of [client, server]) peer.forget()
}

function finish() {
  console.log(`${passed} passed, ${failed} failed`)
  process.exit(failed > 0 || passed === 0 ? 1 : 0)
}

setTimeout(() => {
  failed += 1
  console.log(`FAILED  everything within ${wholeTime / 1000} s`)
  finish()
}, wholeTime)

const isOurs = (name) => name === 'tokio' || name === 'blocking'
for (const [client, server] of pairs) {
  for (const path of Object.keys(paths)) {
    for (const compressed of [false, true]) {
      const checks = { ...within, ...around, ...(isOurs(server) ? ours : {}) }
      await run(client, server, path, { compressed, checks })
    }
  }
  if (isOurs(server)) await run(client, server, 'nginx', { keepalive: 300, checks: behind })
}
await running.get(JSON.stringify(['Chromium', 'client', { trust: certificate.certificate }]))?.stop()
finish()
