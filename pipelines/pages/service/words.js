// The page's words in the language that is chosen, and figures as they are read.

const LANGUAGES = {en: "en", zh: "zh-CN"};
let words = {}, language = "en";

export async function loadWords() {
  const answer = await fetch("assets/words.json");
  words = await answer.json();
  const wanted = [sessionStorage.getItem("language"), ...navigator.languages].filter(Boolean);
  const known = wanted.map(one => one.toLowerCase().split("-")[0]).find(one => one in LANGUAGES);
  speak(known || "en");
}

export function speak(chosen) { // writes the words that stand still
  language = chosen;
  document.documentElement.lang = LANGUAGES[language];
  for (const element of document.querySelectorAll("[data-words]")) element.textContent = say(element.dataset.words);
  for (const element of document.querySelectorAll("[data-words-label]")) {
    element.setAttribute("aria-label", say(element.dataset.wordsLabel));
  }
  for (const element of document.querySelectorAll("[data-words-placeholder]")) {
    element.placeholder = say(element.dataset.wordsPlaceholder);
  }
  for (const element of document.querySelectorAll("[data-language]")) {
    element.setAttribute("aria-pressed", element.dataset.language === language);
  }
}

export function chooseLanguage(chosen) {
  sessionStorage.setItem("language", chosen);
  speak(chosen);
}

export const say = (key, values = {}) => words[language][key].replace(/\{(\w+)\}/g, (_, value) => values[value]);

export const isolated = text => `\u2068${text}\u2069`; // a name within a sentence turns nothing around it

export const counted = (key, n, values = {}) => say(n === 1 ? `${key}_one` : `${key}_many`, {n: whole(n), ...values});

export const whole = n => new Intl.NumberFormat(LANGUAGES[language]).format(n);

export const day = time => new Intl.DateTimeFormat(LANGUAGES[language], {dateStyle: "medium"}).format(new Date(time));

export const HARDLY = 0.005;

export function share(probability) { // never 0 % or 100 % of what is not quite so
  if (probability >= 1 - HARDLY && probability < 1) return say("nearly_all");
  if (probability < HARDLY) return say("hardly");
  return say("share", {n: Math.round(100 * probability)});
}

export const promised = part => say("share", {n: Math.round(1000 * part) / 10});
