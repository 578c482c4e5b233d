// @ts-check
// The icons, drawn from resources/icons/mark.svg: those of the tray, and those that installers carry. Needs Chromium
// (NAMESAKE_CHROMIUM or /usr/bin/chromium); run it after a change of the mark and commit what it writes.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const FOLDER = join(import.meta.dirname, '..', 'resources', 'icons');
/** Windows shows the one that fits best; 256 is the largest that an icon file can hold. */
const ICO_SIZES = [16, 24, 32, 48, 64, 128, 256];
/** Apple's names of PNG entries by their pixels (some sizes have two: one is for screens of twice the density). */
const ICNS_TYPES = /** @type {const} */ ([['icp4', 16], ['icp5', 32], ['ic11', 32], ['ic12', 64], ['ic07', 128], ['ic13', 256], ['ic08', 256], ['ic14', 512], ['ic09', 512], ['ic10', 1024]]);

/** @param {{ size: number, png: Buffer }[]} images */
function ico(images) {
  const header = Buffer.alloc(6 + 16 * images.length);
  header.writeUInt16LE(1, 2);
  header.writeUInt16LE(images.length, 4);
  let offset = header.length;
  images.forEach(({ size, png }, i) => {
    const at = 6 + 16 * i;
    header.writeUInt8(size % 256, at);
    header.writeUInt8(size % 256, at + 1);
    header.writeUInt16LE(1, at + 4);
    header.writeUInt16LE(32, at + 6);
    header.writeUInt32LE(png.length, at + 8);
    header.writeUInt32LE(offset, at + 12);
    offset += png.length;
  });
  return Buffer.concat([header, ...images.map(({ png }) => png)]);
}

/** @param {{ type: string, png: Buffer }[]} images */
function icns(images) {
  /** @param {string} type @param {Buffer} data */
  const block = (type, data) => {
    const header = Buffer.alloc(8);
    header.write(type, 'latin1');
    header.writeUInt32BE(8 + data.length, 4);
    return Buffer.concat([header, data]);
  };
  return block('icns', Buffer.concat(images.map(({ type, png }) => block(type, png))));
}

const mark = await readFile(join(FOLDER, 'mark.svg'), 'utf8');
const browser = await chromium.launch({ executablePath: process.env['NAMESAKE_CHROMIUM'] || '/usr/bin/chromium', args: ['--no-sandbox'] });
try {
  const page = await browser.newPage();
  /** @type {Map<number, Buffer>} */
  const drawn = new Map();
  /** @param {number} size */
  const draw = async (size) => {
    const known = drawn.get(size);
    if (known !== undefined) return known;
    await page.setViewportSize({ width: size, height: size });
    await page.setContent(`<style>*{margin:0}svg{display:block;width:${size}px;height:${size}px}</style>${mark}`);
    const png = await page.screenshot({ omitBackground: true });
    drawn.set(size, png);
    return png;
  };
  await mkdir(join(FOLDER, 'app'), { recursive: true });
  await writeFile(join(FOLDER, 'tray.png'), await draw(16));
  await writeFile(join(FOLDER, 'tray@2x.png'), await draw(32));
  await writeFile(join(FOLDER, 'app', 'icon.png'), await draw(512));
  const small = [];
  for (const size of ICO_SIZES) small.push({ size, png: await draw(size) });
  await writeFile(join(FOLDER, 'app', 'icon.ico'), ico(small));
  const apple = [];
  for (const [type, size] of ICNS_TYPES) apple.push({ type, png: await draw(size) });
  await writeFile(join(FOLDER, 'app', 'icon.icns'), icns(apple));
} finally {
  await browser.close();
}
