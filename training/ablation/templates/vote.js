"use strict";
const $ = (id) => document.getElementById(id);
const sides = { a: $("video-a"), b: $("video-b") };
const choices = Array.from(document.querySelectorAll("[data-choice]"));
let match = null;
let loaded = new Set();

const enable = (voting, undo) => {
  choices.forEach((button) => { button.disabled = !voting; });
  $("skip").disabled = !match;
  $("undo").disabled = !undo;
};
const alarm = (text) => { $("alarm").textContent = text; $("alarm").hidden = !text; };
let given = 0;

// There is no vote before both videos are there; then they begin together.
const rewound = (video) => new Promise((resolve) => {
  video.pause();
  video.addEventListener("seeked", resolve, { once: true });
  video.currentTime = 0;
});
const begin = async () => {
  if (loaded.size < 2) return;
  const { token } = match;
  await Promise.all(Object.values(sides).map(rewound));
  if (match?.token !== token) return;
  Object.values(sides).forEach((video) => video.play().catch(() => {}));
  enable(true, given > 0);
  document.body.dataset.ready = token;
};
Object.entries(sides).forEach(([side, video]) => {
  video.addEventListener("loadeddata", () => { loaded.add(side); begin(); });
  video.addEventListener("error", () => { if (match) alarm(`Video ${side.toUpperCase()} does not play: skip this pair.`); });
});

const show = (told) => {
  match = told.match;
  given = told.own;
  loaded = new Set();
  alarm("");
  $("count").textContent = `${told.own} given now, ${told.votes} in all, on ${told.matches} pairs`;
  $("caption").textContent = match ? match.caption || "(no caption)" : "No pair is left to compare.";
  $("pair").hidden = $("lead").hidden = !match;
  Object.entries(sides).forEach(([side, video]) => {
    if (!match) { video.removeAttribute("src"); return; }
    video.setAttribute("aria-label", `Video ${side.toUpperCase()}: ${match.caption}`);
    video.src = `/video/${match[side]}`;
  });
  enable(false, given > 0);
};

const ask = async (path, body) => {
  enable(false, false);
  $("skip").disabled = true;
  try {
    const options = body && { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
    const answer = await fetch(path, options);
    if (!answer.ok) throw new Error(await answer.text());
    show(await answer.json());
  } catch (error) {
    alarm(`${error.message}. Reload this page; where that fails, start the command again: votes are kept.`);
  }
};

choices.forEach((button) => button.addEventListener("click", () => ask("/vote", { token: match.token, choice: button.dataset.choice })));
$("undo").addEventListener("click", () => ask("/undo", {}));
$("skip").addEventListener("click", () => ask("/skip", { token: match.token }));

const keys = { a: choices[0], b: choices[1], t: choices[2], u: $("undo"), s: $("skip") };
document.addEventListener("keydown", (event) => {
  if (event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
  const button = keys[event.key.toLowerCase()];
  if (button && !button.disabled) button.click();
});

ask("/match");
