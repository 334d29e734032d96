// Node's client talks to our echo server: client.mjs URL
import assert from 'node:assert/strict'
import { once } from 'node:events'
import WebSocket from 'ws'

const [url] = process.argv.slice(2)
const connect = async () => {
  const ws = new WebSocket(url, { perMessageDeflate: false })
  await once(ws, 'open')
  return ws
}
const messages = ['', 'hello', '소통 👩‍👩‍👧 🏳️‍🌈', '가'.repeat(300_000), Buffer.alloc(0), Buffer.from([0, 1, 255]), Buffer.alloc(1 << 20, 7)]

const ws = await connect()
for (const message of messages) {
  ws.send(message)
  const [data, isBinary] = await once(ws, 'message')
  assert.equal(isBinary, typeof message !== 'string')
  assert.deepEqual(data, Buffer.from(message))
}

ws.send('one ', { fin: false })
ws.ping('between')
ws.send('메시지', { fin: true })
const [[pong], [joined]] = await Promise.all([once(ws, 'pong'), once(ws, 'message')])
assert.deepEqual([pong.toString(), joined.toString()], ['between', 'one 메시지'])

const many = Array.from({ length: 2000 }, (_, i) => `message ${i}`)
const back = []
const all = new Promise((done) => ws.on('message', (data) => back.push(data.toString()) === many.length && done()))
many.forEach((message) => ws.send(message))
await all
assert.deepEqual(back, many)

ws.close(4001, '안녕히')
const [code] = await once(ws, 'close')
assert.equal(code, 4001)

const large = await connect()
large.send(Buffer.alloc((1 << 20) + 1))
assert.deepEqual((await once(large, 'close'))[0], 1009)

const dropped = await connect()
dropped.terminate()
