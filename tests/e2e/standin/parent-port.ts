// Parent port: what a utility process finds as process.parentPort, over Node's channel. It ends with its parent.
import { EventEmitter } from 'node:events';

class ParentPort extends EventEmitter {
  postMessage(message: unknown): void {
    if (process.connected) process.send?.(message);
  }
}

const port = new ParentPort();
process.on('message', (data: unknown) => port.emit('message', { data, ports: [] }));
Object.defineProperty(process, 'parentPort', { value: port });
