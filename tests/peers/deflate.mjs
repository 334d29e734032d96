// What compression is tested with, and what it must come to on the wire.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'

/** Korean text of so many bytes that comes to about a fortieth; below a 256th our end takes it for an attack. */
export const prose = (bytes) => {
  const line = (i) => `{"id":${100_000 + i},"name":"준호","text":"여섯 시에 역 앞에서 봐요, 늦으면 먼저 들어갈게요"}`
  const length = Buffer.byteLength(line(0))
  return Array.from({ length: bytes / length }, (_, i) => line(i)).join('') + '.'.repeat(bytes % length)
}

/** Bytes, or letters, that repeat nothing and are the same each time. */
export const noise = (bytes) => createHash('shake256', { outputLength: bytes }).update(`${bytes}`).digest()
const letters = (length) => noise(length).toString('base64').slice(0, length)

/** The parameters as Node's options, or `false` as it is. Without a threshold all messages are compressed. */
export const options = (parameters) => {
  const camelCase = (name) => name.replace(/_./g, ([, letter]) => letter.toUpperCase())
  const named = Object.entries(parameters).map(([name, value]) => [camelCase(name), value])
  return parameters && { threshold: 0, ...Object.fromEntries(named) }
}

/**
 * Whether both ends compress, and find what is repeated exactly as far back as the parameters allow. `cost` has a text
 * sent by the client and sent back by the server, and tells how many bytes that was for each.
 */
export const checkCosts = async (cost, parameters) => {
  const check = async (text, mostBytes, isExpected) => {
    const bytes = await cost(text)
    for (const [i, end] of ['client', 'server'].entries()) {
      const context = !parameters[`${end}_no_context_takeover`]
      const windowBits = parameters[`${end}_max_window_bits`] ?? 15
      assert.equal(bytes[i] < mostBytes, isExpected({ context, windowBits }),
        `${bytes[i]} bytes from the ${end} for ${text.length} letters, ${text.slice(0, 20)}...`)
    }
  }
  // No compressor of raw data has a window of 8 bits: ours sends messages as they are.
  const compresses = ({ windowBits }) => windowBits > 8
  await check(prose(900_000), 900_000 / 8, compresses)
  for (const distance of [200, 700, 3000]) {
    // zlib keeps 262 bytes of its window for what comes next. Letters come to three quarters of their bytes.
    const isFound = ({ windowBits }) => distance <= 2 ** windowBits - 262
    await check(letters(distance).repeat(2), 1.3 * distance, isFound)
  }
  const short = letters(201)
  await cost(short)
  await check(short, 60, ({ context }) => context)
}
