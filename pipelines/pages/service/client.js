// Requests to the service: with the token, again where it says when, and what went wrong in words.

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
    const {ok, status, again, found} = await send(path, body, token, signal);
    if (ok && found) return found;
    if (status === 401) {
      tries = 0;
      await newToken(token);
    } else if (again !== null && tries < TRIES) {
      waiting();
      await pause(Number(again) || tries, signal);
    } else {
      throw new ServiceError(status, wording(status, found));
    }
  }
}

async function send(path, body, token, signal) {
  const headers = {Accept: "application/json"};
  if (token !== null) headers.Authorization = `Bearer ${token}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const method = body === undefined ? "GET" : "POST";
  const otherwise = value => error => {
    if (error.name === "AbortError") throw error;
    return value;
  };
  const answer = await fetch(path, {method, headers, body: JSON.stringify(body), signal, cache: "no-store"}).catch(otherwise(null));
  if (!answer) return {ok: false, status: 0, again: null, found: null};
  const found = await answer.json().catch(otherwise(null)); // what is no JSON comes from a proxy
  return {ok: answer.ok, status: answer.status, again: answer.headers.get("Retry-After"), found};
}

function wording(status, found) {
  if (status === 413) return say("too_large");
  if (status === 429 || status === 503) return say("overloaded");
  if (!found?.error) return say("no_reach");
  const {message, code, request_id: id} = found.error;
  return say("failed", {message, code, id});
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
