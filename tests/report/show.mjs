// node show.mjs FOLDER PAGE.html…: shows pages to Chromium, wide and narrow, light and dark, and leaves pictures in FOLDER
// (KINGLET_SCREENSHOTS instead, if set). Fails on anything in the console, on a blank picture, and where a page is wider
// than its window. Exit code 77 without Chromium or playwright-core.
import assert from 'node:assert/strict';
import {basename, join} from 'node:path';
import {readFileSync} from 'node:fs';
import {pathToFileURL} from 'node:url';
import {inflateSync} from 'node:zlib';
import {Browser, whyNoBrowser} from '../wasm/browser.mjs';

// How many colours a picture has, of a PNG with 8 bits a channel whose rows are filtered or not: distinct 4-byte groups
// of its inflated bytes tell a blank page from a drawn one.
function variety(file) {
  const png = readFileSync(file);
  const parts = [];
  for (let at = 8; at < png.length; at += 12 + png.readUInt32BE(at)) {
    if (png.toString('latin1', at + 4, at + 8) === 'IDAT') {
      parts.push(png.subarray(at + 8, at + 8 + png.readUInt32BE(at)));
    }
  }
  const bytes = inflateSync(Buffer.concat(parts));
  const seen = new Set();
  for (let i = 0; i + 4 <= bytes.length; i += 4) seen.add(bytes.readUInt32LE(i));
  return seen.size;
}

if (whyNoBrowser()) {
  console.log(whyNoBrowser());
  process.exit(77);
}
const [folder, ...pages] = process.argv.slice(2);
const browser = await Browser.start();
for (const page of pages) {
  for (const [name, width, dark] of [['light', 900, false], ['dark', 900, true], ['narrow', 380, false]]) {
    await browser.size(width, 800, dark);
    await browser.open(pathToFileURL(page).href);
    await browser.until(`document.readyState === 'complete' && location.href === ${JSON.stringify(pathToFileURL(page).href)}`);
    const [wide, high] = await browser.evaluate(
      '[document.documentElement.scrollWidth, document.documentElement.scrollHeight]');
    assert.ok(wide <= width, `${page}: ${wide} wide in a window of ${width}`);
    await browser.size(width, Math.min(high, 12000), dark);
    const picture = join(process.env.KINGLET_SCREENSHOTS || folder, `report-${basename(page, '.html')}-${name}.png`);
    await browser.screenshot(picture);
    assert.ok(variety(picture) > 200, `${picture} is blank`);
  }
}
assert.deepEqual(browser.problems, []);
await browser.close();
