// Requests to the service: with the token, again where it is busy, and what went wrong in words.

import {$} from "./dom.js";
import {say} from "./words.js";

const TRIES = 8, LONGEST_WAIT = 20; // seconds
let asking = null; // for the token: once for all requests that wait for it

export class ServiceError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export const hasToken = () => sessionStorage.getItem("token") !== null;
export const forgetToken = () => sessionStorage.removeItem("token");

export async function ask(path, body, {signal, waiting = () => {}} = {}) {
  for (let tries = 1; ; tries++) {
    const token = sessionStorage.getItem("token");
    const answer = await send(path, body, token, signal);
    if (answer.ok) return answer.json();
    if (answer.status === 401) {
      tries = 0;
      await newToken(token);
    } else if ((answer.status === 429 || answer.status === 503) && tries < TRIES) {
      waiting();
      await pause(Number(answer.headers.get("Retry-After")) || tries, signal);
    } else {
      throw new ServiceError(answer.status, await wording(answer));
    }
  }
}

async function send(path, body, token, signal) {
  const headers = {Accept: "application/json"};
  if (token !== null) headers.Authorization = `Bearer ${token}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const method = body === undefined ? "GET" : "POST";
  try {
    return await fetch(path, {method, headers, body: JSON.stringify(body), signal, cache: "no-store"});
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServiceError(0, say("no_reach"));
  }
}

async function wording(answer) {
  if (answer.status === 413) return say("too_large");
  const said = await answer.json().catch(() => ({}));
  const {message = answer.statusText, code = answer.status} = said.error || {};
  return say("failed", {message, code});
}

function pause(seconds, signal) {
  return new Promise((done, failed) => {
    const timer = setTimeout(done, 1000 * Math.min(seconds, LONGEST_WAIT));
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      failed(signal.reason);
    });
  });
}

async function newToken(refused) { // another than the one that was refused
  if (sessionStorage.getItem("token") !== refused) return;
  asking ??= fromPerson(refused !== null).finally(() => { asking = null; });
  await asking;
}

function fromPerson(isWrong) {
  const dialog = $("token-dialog"), field = $("token");
  $("token-wrong").textContent = isWrong ? say("token_wrong") : "";
  field.value = "";
  dialog.showModal();
  return new Promise(done => {
    dialog.onclose = () => {
      const token = field.value.trim();
      if (!token) return dialog.showModal();
      sessionStorage.setItem("token", token);
      field.value = "";
      done();
    };
  });
}
