// Protocol: what goes over the wire between the engine host and its client. Calls and events are birpc's; errors cross as
// {code, detail, params}, because a structured clone keeps nothing of an error but its message.
import type { GpuReport } from '../../shared/doctor.ts';
import type { EngineApi } from '../../shared/engine.ts';
import { isErrorCode, NamesakeError, toNamesakeError, type ErrorParams } from '../../shared/errors.ts';
import type { IsaReport } from './native.d.ts';

/** The engine as built for and run on this machine ("doctor"). */
export interface EngineAbout {
  addon: string;
  isa: IsaReport;
}

/** Everything that the host answers. */
export interface HostApi extends EngineApi {
  /** engine.missing or engine.incompatible where there is no engine to ask. */
  about(): Promise<EngineAbout>;
  /** The machine's NVIDIA cards. A driver that crashes takes the host with it (engine.crashed). */
  gpus(): Promise<GpuReport>;
}

/** One end of a connection between two processes that clones messages, typed arrays included. */
export interface Port {
  post(message: unknown): void;
  onMessage(listener: (message: unknown) => void): void;
}

interface WireError {
  code: string;
  detail: string;
  params: ErrorParams;
}

/** birpc's message: `e` is the error of a failed call. */
interface Message {
  e?: unknown;
}

function isMessage(value: unknown): value is Message {
  return typeof value === 'object' && value !== null;
}

/** A message as it crosses. */
function serialize(message: unknown): unknown {
  if (!isMessage(message) || message.e === undefined) return message;
  const { code, detail, params } = toNamesakeError(message.e);
  return { ...message, e: { code, detail, params } satisfies WireError };
}

/** A message as it was: errors are NamesakeErrors again. */
function deserialize(message: unknown): unknown {
  if (!isMessage(message) || message.e === undefined) return message;
  const { code, detail, params } = message.e as WireError;
  return { ...message, e: isErrorCode(code) ? new NamesakeError(code, detail, params) : toNamesakeError(detail) };
}

/** birpc's options for one end. Calls take as long as they take: a step of training has no time-out. */
export function channel(port: Port): {
  post: Port['post'];
  on: Port['onMessage'];
  serialize: typeof serialize;
  deserialize: typeof deserialize;
  timeout: number;
  bind: 'functions';
} {
  return {
    post: (message) => port.post(message),
    on: (listener) => port.onMessage(listener),
    serialize,
    deserialize,
    timeout: -1,
    bind: 'functions',
  };
}
