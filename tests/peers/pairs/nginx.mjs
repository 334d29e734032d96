// nginx as `examples/nginx.conf` has it: an ordinary process with a certificate of its own, on ports that are free.
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'

const example = readFileSync(new URL('../../../examples/nginx.conf', import.meta.url), 'utf8')

/** A throw-away certificate for `localhost`; the name of its file. */
export function makeCertificate() {
  const folder = mkdtempSync(`${tmpdir()}/pairs-`)
  const [certificate, key, settings] = ['certificate.pem', 'key.pem', 'settings'].map((name) => `${folder}/${name}`)
  writeFileSync(settings, '[req]\ndistinguished_name = name\n[name]\n[own]\nbasicConstraints = CA:false\n'
    + 'subjectAltName = DNS:localhost\n')
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-noenc',
    '-days', '2', '-subj', '/CN=localhost', '-config', settings, '-extensions', 'own', '-keyout', key,
    '-out', certificate], { stdio: 'pipe' })
  return { folder, certificate, key }
}

/**
 * Starts nginx before a server at `port`, once for each of `changes`, which are put into the example: pairs of what is
 * there and what is to be there instead. Says on which ports it listens.
 */
export async function startNginx({ folder, certificate, key }, port, changes) {
  const ports = await Promise.all(changes.map(freePort))
  const replace = (text, [from, to]) => {
    assert.equal(text.split(from).length, 2, `${from} is not once in the example`)
    return text.replace(from, to)
  }
  const [map, server] = example.split(/^(?=server )/m)
  const servers = changes.map((change, i) => [
    ['listen 443', `listen 127.0.0.1:${ports[i]}`], ['chat.example;', 'localhost;'], ['127.0.0.1:8080;', `127.0.0.1:${port};`],
    ['/etc/ssl/certs/chat.example.pem', certificate], ['/etc/ssl/private/chat.example.key', key], ...change,
  ].reduce(replace, server))
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${folder}/${name};`)
  writeFileSync(`${folder}/nginx.conf`, `daemon off;\nworker_processes 1;\npid ${folder}/pid;\nerror_log ${folder}/log;\n`
    + `events {}\nhttp {\naccess_log off;\n${temporary.join('\n')}\n${map}${servers.join('\n')}}\n`)
  const nginx = spawn('nginx', ['-p', folder, '-c', `${folder}/nginx.conf`, '-e', `${folder}/log`], { stdio: 'inherit' })
  process.on('exit', (code) => {
    nginx.kill()
    if (code !== 0) console.error(readFileSync(`${folder}/log`, 'utf8'))
    rmSync(folder, { recursive: true, force: true })
  })
  await Promise.all(ports.map(listens))
  return ports
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  await new Promise((closed) => server.close(closed))
  return port
}

async function listens(port) {
  for (let tries = 0; tries < 100; tries++) {
    const socket = connect(port, '127.0.0.1')
    const isThere = await once(socket, 'connect').then(() => true, () => false)
    socket.destroy()
    if (isThere) return
    await new Promise((later) => setTimeout(later, 50))
  }
  throw new Error(`nginx does not listen on ${port}`)
}
