// What goes over the wire between two peers: passed on unchanged, and noted frame by frame (RFC 6455, section 5.2).
import { once } from 'node:events'
import { connect, createServer } from 'node:net'

export class Relay {
  /** Where to pass connections on to. */
  target = 0
  /** The frames of the latest connection, by who sent them: `{ fin, rsv1, opcode, length }`. */
  frames = { client: [], server: [] }
  #sockets = []

  /** Begins to listen, and says on which port. */
  async listen() {
    const server = createServer((near) => {
      const far = connect(this.target, '127.0.0.1')
      const frames = { client: [], server: [] }
      // A browser connects in advance, and may never say anything.
      near.once('data', () => { [this.frames, this.#sockets] = [frames, [near, far]] })
      for (const [from, to, noted] of [[near, far, frames.client], [far, near, frames.server]]) {
        const note = reader(noted)
        from.setNoDelay(true).on('data', note).on('error', () => to.destroy()).pipe(to)
      }
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    return server.address().port
  }

  /** Ends the latest connection as a network does that is lost. */
  cut() {
    for (const socket of this.#sockets) socket.destroy()
  }
}

/** Takes the bytes of one direction as they come, and notes each frame as soon as its header is there. */
function reader(frames) {
  let header = Buffer.alloc(0)
  let [isOpen, payload] = [false, 0]
  return (bytes) => {
    while (bytes.length > 0) {
      const passed = Math.min(payload, bytes.length)
      payload -= passed
      header = Buffer.concat([header, bytes.subarray(passed)])
      bytes = Buffer.alloc(0)
      if (!isOpen) {
        const end = header.indexOf('\r\n\r\n')
        if (end < 0) return
        isOpen = true
        ;[bytes, header] = [header.subarray(end + 4), Buffer.alloc(0)]
      } else if (payload === 0) {
        const frame = parse(header)
        if (!frame) return
        frames.push(frame)
        payload = frame.length
        ;[bytes, header] = [header.subarray(frame.size), Buffer.alloc(0)]
      }
    }
  }
}

function parse(bytes) {
  if (bytes.length < 2) return null
  const [isMasked, short] = [bytes[1] & 0x80, bytes[1] & 0x7f]
  const extended = short === 126 ? 2 : short === 127 ? 8 : 0
  const size = 2 + extended + (isMasked ? 4 : 0)
  if (bytes.length < size) return null
  const length = extended === 2 ? bytes.readUInt16BE(2) : extended === 8 ? Number(bytes.readBigUInt64BE(2)) : short
  return { fin: bytes[0] >= 0x80, rsv1: (bytes[0] & 0x40) !== 0, opcode: bytes[0] & 15, length, size }
}
