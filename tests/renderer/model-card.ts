// Model cards as the core tells them, for tests of what shows them.
import type { DownloadState, ModelCard } from '../../shared/model.ts';

export function card(id: string, change: Partial<ModelCard> = {}): ModelCard {
  return {
    id, name: id, licence: 'MIT', licence_url: null, purpose: 'smallest', standard: false, languages: ['en'], weak_languages: [], size_bytes: 100,
    here: true, path: '/m', needs_bytes: 1, available_bytes: 2, fits: true, placement: null, quantised: null, made_seconds: null, download: null,
    ...change,
  };
}

export function download(model: string, change: Partial<DownloadState> = {}): DownloadState {
  return { model, state: 'running', source: 'h', done: 1, total: 100, bytes_per_second: 1, eta_seconds: 1, error: null, ...change };
}
