// Protobuf: walks the fields of one message of the wire format. No schema, no recursion, nothing copied.

/** One field: a varint or fixed-width number as `number` or `bytes`, text and messages as `bytes`. */
export interface Field {
  field: number;
  wire: 'varint' | 'fixed64' | 'bytes' | 'fixed32';
  /** Of a varint; whatever is beyond 2^53 reads as Infinity. */
  number: number;
  /** Of every other kind: a view into the message. */
  bytes: Uint8Array;
}

const nothing = new Uint8Array();

/** The fields of `message` in order. Throws RangeError where it is cut off or no protobuf. */
export function* fieldsOf(message: Uint8Array): Generator<Field> {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let factor = 1, length = 0; length < 10; length++, factor *= 128) {
      const byte = message[at++];
      if (byte === undefined) throw new RangeError(`the message ends inside a number at ${at - 1}`);
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value <= Number.MAX_SAFE_INTEGER ? value : Infinity;
    }
    throw new RangeError(`a number of more than ten bytes at ${at - 10}`);
  };
  const take = (length: number): Uint8Array => {
    if (length > message.length - at) throw new RangeError(`${length} bytes at ${at} of ${message.length}`);
    at += length;
    return message.subarray(at - length, at);
  };
  while (at < message.length) {
    const tag = varint();
    const field = Math.floor(tag / 8);
    if (field < 1 || field > 0x1fff_ffff) throw new RangeError(`field ${field} at ${at}`);
    switch (tag % 8) {
      case 0:
        yield { field, wire: 'varint', number: varint(), bytes: nothing };
        break;
      case 1:
        yield { field, wire: 'fixed64', number: 0, bytes: take(8) };
        break;
      case 2:
        yield { field, wire: 'bytes', number: 0, bytes: take(varint()) };
        break;
      case 5:
        yield { field, wire: 'fixed32', number: 0, bytes: take(4) };
        break;
      default:
        throw new RangeError(`wire type ${tag % 8} at ${at}`);
    }
  }
}
