import { NamesakeError } from '../../../shared/errors.ts';
export const later = (): never => {
  throw new NamesakeError('door.unsupported', 'its service is not there yet');
};
