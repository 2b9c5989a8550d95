/** REST: JSON in, JSON out; errors as one kind of exception. */

/** What the server refused, with its code and its words for people. */
export class ApiFailure extends Error {
  /** @param {{code: string, message: string, retry?: boolean}} error @param {number} [status] */
  constructor(error, status = 0) {
    super(error.message);
    this.code = error.code;
    this.retry = error.retry === true;
    this.status = status;
  }
}

/**
 * @param {string} method
 * @param {string} path
 * @param {object} [body]
 * @returns {Promise<any>} the decoded answer, null for 204
 */
export async function api(method, path, body) {
  let response;
  try {
    response = await fetch(path, {
      method,
      credentials: "same-origin",
      headers: body === undefined ? {} : { "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw offline();
  }
  if (response.status === 204) return null;
  return decode(response.status, await response.text());
}

/** The answer of a request, or its error thrown. */
export function decode(status, text) {
  let answer = null;
  try {
    answer = JSON.parse(text);
  } catch {
    // A proxy's error page; said below.
  }
  if (status >= 200 && status < 300 && answer !== null) return answer;
  throw new ApiFailure(
    answer?.error ?? { code: "internal", message: `The server answered with ${status}.`, retry: true },
    status,
  );
}

export function offline() {
  return new ApiFailure({
    code: "offline",
    message: "The server cannot be reached. Check your connection and try again.",
    retry: true,
  });
}

/** To the sign-in page and back here. */
export function toSignIn() {
  const here = location.pathname + location.search;
  location.assign(`/signin?next=${encodeURIComponent(here)}`);
}
