// Chromium without a window, driven through its debugging pipe (file descriptors 3 and 4: JSON messages that end in 0).
import {spawn, spawnSync} from 'node:child_process';
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

export function findChromium() {
  return ['chromium', 'chromium-browser', 'google-chrome'].find((name) => spawnSync(name, ['--version']).status === 0);
}

export class Browser {
  static async start(program) {
    const self = new Browser();
    self.profile = mkdtempSync(join(tmpdir(), 'kinglet-chromium-'));
    self.process = spawn(program, ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage',
      '--no-first-run', '--disable-background-networking', '--disable-component-update', '--remote-debugging-pipe',
      `--user-data-dir=${self.profile}`, '--window-size=1200,900', 'about:blank'],
    {stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe']});
    self.waiting = new Map();
    self.lastId = 0;
    self.problems = [];  // what the page threw or wrote to its console as an error
    let buffered = '';
    self.process.stdio[4].setEncoding('utf8').on('data', (chunk) => {
      const messages = (buffered + chunk).split('\0');
      buffered = messages.pop();
      messages.forEach((message) => self.receive(JSON.parse(message)));
    });
    self.process.once('exit', () => {
      for (const {reject} of self.waiting.values()) reject(new Error('the browser ended'));
    });
    const {targetInfos} = await self.send('Target.getTargets');
    const {targetId} = targetInfos.find((target) => target.type === 'page');
    ({sessionId: self.session} = await self.send('Target.attachToTarget', {targetId, flatten: true}));
    for (const domain of ['Page', 'Runtime', 'Log']) await self.send(`${domain}.enable`);
    return self;
  }

  receive({id, result, error, method, params}) {
    if (method === 'Runtime.exceptionThrown') {
      const {text, exception} = params.exceptionDetails;
      this.problems.push(exception?.description ?? text);
    } else if (method === 'Log.entryAdded' && params.entry.level === 'error') {
      this.problems.push(`${params.entry.text} ${params.entry.url ?? ''}`);
    }
    const {resolve, reject} = this.waiting.get(id) ?? {};
    this.waiting.delete(id);
    if (error) reject?.(new Error(error.message));
    else resolve?.(result);
  }

  send(method, params = {}) {
    return new Promise((resolve, reject) => {
      const id = ++this.lastId;
      this.waiting.set(id, {resolve, reject});
      this.process.stdio[3].write(`${JSON.stringify({id, method, params, sessionId: this.session})}\0`);
    });
  }

  async open(url) {
    await this.send('Page.navigate', {url});
  }

  // The value of an expression in the page, awaited if it is a promise.
  async evaluate(expression) {
    const {result, exceptionDetails} =
      await this.send('Runtime.evaluate', {expression, awaitPromise: true, returnByValue: true});
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }

  // Waits until the expression is true.
  async until(expression, seconds = 60) {
    for (const end = Date.now() + seconds * 1000; !await this.evaluate(expression).catch(() => false);) {
      if (Date.now() > end) throw new Error(`not true after ${seconds} s: ${expression}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  // Replaces the text of a field as a person does.
  async type(id, text) {
    await this.evaluate(`document.getElementById('${id}').focus(); document.getElementById('${id}').select()`);
    await this.send('Input.insertText', {text});
  }

  async size(width, height, dark = false) {
    await this.send('Emulation.setDeviceMetricsOverride', {width, height, deviceScaleFactor: 1, mobile: width < 600});
    await this.send('Emulation.setEmulatedMedia',
      {features: [{name: 'prefers-color-scheme', value: dark ? 'dark' : 'light'}]});
  }

  async screenshot(file) {
    const {data} = await this.send('Page.captureScreenshot', {captureBeyondViewport: true});
    writeFileSync(file, Buffer.from(data, 'base64'));
  }

  async close() {
    const ended = new Promise((resolve) => this.process.once('exit', resolve));
    await this.send('Browser.close').catch(() => {});
    await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 5000))]);
    this.process.kill('SIGKILL');
    rmSync(this.profile, {recursive: true, force: true, maxRetries: 5});
  }
}
