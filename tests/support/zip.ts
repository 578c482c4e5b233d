// Reading a zip back, with another library than the one that wrote it.
import { open, type ZipFile } from 'yauzl';

/** Names and contents of a zip's entries, in its order. yauzl refuses absolute names and those that lead out. */
export async function readZip(path: string): Promise<[name: string, content: Buffer][]> {
  const zip = await new Promise<ZipFile>((resolve, reject) => {
    open(path, { lazyEntries: true, strictFileNames: true }, (error, file) => (error ? reject(error) : resolve(file)));
  });
  return new Promise((resolve, reject) => {
    const entries: [string, Buffer][] = [];
    zip.on('error', reject);
    zip.on('end', () => resolve(entries));
    zip.on('entry', (entry) => {
      zip.openReadStream(entry, (error, stream) => {
        if (error) return reject(error);
        const parts: Buffer[] = [];
        stream.on('error', reject);
        stream.on('data', (part: Buffer) => parts.push(part));
        stream.on('end', () => {
          entries.push([entry.fileName, Buffer.concat(parts)]);
          zip.readEntry();
        });
      });
    });
    zip.readEntry();
  });
}
