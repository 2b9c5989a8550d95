/** A change over REST, and then how things are, whatever came of it. */
import { api } from "./api.js";
import { toast } from "./toast.js";

/**
 * @param {() => Promise<void>} show what is there now
 * @returns {(method: string, path: string, body?: any) => Promise<any>} what the server answered; undefined: it refused
 */
export function acting(show) {
  const failed = (error) => toast(error.message, "bad");
  return async (method, path, body) => {
    const answer = await api(method, path, body).catch(failed);
    await show().catch(failed);
    return answer;
  };
}
