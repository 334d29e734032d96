// Two people in the chat example, one at a desk and one with a phone, and a few others who misbehave; before them, a page
// that has what it says echoed.
// Prints a line for each check and, last, `N passed, M failed`. Each check goes on from where the one before it ended.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const root = fileURLToPath(new URL('../..', import.meta.url));
const pictures = `${process.env.CARGO_TARGET_DIR ?? `${root}target`}/browser`;
const patience = 8_000; // milliseconds for what should happen soon
const whole = 90_000;   // and for everything

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

// ---- the server ----

const server = { process: null, port: 0, complaints: '' };

async function startServer() {
  [server.process, server.port] = await start('chat', server.port);
}

// Runs an example that listens, on any port if it is 0.
async function start(example, port, ...flags) {
  const child = spawn(
    'cargo', ['run', '--quiet', '--release', '--example', example, '--features', 'tokio,deflate', '--',
      '--listen', `127.0.0.1:${port}`, ...flags],
    { cwd: root, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  process.on('exit', () => kill(child));
  child.stderr.on('data', chunk => { server.complaints += chunk; });
  for await (const line of createInterface(child.stdout)) {
    const found = line.match(/^listening on (?:http:\/\/)?127\.0\.0\.1:(\d+)/);
    if (found) {
      child.stdout.resume();
      return [child, Number(found[1])];
    }
  }
  throw new Error(`${example} ended without listening:\n${server.complaints}`);
}

function kill(child) {
  if (child.exitCode !== null || child.signalCode !== null) return null;
  const ended = new Promise(resolve => child.once('exit', resolve));
  process.kill(-child.pid, 'SIGKILL'); // it leads a process group of its own
  return ended;
}

// What goes to a port by way of another one, in bytes.
async function countTraffic(port) {
  const traffic = { sent: 0, received: 0, port: 0 };
  const proxy = createServer(near => {
    const far = connect(port, '127.0.0.1');
    near.on('data', chunk => { traffic.sent += chunk.length; }).pipe(far);
    far.on('data', chunk => { traffic.received += chunk.length; }).pipe(near);
    for (const socket of [near, far]) socket.on('error', () => {});
  });
  await new Promise(resolve => proxy.listen(0, '127.0.0.1', resolve));
  traffic.port = proxy.address().port;
  return traffic;
}

// ---- people ----

async function open(browser, options = {}) {
  const context = await browser.newContext({ locale: 'en-GB', ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(patience);
  page.troubles = [];
  page.on('pageerror', error => page.troubles.push(error.message));
  return page;
}

const visit = page => page.goto(`http://127.0.0.1:${server.port}/`);

async function join(page, name) {
  await page.fill('#name', name);
  await page.click('#join');
  await status(page, 'connected');
}

async function say(page, text) {
  await page.fill('#text', text);
  await page.press('#text', 'Enter');
}

const until = (page, condition, argument) => page.waitForFunction(condition, argument);
const status = (page, wanted) => until(page, wanted => document.querySelector('#status').textContent.startsWith(wanted), wanted);
const notice = (page, ...parts) =>
  until(page, parts => parts.every(part => document.querySelector('#notice').textContent.includes(part)), parts);
const event = (page, text) =>
  until(page, text => [...document.querySelectorAll('#lines .event')].some(line => line.textContent === text), text);
const users = (page, names) =>
  until(page, names => [...document.querySelectorAll('#users li')].map(item => item.textContent).join() === names, names.join());

// All that was said, as the page shows it.
const said = page => page.$$eval('#lines .said', all => all.map(
  one => ({ id: Number(one.dataset.id), name: one.querySelector('b').textContent, text: one.querySelector('p').textContent })));
const heard = (page, text) =>
  until(page, text => [...document.querySelectorAll('#lines .said p')].some(line => line.textContent === text), text);

// A client of its own within a page: joins, sends one message, and tells the code of the close.
const rawMessage = (page, size) => page.evaluate(size => new Promise((resolve, reject) => {
  const ws = new WebSocket(`ws://${location.host}/ws`, 'chat');
  ws.onopen = () => {
    ws.send(JSON.stringify({ type: 'join', name: 'raw' }));
    ws.send('x'.repeat(size));
  };
  ws.onclose = ({ code }) => resolve(code);
  setTimeout(() => reject(new Error('it was not closed')), 5_000);
}), size);

// Another: says COUNT texts of SIZE bytes, eight at a time; the longest wait for one to come back, in milliseconds. The
// texts are of word joiners, which nobody sees: what a page needs to draw them must not decide the time.
const chatter = (page, count, size) => page.evaluate(([count, size]) => new Promise((resolve, reject) => {
  const ws = new WebSocket(`ws://${location.host}/ws`, 'chat');
  const send = message => ws.send(JSON.stringify(message));
  const sent = [];
  let longest = 0, back = 0;
  const next = () => {
    sent.push(performance.now());
    send({ type: 'say', text: `${sent.length}${'\u2060'.repeat(size / 3)}` });
  };
  ws.onopen = () => send({ type: 'join', name: '수다쟁이' });
  ws.onmessage = ({ data }) => {
    const { type, name } = JSON.parse(data);
    if (type === 'welcome') for (let i = 0; i < 8; i++) next();
    if (type !== 'said' || name !== '수다쟁이') return;
    longest = Math.max(longest, performance.now() - sent[back++]);
    if (sent.length < count) next();
    else if (back === count) resolve(longest), ws.close();
  };
  ws.onclose = ({ code }) => reject(new Error(`closed with ${code} after ${back} messages`));
}), [count, size]);

// A client that joins and never reads again.
function deafClient(name) {
  const socket = connect(server.port, '127.0.0.1');
  const text = Buffer.from(JSON.stringify({ type: 'join', name }));
  const head = Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]); // FIN and text; masked with the key 0
  assert.ok(text.length < 126);
  socket.on('error', () => {});
  socket.write(`GET /ws HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n`
    + 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: chat\r\n\r\n');
  socket.once('data', () => {
    socket.pause();
    socket.write(Buffer.concat([head, text]));
  });
  return socket;
}

// A page whose server is ours: it welcomes, then closes with CODE; connections counts how often the page came.
async function closedWith(browser, code, reason) {
  const page = await open(browser);
  page.connections = 0;
  await page.routeWebSocket(/\/ws$/, ws => {
    page.connections += 1;
    ws.onMessage(() => {
      ws.send(JSON.stringify({ type: 'welcome', name: 'Jun', users: ['Jun'], maxBytes: 65_536 }));
      if (page.connections === 1) setTimeout(() => ws.close({ code, reason }), 50);
    });
  });
  await visit(page);
  await page.fill('#name', 'Jun');
  await page.click('#join');
  return page;
}

// A page that sends texts and bytes, all at once and twice, and expects them back; tells what was agreed on.
const echoed = (page, port, texts, sizes) => page.evaluate(async ([port, texts, sizes]) => {
  const ws = new WebSocket(`ws://127.0.0.1:${port}/`);
  ws.binaryType = 'arraybuffer';
  await new Promise((resolve, reject) => { [ws.onopen, ws.onerror] = [resolve, reject]; });
  const bytes = sizes.map(size => Uint8Array.from({ length: size }, () => Math.random() * 256));
  const messages = [...texts, ...bytes, ...texts, ...bytes];
  const back = await new Promise((resolve, reject) => {
    const back = [];
    ws.onmessage = ({ data }) => back.push(data) === messages.length && resolve(back);
    ws.onclose = ({ code }) => reject(new Error(`closed with ${code} after ${back.length} messages`));
    messages.forEach(message => ws.send(message));
  });
  const isSame = (one, other) => typeof one === 'string' ? one === other
    : other.byteLength === one.length && new Uint8Array(other).every((byte, i) => byte === one[i]);
  const wrong = messages.findIndex((message, i) => !isSame(message, back[i]));
  if (wrong >= 0) throw new Error(`message ${wrong} came back as another`);
  ws.close();
  return ws.extensions;
}, [port, texts, sizes]);

// Korean text in which little is said twice.
const lines = count => Array.from({ length: count }, (_, i) =>
  `{"번호":${i},"말":"${String.fromCodePoint(...[1, 2, 3, 4, 5].map(k => 0xac00 + i * k * 7919 % 11_172))}"}`).join('\n');

const pause = milliseconds => new Promise(resolve => setTimeout(resolve, milliseconds));

// ---- the story ----

async function main(browser) {
  await check('the echo of a page is compressed, in both directions and with context', async () => {
    const [echo, port] = await start('echo', 0, '--deflate', '--origins', 'any');
    const traffic = await countTraffic(port);
    const page = await open(browser);
    await visit(page);
    const said = lines(40);
    const texts = Array.from({ length: 200 }, (_, i) => `${i}: ${said}`);
    assert.equal(await echoed(page, traffic.port, texts, []), 'permessage-deflate');
    const most = 2 * 200 * Buffer.byteLength(said) / 20;
    assert.ok(traffic.sent < most && traffic.received < most, JSON.stringify({ ...traffic, most }));
    // Sizes around those at which lengths are written in another way, pieces end, and compression begins.
    const sizes = [0, 1, 125, 126, 127, 128, 1_000, 16_384, 65_535, 65_536, 1_000_000];
    await echoed(page, traffic.port, ['', '가', ...[1, 3, 100, 10_000].map(lines)], sizes);
    await page.context().close();
    await kill(echo);
  });

  const desk = await open(browser, { viewport: { width: 1100, height: 760 }, colorScheme: 'light' });
  const phone = await open(browser, { viewport: { width: 360, height: 720 }, colorScheme: 'dark', isMobile: true, hasTouch: true });
  const both = [desk, phone];

  await check('a page asks for a name first', async () => {
    await Promise.all(both.map(visit));
    for (const page of both) {
      assert.ok(await page.isVisible('#name'));
      assert.ok(await page.isHidden('#text'));
    }
  });
  await check('two people join, under Korean names', async () => {
    await join(desk, '미나');
    await join(phone, '준호');
    await event(desk, '준호 joined');
  });
  await check('what both say and hear is compressed', async () => {
    for (const page of both) assert.match(await page.evaluate(() => socket.extensions), /^permessage-deflate\b/);
  });
  await check('both see who is there', () => Promise.all(both.map(page => users(page, ['미나', '준호']))));

  await check('50 quick messages come in one order, the same for both', async () => {
    for (let i = 0; i < 25; i++) {
      await Promise.all([say(desk, `desk ${i}`), say(phone, `phone ${i}`)]);
    }
    await Promise.all(both.map(page => until(page, () => document.querySelectorAll('#lines .said').length === 50)));
    const [here, there] = await Promise.all(both.map(said));
    assert.deepEqual(here, there);
    assert.deepEqual(here.map(({ id }) => id), [...here.keys()].map(i => here[0].id + i));
    for (const [name, side] of [['미나', 'desk'], ['준호', 'phone']]) {
      assert.deepEqual(here.filter(one => one.name === name).map(one => one.text), Array.from({ length: 25 }, (_, i) => `${side} ${i}`));
    }
  });
  await check('own messages are marked, each on its own side', async () => {
    assert.equal(await desk.locator('.said.mine').count(), 25);
    assert.deepEqual(new Set(await phone.locator('.said.mine b').allTextContents()), new Set(['준호']));
  });
  await check('who scrolled up stays there, and can go to the end', async () => {
    const firstLine = () => phone.$eval('#lines > .said', line => line.getBoundingClientRect().top);
    await phone.$eval('#lines > .said', line => line.scrollIntoView());
    await phone.waitForTimeout(100);
    const before = await firstLine();
    await say(desk, '안녕하세요! 오늘 저녁에 시간 어때요?');
    await heard(phone, '안녕하세요! 오늘 저녁에 시간 어때요?');
    assert.ok(Math.abs(await firstLine() - before) < 1, 'the log moved');
    await phone.tap('#latest');
    await until(phone, () => {
      const log = document.querySelector('#log'), last = document.querySelector('#lines > :last-child');
      return last.getBoundingClientRect().bottom <= log.getBoundingClientRect().bottom;
    });
    await phone.waitForSelector('#latest', { state: 'hidden' });
  });

  await check('Korean and emoji come through whole', async () => {
    const family = '좋아요 👨‍👩‍👧‍👦 여섯 시에 봐요 🏳️‍🌈 👩🏽‍💻 ㅎㅎ 값 뷁';
    await say(phone, family);
    await Promise.all(both.map(page => heard(page, family)));
  });
  await check('a long text comes through unchanged', async () => {
    const text = lines(600);
    assert.ok(Buffer.byteLength(text) > 20_000);
    await say(phone, text);
    await Promise.all(both.map(page => heard(page, text)));
  });
  await check('markup is shown, not obeyed', async () => {
    const markup = '<b>굵게?</b> <img src=x onerror="window.hacked = true">';
    await say(desk, markup);
    await Promise.all(both.map(page => heard(page, markup)));
    for (const page of both) {
      assert.equal(await page.locator('#log p b, #log img').count(), 0);
      assert.equal(await page.evaluate(() => window.hacked), undefined);
    }
  });
  await check('Shift and Enter start a new line', async () => {
    await phone.fill('#text', '첫 줄');
    await phone.press('#text', 'Shift+Enter');
    await phone.locator('#text').pressSequentially('둘째 줄');
    await phone.press('#text', 'Enter');
    await heard(desk, '첫 줄\n둘째 줄');
  });
  await check('Enter that ends the composition of a syllable sends nothing', async () => {
    await desk.fill('#text', '그럼 이따 봐요');
    await desk.$eval('#text', text => text.dispatchEvent(
      new KeyboardEvent('keydown', { key: 'Enter', isComposing: true, bubbles: true, cancelable: true })));
    assert.equal(await desk.inputValue('#text'), '그럼 이따 봐요');
    await desk.press('#text', 'Enter');
    await heard(phone, '그럼 이따 봐요');
    assert.equal((await said(phone)).filter(({ text }) => text === '그럼 이따 봐요').length, 1);
  });
  await check('someone of the same name gets another, and both lists follow as they come and go', async () => {
    const other = await open(browser);
    await visit(other);
    await join(other, '미나');
    await Promise.all(both.map(page => event(page, '미나 2 joined')));
    await Promise.all([...both, other].map(page => users(page, ['미나', '준호', '미나 2'])));
    await other.context().close();
    await Promise.all(both.map(page => event(page, '미나 2 left')));
    await Promise.all(both.map(page => users(page, ['미나', '준호'])));
  });

  await check('nothing is wider than the phone', async () => {
    assert.equal(await phone.evaluate(() => document.documentElement.scrollWidth), 360);
  });
  mkdirSync(pictures, { recursive: true });
  await desk.screenshot({ path: `${pictures}/chat-desktop.png` });
  await phone.screenshot({ path: `${pictures}/chat-phone.png` });

  await check('a text of 1 MiB is refused at once, with its size and the limit, and stays in the box', async () => {
    await desk.fill('#text', 'x'.repeat(1 << 20));
    await desk.click('#send');
    await notice(desk, 'too large', '1,048,600', '65,536');
    assert.equal((await desk.inputValue('#text')).length, 1 << 20);
  });
  await check('the limit counts bytes, and is exact', async () => {
    const around = '{"type":"say","text":""}'.length;
    const longest = Math.floor((65_536 - around) / 3); // bytes of a Korean syllable
    await desk.fill('#text', '가'.repeat(longest + 1));
    await desk.click('#send');
    await notice(desk, 'too large', '65,5');
    const text = '나'.repeat(longest) + 'x'.repeat((65_536 - around) % 3);
    await desk.fill('#text', text);
    await desk.click('#send');
    await Promise.all(both.map(page => heard(page, text)));
    assert.equal(await desk.textContent('#notice'), '');
  });
  await check('the connection goes on as before', async () => {
    await say(desk, '다시 짧게');
    await heard(phone, '다시 짧게');
    assert.equal(await desk.locator('#lines .event', { hasText: 'Connected again' }).count(), 0);
  });
  await check('a message of 1 MiB that is sent all the same is answered with 1009, each time', async () => {
    for (let i = 0; i < 30; i++) assert.equal(await rawMessage(phone, 1 << 20), 1009);
    await say(phone, '우리는 괜찮아요');
    await heard(desk, '우리는 괜찮아요');
  });

  await check('a reload keeps the name', async () => {
    await phone.reload();
    await status(phone, 'connected');
    await Promise.all(both.map(page => users(page, ['미나', '준호'])));
  });
  await check('while the server is away, a page says so and keeps what is typed', async () => {
    await kill(server.process);
    await Promise.all(both.map(page => status(page, 'reconnecting in')));
    await say(desk, '끊긴 동안 쓴 글');
    await notice(desk, 'Not connected');
    assert.equal(await phone.evaluate(() => document.documentElement.scrollWidth), 360);
    assert.equal(await desk.inputValue('#text'), '끊긴 동안 쓴 글');
  });
  await check('when it is back, both reconnect by themselves and the chat goes on', async () => {
    await startServer();
    await Promise.all(both.map(page => status(page, 'connected')));
    for (const page of both) {
      await until(page, () => [...document.querySelectorAll('#users li')].map(item => item.textContent).sort().join() === '미나,준호');
    }
    await desk.press('#text', 'Enter');
    await heard(phone, '끊긴 동안 쓴 글');
    await say(phone, '돌아왔네요');
    await heard(desk, '돌아왔네요');
  });

  await check('a client that never reads holds nobody up, and is sent away', async () => {
    const deaf = deafClient('귀머거리');
    try {
      await Promise.all(both.map(page => event(page, '귀머거리 joined')));
      const longest = await chatter(phone, 600, 20_000);
      // Who waits for it waits until it is given up: 30 seconds, the timeout `send`.
      assert.ok(longest < patience, `one message took ${Math.round(longest)} ms`);
      await Promise.all(both.map(page => event(page, '귀머거리 left')));
      await say(desk, '아직 들려요?');
      await heard(phone, '아직 들려요?');
      await say(phone, '네!');
      await heard(desk, '네!');
    } finally {
      deaf.destroy();
    }
  });

  await check('a page that is turned away says why and does not come back', async () => {
    for (const code of [1008, 4001]) {
      const page = await closedWith(browser, code, 'go away');
      await notice(page, String(code), 'go away');
      await status(page, 'disconnected');
      await pause(1_200);
      assert.equal(page.connections, 1);
      await page.context().close();
    }
  });
  await check('1009 is shown as a message that was too large, and the page comes back', async () => {
    const page = await closedWith(browser, 1009, '');
    await notice(page, 'too large', '1009');
    await event(page, 'Connected again. What was said in between is not shown.');
    assert.equal(page.connections, 2);
    await page.context().close();
  });
  await check('a server that asks for patience gets it', async () => {
    const page = await closedWith(browser, 1013, 'try again later');
    await status(page, 'reconnecting in');
    await pause(1_500);
    assert.match(await page.textContent('#status'), /reconnecting in [4-9] s/);
    await page.context().close();
  });

  await check('no script of the page failed, nor did the server panic', () => {
    assert.deepEqual(both.flatMap(page => page.troubles), []);
    assert.doesNotMatch(server.complaints, /panicked/);
  });
}

function finish() {
  if (failed > 0 && server.complaints) console.log(`the server said:\n${server.complaints}`);
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed > 0 || passed === 0 ? 1 : 0);
}

setTimeout(() => {
  failed += 1;
  console.log(`FAILED  everything within ${whole / 1000} s`);
  finish();
}, whole);
try {
  await startServer();
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage'],
  });
  await main(browser);
  await browser.close();
} catch (error) {
  failed += 1;
  console.log(`FAILED  ${error.stack}`);
}
finish();
