// The peers, each doing what it is told, all in the same words.
//
// Orders: { order: 'open', url, deflate, origin? } of a client, { order: 'send', text, parts }, { order: 'ping', payload } and
// { order: 'close', code?, reason? }. A message has as many fragments as it has parts, which are Buffers.
//
// Events: { event: 'listening', port } of a server, { event: 'open', compressed }, { event: 'refused', status },
// { event: 'message', text, payload }, { event: 'pong', payload }, { event: 'closed', code, reason } with what the other
// end said: 1005 is a Close without a code, 1006 is none at all.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { WebSocket, WebSocketServer } from 'ws'

const patience = 10_000 // milliseconds for what should happen at once

export class Peer {
  #events = []
  #wake = () => {}

  constructor(name) {
    this.name = name
  }

  /** What has happened to it. */
  tell(event) {
    this.#events.push(event)
    this.#wake()
  }

  /** What happened next, which must be this. */
  async event(kind) {
    if (this.#events.length === 0) {
      let timer
      const late = new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error(`${this.name}: no ${kind}`)), patience)
      })
      await Promise.race([late, new Promise((wake) => { this.#wake = wake })])
      clearTimeout(timer)
    }
    const event = this.#events.shift()
    assert.equal(event.event, kind, `${this.name}: ${JSON.stringify({ ...event, payload: undefined })}`)
    return event
  }

  /** Forgets what nobody asked about. */
  forget() {
    this.#events = []
  }
}

/** A program that takes orders as lines of JSON and tells events so; payloads are hexadecimal in both. */
export class Program extends Peer {
  constructor(name, command, args) {
    super(name)
    this.child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    process.on('exit', () => this.child.kill())
    this.child.stdin.on('error', () => {})
    this.child.on('exit', (code) => this.tell({ event: 'gone', code }))
    createInterface(this.child.stdout).on('line', (line) => {
      const event = JSON.parse(line)
      if (event.event === 'message') event.payload = Buffer.from(event.payload, 'hex')
      this.tell(event)
    })
  }

  order(order) {
    const parts = order.parts?.map((part) => part.toString('hex'))
    this.child.stdin.write(`${JSON.stringify({ ...order, parts })}\n`)
  }
}

/** Node's `ws`. */
class Node extends Peer {
  adopt(ws) {
    this.ws = ws
    ws.on('message', (payload, isBinary) => this.tell({ event: 'message', text: !isBinary, payload }))
    ws.on('pong', (payload) => this.tell({ event: 'pong', payload: payload.toString() }))
    ws.on('close', (code, reason) => this.tell({ event: 'closed', code, reason: reason.toString() }))
    ws.on('error', () => {}) // the close comes as well
  }

  order({ order, text, parts, payload, code, reason }) {
    if (order === 'ping') this.ws.ping(payload)
    if (order === 'close') this.ws.close(code, reason)
    parts?.forEach((part, i) => this.ws.send(part, { binary: !text, fin: i === parts.length - 1 }))
  }
}

export class NodeServer extends Node {
  constructor(perMessageDeflate) {
    super("Node's server")
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate })
    server.on('listening', () => this.tell({ event: 'listening', port: server.address().port }))
    server.on('connection', (ws) => {
      this.adopt(ws)
      this.tell({ event: 'open', compressed: ws.extensions !== '' })
    })
  }
}

export class NodeClient extends Node {
  constructor(certificate) {
    super("Node's client")
    this.ca = readFileSync(certificate)
  }

  order(order) {
    if (order.order !== 'open') return super.order(order)
    const ws = new WebSocket(order.url, { ca: this.ca, origin: order.origin })
    ws.on('unexpected-response', (_, { statusCode }) => this.tell({ event: 'refused', status: statusCode }))
    const failed = (error) => this.tell({ event: 'failed', error: error.message })
    ws.on('error', failed)
    ws.on('open', () => {
      ws.off('error', failed)
      this.adopt(ws)
      this.tell({ event: 'open', compressed: ws.extensions !== '' })
    })
  }
}
