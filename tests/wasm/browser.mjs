// A page of the machine's Chromium, without a window, driven by playwright-core: in build/node/node_modules, where
// ./test puts it, or in the folder that KINGLET_NODE_MODULES names.
import {spawnSync} from 'node:child_process';
import {createRequire} from 'node:module';
import {fileURLToPath} from 'node:url';

const modules = process.env.KINGLET_NODE_MODULES ||
  fileURLToPath(new URL('../../build/node/node_modules', import.meta.url));

function findPlaywright() {
  try {
    return createRequire(import.meta.url)(`${modules}/playwright-core`);
  } catch (error) {
    if (error.code === 'MODULE_NOT_FOUND') return undefined;
    throw error;
  }
}

const playwright = findPlaywright();
const program = ['chromium', 'chromium-browser', 'google-chrome'].map((name) =>
  spawnSync('sh', ['-c', `command -v ${name}`], {encoding: 'utf8'}).stdout.trim()).find((path) => path !== '');

// Why there is no browser here; undefined where there is one.
export function whyNoBrowser() {
  if (program === undefined) return 'chromium is not installed';
  if (playwright === undefined) return `there is no playwright-core in ${modules}`;
  return undefined;
}

export class Browser {
  static async start() {
    const self = new Browser();
    self.browser = await playwright.chromium.launch({executablePath: program, args: ['--disable-dev-shm-usage']});
    self.page = await self.browser.newPage();
    self.devtools = await self.page.context().newCDPSession(self.page);  // what playwright has for new pages only
    self.problems = [];  // what the page threw or wrote to its console as an error
    self.page.on('pageerror', (error) => self.problems.push(String(error.stack ?? error)));
    self.page.on('console', (message) => {
      if (message.type() === 'error') self.problems.push(`${message.text()} ${message.location().url}`);
    });
    return self;
  }

  async open(url) {
    await this.page.goto(url);
  }

  // The value of an expression in the page, awaited if it is a promise.
  evaluate(expression) {
    return this.page.evaluate(expression);
  }

  // Waits until the expression is true.
  async until(expression, seconds = 60) {
    await this.page.waitForFunction(expression, undefined, {polling: 50, timeout: seconds * 1000});
  }

  // Replaces the text of a field.
  async type(id, text) {
    await this.page.fill(`#${id}`, text);
  }

  async size(width, height, dark = false) {
    await this.page.setViewportSize({width, height});
    await this.devtools.send('Emulation.setDeviceMetricsOverride',
      {width, height, deviceScaleFactor: 1, mobile: width < 600});
    await this.page.emulateMedia({colorScheme: dark ? 'dark' : 'light'});
  }

  async screenshot(file) {
    await this.page.screenshot({path: file, fullPage: true});
  }

  async close() {
    await this.browser.close();
  }
}
