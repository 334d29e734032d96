// Node's client talks to our echo server: client.mjs URL PARAMETERS
// PARAMETERS are those of permessage-deflate as JSON, or `false` for no compression.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import WebSocket from 'ws'
import { checkCosts, noise, options, prose } from './deflate.mjs'

const [url, parameters] = [process.argv[2], JSON.parse(process.argv[3])]
const connect = async () => {
  const ws = new WebSocket(url, { perMessageDeflate: options(parameters) })
  await once(ws, 'open')
  assert.equal(ws.extensions, parameters ? 'permessage-deflate' : '')
  return ws
}
const ws = await connect()
const echo = async (message, sendOptions) => {
  ws.send(message, sendOptions)
  const [data, isBinary] = await once(ws, 'message')
  assert.equal(isBinary, typeof message !== 'string')
  assert.deepEqual(data, Buffer.from(message))
}

const texts = ['', 'hello', '소통 👩‍👩‍👧 🏳️‍🌈', prose(1 << 20)]
const binaries = [Buffer.alloc(0), Buffer.from([0, 1, 255]), Buffer.alloc(1 << 16, 7), noise(1 << 20)]
for (const message of [...texts, ...binaries]) await echo(message)
await echo(Buffer.alloc(1 << 20, 7), { compress: false })

if (parameters) {
  const cost = async (text) => {
    const [written, read] = [ws._socket.bytesWritten, ws._socket.bytesRead]
    await echo(text)
    return [ws._socket.bytesWritten - written, ws._socket.bytesRead - read]
  }
  await checkCosts(cost, parameters)
}

for (const [one, other] of [['one ', '메시지'], [prose(400_000), prose(600_000)]]) {
  ws.send(one, { fin: false })
  ws.ping('between')
  ws.send(other, { fin: true })
  const [[pong], [joined]] = await Promise.all([once(ws, 'pong'), once(ws, 'message')])
  assert.deepEqual([pong.toString(), joined.toString()], ['between', one + other])
}

const many = Array.from({ length: 2000 }, (_, i) => `message ${i}${' 소통'.repeat(i % 50)}`)
const back = []
const all = new Promise((done) => ws.on('message', (data) => back.push(data.toString()) === many.length && done()))
many.forEach((message) => ws.send(message))
await all
assert.deepEqual(back, many)

ws.close(4001, '안녕히')
const [code] = await once(ws, 'close')
assert.equal(code, 4001)

const tooLarge = [prose((1 << 20) + 1)]
if (parameters) tooLarge.push(Buffer.alloc(1 << 20, 7)) // compressed a thousandfold
for (const message of tooLarge) {
  const refused = await connect()
  refused.send(message)
  const [code] = await Promise.race([once(refused, 'close'), once(refused, 'message')])
  assert.equal(code, 1009)
}

const dropped = await connect()
dropped.terminate()
