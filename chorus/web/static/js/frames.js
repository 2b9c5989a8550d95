/** Messages to the server, as large as it takes them (docs/protocol.md). Pure. */
import { ApiFailure } from "./api.js";

/** Bytes. */
export const FRAME_MOST = 2 * 1024 * 1024;

/** A command as it is sent. Throws `ApiFailure` too_large. */
export function frameOf(id, type, body) {
  const frame = JSON.stringify({ id, type, body });
  // A character takes three bytes at most; only what may be too large is counted.
  if (frame.length * 3 > FRAME_MOST && new TextEncoder().encode(frame).length > FRAME_MOST) {
    throw new ApiFailure({ code: "too_large", message: "It is too large to be sent. Draw fewer shapes, or with fewer points." });
  }
  return frame;
}

/** Why a command cannot be sent, whatever its number is. @returns {?ApiFailure} */
export function faultOf(type, body) {
  try {
    frameOf(Number.MAX_SAFE_INTEGER, type, body);
    return null;
  } catch (error) {
    return error;
  }
}
