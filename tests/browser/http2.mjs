// The hyper example in a browser: over TLS Chromium speaks HTTP/2, and asks for a WebSocket by an extended CONNECT (RFC
// 8441) on the connection that the page came by; without TLS it speaks HTTP/1.1. Which of them it was says the server.
// Prints a line for each check and, last, `N passed, M failed`.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'http2-'));
const whole = 90_000; // milliseconds for everything

let passed = 0, failed = 0;
async function check(sentence, body) {
  try {
    await body();
    passed += 1;
    console.log(`ok      ${sentence}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED  ${sentence}\n        ${String(error.message ?? error).trim().replaceAll('\n', '\n        ')}`);
  }
}

// Runs the server; its port, and the requests that it has got, as `HTTP/2.0 CONNECT /echo`.
async function start(...flags) {
  const child = spawn(
    'cargo', ['run', '--quiet', '--release', '--manifest-path', 'examples/stacks/Cargo.toml', '--example', 'hyper', '--',
      '--listen', '127.0.0.1:0', ...flags],
    { cwd: root, detached: true, stdio: ['ignore', 'pipe', 'inherit'] });
  process.on('exit', () => {
    try { process.kill(-child.pid, 'SIGKILL'); } catch { /* it has ended */ } // it leads a process group of its own
  });
  const requests = [];
  const port = await new Promise((resolve, reject) => {
    child.once('exit', code => reject(new Error(`the server ended with ${code}`)));
    createInterface(child.stdout).on('line', line => {
      const found = line.match(/^listening on https?:\/\/127\.0\.0\.1:(\d+)/);
      if (found) resolve(Number(found[1]));
      else requests.push(line);
    });
  });
  // Those since it was asked before; of icons nothing is to be said.
  const seen = () => requests.splice(0).filter(line => !line.endsWith('/favicon.ico'));
  return { port, seen };
}

// In the page: what comes back for some text, for a megabyte, and how it ends.
const talk = uri => new Promise(resolve => {
  const ws = new WebSocket(uri);
  ws.binaryType = 'arraybuffer';
  const told = [];
  const sent = new Uint8Array(1 << 20).map((_, i) => i % 251);
  ws.onopen = () => { ws.send('안녕'); ws.send(sent); };
  ws.onmessage = ({ data }) => {
    told.push(typeof data === 'string' ? data : new Uint8Array(data).every((byte, i) => byte === sent[i]) && data.byteLength);
    if (told.length === 2) ws.close(4001, 'that is all');
  };
  ws.onclose = ({ code, wasClean }) => resolve([...told, code, wasClean]);
});
const echoed = ['안녕', 1 << 20, 4001, true];

async function main(browser) {
  const plain = await start();
  const secure = await start('--certificate', join(folder, 'certificate.pem'));
  const foreign = await start('--certificate', join(folder, 'foreign.pem'), '--origins', 'https://chat.example');
  const page = await browser.newPage();

  await check('without TLS a WebSocket is a GET over HTTP/1.1', async () => {
    await page.goto(`http://localhost:${plain.port}/`);
    assert.deepEqual(await page.evaluate(talk, `ws://localhost:${plain.port}/echo`), echoed);
    assert.deepEqual([...new Set(plain.seen())], ['HTTP/1.1 GET /', 'HTTP/1.1 GET /echo']);
  });

  await check('with TLS it is a CONNECT over HTTP/2', async () => {
    await page.goto(`https://localhost:${secure.port}/`);
    assert.deepEqual(await page.evaluate(talk, `wss://localhost:${secure.port}/echo`), echoed);
    assert.deepEqual([...new Set(secure.seen())], ['HTTP/2.0 GET /', 'HTTP/2.0 CONNECT /echo']);
  });

  await check('several WebSockets share the connection', async () => {
    const uris = Array(5).fill(`wss://localhost:${secure.port}/echo`);
    const together = ([uris, talk]) => Promise.all(uris.map(uri => (0, eval)(talk)(uri)));
    assert.deepEqual(await page.evaluate(together, [uris, `(${talk})`]), Array(5).fill(echoed));
    assert.deepEqual(secure.seen(), Array(5).fill('HTTP/2.0 CONNECT /echo'));
  });

  await check('the page of the example shows what it was told', async () => {
    await page.goto(`https://localhost:${secure.port}/`);
    await page.waitForFunction(() => document.querySelector('pre').textContent === 'echo: 안녕\nclosed: 1000, true\n');
    secure.seen();
  });

  await check('a page whose origin is not named is refused over HTTP/2', async () => {
    await page.goto(`https://localhost:${foreign.port}/`);
    assert.deepEqual(await page.evaluate(talk, `wss://localhost:${foreign.port}/echo`), [1006, false]);
    assert.deepEqual([...new Set(foreign.seen())], ['HTTP/2.0 GET /', 'HTTP/2.0 CONNECT /echo']);
  });

  await check('a page of another site is refused', async () => {
    await page.goto(`https://127.0.0.1:${foreign.port}/`);
    assert.deepEqual(await page.evaluate(talk, `wss://localhost:${secure.port}/echo`), [1006, false]);
    // What another site asks for does not share the connection.
    assert.deepEqual(secure.seen(), ['HTTP/1.1 GET /echo']);
  });
}

function finish() {
  rmSync(folder, { recursive: true, force: true });
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed > 0 || passed === 0 ? 1 : 0);
}

setTimeout(() => {
  failed += 1;
  console.log(`FAILED  everything within ${whole / 1000} s`);
  finish();
}, whole);
try {
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    timeout: whole, // a machine that does much else is slow to start it
    // The server's certificate is one of its own making.
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage', '--ignore-certificate-errors'],
  });
  await main(browser);
  await browser.close();
} catch (error) {
  failed += 1;
  console.log(`FAILED  ${error.stack}`);
}
finish();
