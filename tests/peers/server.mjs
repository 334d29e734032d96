// Node's server is talked to by our client: server.mjs PARAMETERS CLIENT [ARGUMENT...]
// PARAMETERS are those of permessage-deflate as JSON, or `false` for no compression.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { WebSocketServer } from 'ws'
import { checkCosts, options } from './deflate.mjs'

const [parameters, client, ...args] = [JSON.parse(process.argv[2]), ...process.argv.slice(3)]
const isCompressed = parameters && args.includes('--deflate')
const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: options(parameters), handleProtocols: () => 'chat' })
await once(server, 'listening')
const url = `ws://127.0.0.1:${server.address().port}/room?n=1`
const child = spawn(client, [...args, '--subprotocol', 'other', '--subprotocol', 'chat', '--header', 'X-Token: a b', url])
const errors = text(child.stderr)
const printed = createInterface(child.stdout)[Symbol.asyncIterator]()

const [ws, request] = await once(server, 'connection')
assert.deepEqual([request.url, request.headers['x-token'], ws.protocol], ['/room?n=1', 'a b', 'chat'])
assert.equal(ws.extensions, isCompressed ? 'permessage-deflate' : '')
ws.on('message', (data, isBinary) => {
  assert.equal(isBinary, false)
  ws.send(`echo ${data}`)
  if (data.toString() === 'second') ws.close(4002, '그만')
})

if (isCompressed) {
  const cost = async (line) => {
    const [read, written] = [ws._socket.bytesRead, ws._socket.bytesWritten]
    child.stdin.write(`${line}\n`)
    assert.equal((await printed.next()).value, `echo ${line}`)
    return [ws._socket.bytesRead - read, ws._socket.bytesWritten - written]
  }
  // Our client asks for messages that are compressed each on its own.
  await checkCosts(cost, { ...parameters, server_no_context_takeover: true, client_no_context_takeover: true })
}

child.stdin.end('안녕\nsecond\n')
const [code] = await once(ws, 'close')
assert.equal(code, 4002)
for (const expected of ['echo 안녕', 'echo second', undefined]) assert.equal((await printed.next()).value, expected)
const [first, last] = (await errors).split('\n')
assert.deepEqual([first, last], [`connected, subprotocol chat${isCompressed ? ', compression' : ''}`, 'closed with 4002 그만'])
assert.equal(child.exitCode ?? (await once(child, 'exit'))[0], 0)
server.close()
