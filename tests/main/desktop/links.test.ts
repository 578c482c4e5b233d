import { expect, test, vi } from 'vitest';
import { isAllowedLink, openLink } from '../../../main/desktop/links.ts';
import { loadCatalogue } from '../../../main/resources.ts';

const opened = vi.hoisted((): string[] => []);
vi.mock('electron', () => ({
  shell: {
    openExternal: (address: string) => {
      opened.push(address);
      return Promise.reject(new Error('no browser'));
    },
  },
}));

test.each([
  'http://huggingface.co/',
  'https://huggingface.co:444/',
  'https://huggingface.co.evil.com/',
  'https://evil.com/huggingface.co',
  'https://evil.com#huggingface.co',
  'https://huggingface.co@evil.com/',
  'https://a:b@huggingface.co/',
  'https://sub.huggingface.co/',
  'file:///etc/passwd',
  'javascript:alert(1)',
  'smb://huggingface.co/share',
  'ms-msdt:/id',
  '//huggingface.co/',
  '',
])('%s is not opened', (address) => {
  expect(openLink(address)).toBe(false);
  expect(opened).toEqual([]);
});

test('a known host is opened as it was parsed; a system without a browser is no error', async () => {
  expect(openLink('HTTPS://HuggingFace.co/a b')).toBe(true);
  await Promise.resolve();
  expect(opened).toEqual(['https://huggingface.co/a%20b']);
});

test('the licences of the catalogue can be opened', () => {
  const addresses = loadCatalogue().models.map(({ licence_url }) => licence_url);
  expect(addresses.length).toBeGreaterThan(0);
  expect(addresses.filter((address) => !isAllowedLink(address))).toEqual([]);
});
