// Node's server is talked to by our client: server.mjs CLIENT
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { WebSocketServer } from 'ws'

const [client] = process.argv.slice(2)
const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false, handleProtocols: () => 'chat' })
await once(server, 'listening')
const url = `ws://127.0.0.1:${server.address().port}/room?n=1`
const child = spawn(client, ['--subprotocol', 'other', '--subprotocol', 'chat', '--header', 'X-Token: a b', url])
const [output, errors] = [text(child.stdout), text(child.stderr)]

const [ws, request] = await once(server, 'connection')
assert.deepEqual([request.url, request.headers['x-token'], ws.protocol], ['/room?n=1', 'a b', 'chat'])
child.stdin.end('안녕\nsecond\n')
const heard = []
ws.on('message', (data, isBinary) => {
  assert.equal(isBinary, false)
  heard.push(data.toString())
  ws.send(`echo ${data}`)
  if (heard.length === 2) ws.close(4002, '그만')
})
const [code] = await once(ws, 'close')
assert.deepEqual([code, heard], [4002, ['안녕', 'second']])
assert.equal(await output, 'echo 안녕\necho second\n')
assert.match(await errors, /subprotocol chat[^]*closed with 4002 그만/)
assert.equal(child.exitCode ?? (await once(child, 'exit'))[0], 0)
server.close()
