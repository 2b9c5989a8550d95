/** Uploads in pieces of bearable size, their progress followed and summed up. */
import { api, decode, offline } from "./api.js";

const MOST_FILES = 200;
const MOST_BYTES = 16 << 20;
const LOOK_EVERY_MS = 400;

/** Is a file of this name a table, whose rows or named files come in? @param {string} name */
export function isTable(name) {
  return /\.(csv|tsv|jsonl|ndjson)$/i.test(name);
}

/** Follow an import job to its end. @returns {Promise<any>} the job */
export async function followJob(root, job, show) {
  show(job);
  while (job.state !== "done" && job.state !== "failed") {
    await new Promise((go) => setTimeout(go, LOOK_EVERY_MS));
    job = await api("GET", `${root}/jobs/${job.job_id}`);
    show(job);
  }
  return job;
}

/**
 * Send files in parts; `show` gets the sum of all parts. A table goes with all that it names.
 * @param {{gold: boolean, columns: string[]}} how `gold`: people are checked against its labels;
 *   `columns`: those of a table of texts that are shown, none: all
 */
export async function uploadFiles(root, files, show, how) {
  const sum = { added: 0, duplicates: 0, faulty: 0, total: files.length, errors: [] };
  const parts = files.some((f) => isTable(f.name)) ? [files] : inParts(files);
  let done = 0;
  for (const part of parts) {
    const all = (job) => ({
      ...job,
      added: sum.added + job.added,
      duplicates: sum.duplicates + job.duplicates,
      faulty: sum.faulty + job.faulty,
      total: Math.max(sum.total, job.total ?? 0),
      errors: [...sum.errors, ...(job.errors ?? [])],
      progress: (done + job.progress * part.length) / files.length,
      state: job.state === "done" && done + part.length < files.length ? "running" : job.state,
    });
    const job = await followJob(root, await post(root, part, how), (j) => show(all(j)));
    Object.assign(sum, { ...all(job), total: sum.total });
    if (job.state === "failed") return;
    done += part.length;
  }
}

export function inParts(files) {
  const parts = [];
  let part = [];
  let bytes = 0;
  for (const file of files) {
    if (part.length && (part.length >= MOST_FILES || bytes + file.size > MOST_BYTES)) {
      parts.push(part);
      part = [];
      bytes = 0;
    }
    part.push(file);
    bytes += file.size;
  }
  if (part.length) parts.push(part);
  return parts;
}

async function post(root, files, { gold, columns }) {
  const form = new FormData();
  for (const file of files) form.append("files", file, file.name);
  if (gold) form.append("gold", "1");
  for (const name of columns) form.append("columns", name);
  let response;
  try {
    response = await fetch(`${root}/upload`, { method: "POST", body: form, credentials: "same-origin" });
  } catch {
    throw offline();
  }
  return decode(response.status, await response.text());
}
